"""Where snapshots of reference data are kept: a folder of Parquet files, each immutable and dated.

A snapshot's name is its series, its day and the head of its hash (`aws-2026-10-01-0f3c…`); what is
known of it stands in the file's key-value metadata. Where the terms of the data demand that old
versions be destroyed, a newer one leaves `NAME.gone.json` of them: what they were, and their hash.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl

from l7meter import __version__
from l7meter.attribution.reference.importers import Imported, Importer
from l7meter.attribution.reference.making import make
from l7meter.errors import UsageError

VARIABLE = "L7METER_REFDATA"
_KEY = "l7meter"
_UNSAID = {  # that tables of routes do not have of their systems
    name: pl.lit(None, pl.String) for name in ("organization", "country", "network_kind")
}


@dataclass(frozen=True)
class Snapshot:
    """What is known of one snapshot."""

    series: str  # name of its importer, and which of its lists: `aws`, `bots.gptbot`
    kind: str  # one of importers.KINDS
    as_of: date  # the day of the data
    rows: int
    digest: str  # SHA-256 of the table as CSV
    title: str
    licence: str
    attribution: str  # the words its terms ask to be shown
    origin: str  # URL or file name
    input_sha256: str  # of the file that was imported
    retrieved: datetime  # when it was imported
    retain: bool  # false: destroyed when a newer one comes
    dropped: dict[str, int]  # rows left out, by reason
    l7meter_version: str  # that imported it

    @property
    def name(self) -> str:
        """Series, day, and the head of the hash."""
        return f"{self.series}-{self.as_of}-{self.digest[:12]}"

    def as_text(self) -> str:
        """The fields as JSON."""
        return json.dumps(asdict(self), default=str, ensure_ascii=False)


class Shelf:
    """The snapshots of one folder, which need not exist."""

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = Path(folder) if folder is not None else default_folder()

    def snapshots(self) -> list[Snapshot]:
        """Those at hand, by series and day."""
        return sorted((_described(path) for path in self.folder.glob("*.parquet")), key=_order)

    def gone(self) -> list[Snapshot]:
        """Those that were destroyed as their terms demand, by series and day."""
        notes = self.folder.glob("*.gone.json")
        return sorted((_read(json.loads(path.read_text("utf-8"))) for path in notes), key=_order)

    def path(self, snapshot: Snapshot) -> Path:
        """The file of a snapshot."""
        return self.folder / f"{snapshot.name}.parquet"

    def table(self, snapshot: Snapshot) -> pl.DataFrame:
        """The table of a snapshot, in the columns that `making.make` gives."""
        return pl.read_parquet(self.path(snapshot))

    def add(
        self,
        file: Path,
        importer: Importer,
        *,
        origin: str | None = None,
        as_of: date | None = None,
        otherwise: date | None = None,
        sha256_hex: str | None = None,
    ) -> Snapshot:
        """Import a file; one that is there already, content and day, is left as it is.

        `as_of` is the day whatever the file says, `otherwise` where it says none; one of them is
        needed then.
        Raises `UsageError` for a file that is not the importer's, has another hash, or no day.
        """
        digest = sha256(file.read_bytes()).hexdigest()
        if sha256_hex and digest != sha256_hex.lower():
            raise UsageError(f"{file}: its SHA-256 is {digest}, not {sha256_hex}: nothing imported")
        try:
            imported = importer.read(file)
            made = make(importer.kind, imported)
        except ValueError as error:
            raise UsageError(f"{file}: not what {importer.name} publishes: {error}") from error
        part = imported.part or _version(importer.kind, imported.table)
        day = as_of or imported.as_of or otherwise
        if day is None:
            raise UsageError(f"{file}: {importer.name} does not say its day; give it by --as-of")
        snapshot = Snapshot(
            series=f"{importer.name}.{part}" if part else importer.name,
            kind=importer.kind,
            as_of=day,
            rows=made.table.height,
            digest=made.digest,
            title=importer.title,
            licence=importer.licence,
            attribution=importer.attribution,
            origin=origin or file.name,
            input_sha256=digest,
            retrieved=datetime.now(UTC).replace(microsecond=0),
            retain=importer.retain,
            dropped=made.dropped,
            l7meter_version=__version__,
        )
        if imported.names is not None and imported.names.height:
            names = Imported(imported.names.with_columns(**_UNSAID))
            self._keep(_of(snapshot, f"{snapshot.series}-names", "systems", names))
        return self._keep((snapshot, made.table))

    def _keep(self, made: tuple[Snapshot, pl.DataFrame]) -> Snapshot:
        snapshot, table = made
        if not self.path(snapshot).exists():
            self._write(snapshot, table)
        self._honour_terms(snapshot.series)
        return snapshot

    def _write(self, snapshot: Snapshot, table: pl.DataFrame) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.path(snapshot)
        fresh = path.with_suffix(f".{os.getpid()}.tmp")
        table.write_parquet(fresh, compression="zstd", metadata={_KEY: snapshot.as_text()})
        fresh.replace(path)

    def _honour_terms(self, series: str) -> None:
        """Destroy all but the newest of a series that may not be kept."""
        mine = [each for each in self.snapshots() if each.series == series]
        for old in mine[:-1]:
            if not old.retain:
                note = self.folder / f"{old.name}.gone.json"
                note.write_text(old.as_text() + "\n", "utf-8")
                self.path(old).unlink()


def _version(kind: str, table: pl.DataFrame) -> str:
    """Of routes of one IP version, which: tables of the other one stand beside them."""
    if kind != "routes":
        return ""
    six = table["network"].str.contains(":", literal=True)
    return "v6" if six.all() else "" if six.any() else "v4"


def _of(
    snapshot: Snapshot, series: str, kind: str, imported: Imported
) -> tuple[Snapshot, pl.DataFrame]:
    """Another table of the same file."""
    made = make(kind, imported)
    return (
        replace(
            snapshot,
            series=series,
            kind=kind,
            rows=made.table.height,
            digest=made.digest,
            dropped=made.dropped,
        ),
        made.table,
    )


def default_folder() -> Path:
    """`$L7METER_REFDATA`, else `l7meter/refdata` where the user's data is kept (XDG)."""
    if named := os.environ.get(VARIABLE):
        return Path(named)
    home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(home) / "l7meter" / "refdata"


def _described(path: Path) -> Snapshot:
    try:
        return _read(json.loads(pl.read_parquet_metadata(path)[_KEY]))
    except (KeyError, ValueError, TypeError, OSError, pl.exceptions.PolarsError) as error:
        raise UsageError(f"{path}: no snapshot of reference data ({error}); remove it") from error


def _read(said: Mapping[str, Any]) -> Snapshot:
    values = {field.name: said[field.name] for field in fields(Snapshot)}
    values["as_of"] = date.fromisoformat(values["as_of"])
    values["retrieved"] = datetime.fromisoformat(values["retrieved"])
    return Snapshot(**values)


def _order(snapshot: Snapshot) -> tuple[str, date, str]:
    return snapshot.series, snapshot.as_of, snapshot.digest
