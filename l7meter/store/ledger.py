"""The ledger of sources: one row for each source that was committed.

An ordinary table beside the catalog's own, in the same database and the same transaction. A unique
index over the rows that were not forgotten is what makes a source count once; `snapshot_id` and
`end_snapshot` say in which snapshots it counts, just as for data files.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from types import UnionType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import polars as pl

from l7meter.errors import StoreError
from l7meter.sources.identity import HEAD_BYTES


@dataclass(frozen=True, kw_only=True)
class SourceRow:
    """What is known of one source: its identity, how its lines ended, and its sums.

    Each `server_bytes_*` is the sum of `server_bytes` over the records of that basis, in octets;
    null means that no record has the basis. The store fills `ingested_at` and `snapshot_id`.
    """

    source_id: Annotated[str, "Identity of the source by its content."]
    name: Annotated[str, "Name of the source as given: a path, a URL or `-`."]
    format: Annotated[str, "Format that read it."]
    size_meaning: Annotated[str | None, "What the format's sizes count."] = None
    content_id: Annotated[str | None, "Identity of the whole content."] = None
    head_id: Annotated[str | None, "Identity of its first octets, kept while it grows."] = None
    head_bytes: Annotated[int | None, "Octets that `head_id` covers."] = None
    content_bytes: Annotated[int | None, "Octets after decompression."] = None
    continues: Annotated[
        str | None, "Source that the file was before it grew: this one is what came since."
    ] = None
    begins_at: Annotated[int | None, "Octets of content that are of the sources it continues."] = (
        None
    )
    lines_before: Annotated[int | None, "Lines of those."] = None
    bytes_read: Annotated[int | None, "Octets read, as stored."] = None
    lines: Annotated[int, "Lines (captures: packets) read."] = 0
    records: Annotated[int, "Lines that became a record; captures: records of its packets."] = 0
    rejects: Annotated[int, "Lines rejected with a reason."] = 0
    skipped: Annotated[int, "Lines (packets) skipped by name: comments, header lines."] = 0
    skipped_by_reason: Annotated[dict[str, int], "Skipped lines (packets) by reason."] = field(
        default_factory=dict
    )
    rejects_by_reason: Annotated[dict[str, int], "Rejected lines by reason."] = field(
        default_factory=dict
    )
    packets_carried: Annotated[
        int | None, "Captures: packets whose octets are in records; null for logs."
    ] = None
    connections: Annotated[int | None, "Captures: connections."] = None
    exact_connections: Annotated[int | None, "Connections that took the exact path."] = None
    payload_bytes: Annotated[int | None, "Captures: distinct TCP and UDP payload octets seen."] = (
        None
    )
    message_bytes: Annotated[int | None, "Those of requests and responses."] = None
    tunnel_bytes: Annotated[int | None, "Those of what cannot be opened: TLS, QUIC, tunnels."] = (
        None
    )
    remainder_bytes: Annotated[int | None, "Those that are neither."] = None
    wire_bytes: Annotated[int | None, "Octets of all IP packets of the connections."] = None
    missing_bytes: Annotated[int | None, "Captures: octets that were sent but not captured."] = None
    first_ts: Annotated[datetime | None, "Earliest `ts` of its records."] = None
    last_ts: Annotated[datetime | None, "Latest `ts` of its records."] = None
    server_bytes_wire: Annotated[int | None, "Sum of `server_bytes`, basis `wire`."] = None
    server_bytes_message: Annotated[int | None, "Sum of `server_bytes`, basis `message`."] = None
    server_bytes_content: Annotated[int | None, "Sum of `server_bytes`, basis `content`."] = None
    server_bytes_declared: Annotated[int | None, "Sum of `server_bytes`, basis `declared`."] = None
    server_bytes_tls: Annotated[int | None, "Sum of `server_bytes`, basis `tls`."] = None
    unmeasured_records: Annotated[int, "Records whose `server_bytes` is null."] = 0
    problem: Annotated[str | None, "What kept it from being read to its end."] = None
    l7meter_version: Annotated[str | None, "Version of l7meter that read it."] = None
    attribution_id: Annotated[str | None, "Reference data and rules of its concluded columns."] = (
        None
    )
    privacy: Annotated[
        str | None, "What was kept of persons (JSON), where that is not everything."
    ] = None
    ingested_at: Annotated[datetime | None, "When it was committed."] = None
    snapshot_id: Annotated[int | None, "Snapshot that committed it."] = None

    def check(self) -> None:
        """Raise `StoreError` unless every line, packet and payload octet is in exactly one place."""
        for total, parts, unit, what in self._sums():
            if total != parts:
                raise StoreError(
                    f"{self.name}: {total} and not {parts} {unit} ({what}): nothing was committed; "
                    "this is a fault of l7meter, please report it"
                )

    def _sums(self) -> Iterator[tuple[int | None, int, str, str]]:
        """What must be equal: a count, the sum of its parts, its unit and the names of the parts."""
        ended = self.rejects + self.skipped
        if self.packets_carried is None:
            yield self.lines, self.records + ended, "lines", "records + rejects + skipped"
        else:
            yield self.lines, self.packets_carried + ended, "packets", "carried + rejects + skipped"
            parts = (self.message_bytes, self.tunnel_bytes, self.remainder_bytes)
            octets = sum(part or 0 for part in parts)
            yield self.payload_bytes, octets, "octets of payload", "message + tunnel + remainder"
        unit = "lines" if self.packets_carried is None else "packets"
        yield self.skipped, sum(self.skipped_by_reason.values()), unit, "skipped by reason"
        yield self.rejects, sum(self.rejects_by_reason.values()), unit, "rejected by reason"


BASES = ("wire", "message", "content", "declared", "tls")

_HINTS = get_type_hints(SourceRow)
_SQL = {str: "VARCHAR", int: "BIGINT", dict: "VARCHAR", datetime: "VARCHAR"}
_POLARS = {"VARCHAR": pl.String(), "BIGINT": pl.Int64()}


def _base(hint: Any) -> type:
    """The class a column holds: `int` of `int | None`, `dict` of `dict[str, int]`."""
    option = get_args(hint)[0] if isinstance(hint, UnionType) else hint
    base: type = get_origin(option) or option
    return base


_TYPES = {name: _base(hint) for name, hint in _HINTS.items()}
NAMES = tuple(column.name for column in fields(SourceRow))

# what each attribution_id stands for, as JSON: reference data, declarations, version
ATTRIBUTIONS = """\
CREATE TABLE IF NOT EXISTS l7meter_attribution(
    attribution_id VARCHAR PRIMARY KEY, manifest VARCHAR NOT NULL, first_used VARCHAR NOT NULL);
"""
_DECLARED = {name: f"{name} {_SQL[_TYPES[name]]}" for name in NAMES}
TABLES = f"""
CREATE TABLE l7meter_source({", ".join(_DECLARED.values())}, end_snapshot BIGINT);
CREATE UNIQUE INDEX l7meter_source_once ON l7meter_source(source_id) WHERE end_snapshot IS NULL;
CREATE INDEX l7meter_source_head ON l7meter_source(head_id);
CREATE INDEX l7meter_source_small ON l7meter_source(head_bytes);
{ATTRIBUTIONS}"""


def instant(moment: datetime) -> str:
    """The text DuckLake keeps of an instant: UTC, microseconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f+00")


def instants(*names: str) -> pl.Expr:
    """Columns of such text as instants, UTC."""
    form = "%Y-%m-%d %H:%M:%S%.f%#z"
    return pl.col(names).str.to_datetime(form, time_unit="us", time_zone="UTC")


def _pack(value: object) -> object:
    if isinstance(value, dict):
        return json.dumps(value, sort_keys=True)
    return instant(value) if isinstance(value, datetime) else value


def _unpack(name: str, value: Any) -> Any:
    kind = _TYPES[name]
    if value is None:
        return None
    if kind is dict:
        return json.loads(value)
    return datetime.fromisoformat(value) if kind is datetime else value


def _missing(db: sqlite3.Connection) -> list[str]:
    """The columns that are newer than the store."""
    there = {row[0] for row in db.execute("SELECT name FROM pragma_table_info('l7meter_source')")}
    return [name for name in NAMES if name not in there]


def _columns(db: sqlite3.Connection) -> str:
    """What to select for a row in order of `NAMES`: null where the store has no such column."""
    missing = _missing(db)
    return ", ".join(f"NULL AS {name}" if name in missing else name for name in NAMES)


def known(db: sqlite3.Connection, source_ids: Iterable[str]) -> set[str]:
    """Those of `source_ids` that are in the ledger now."""
    asked = json.dumps(sorted(set(source_ids)))
    return {
        row[0]
        for row in db.execute(
            "SELECT source_id FROM l7meter_source WHERE end_snapshot IS NULL "
            "AND source_id IN (SELECT value FROM json_each(?))",
            (asked,),
        )
    }


def heads(db: sqlite3.Connection, head_id: str) -> list[SourceRow]:
    """The sources that begin with the octets `head_id` stands for."""
    rows = db.execute(
        f"SELECT {_columns(db)} FROM l7meter_source WHERE end_snapshot IS NULL AND head_id = ?",
        (head_id,),
    )
    return [_row(row) for row in rows]


def _row(values: Sequence[Any]) -> SourceRow:
    return SourceRow(**{n: _unpack(n, v) for n, v in zip(NAMES, values, strict=True)})


def small_heads(db: sqlite3.Connection) -> list[tuple[int, str]]:
    """Length and identity of heads that are shorter than a head can be: of sources that may grow."""
    return db.execute(
        "SELECT DISTINCT head_bytes, head_id FROM l7meter_source WHERE end_snapshot IS NULL "
        "AND head_bytes < ? AND head_id IS NOT NULL",
        (HEAD_BYTES,),
    ).fetchall()


def together(db: sqlite3.Connection, row: SourceRow) -> int:
    """How many sources of captures the snapshot of one committed; 0 for a log."""
    if row.packets_carried is None:
        return 0
    count: int = db.execute(
        "SELECT count(*) FROM l7meter_source WHERE end_snapshot IS NULL AND snapshot_id = ? "
        "AND packets_carried IS NOT NULL",
        (row.snapshot_id,),
    ).fetchone()[0]
    return count


def rows(db: sqlite3.Connection) -> list[SourceRow]:
    """All sources of the ledger now."""
    found = db.execute(f"SELECT {_columns(db)} FROM l7meter_source WHERE end_snapshot IS NULL ORDER BY rowid")  # fmt: skip
    return [_row(row) for row in found]


def add(db: sqlite3.Connection, rows: Iterable[SourceRow], snapshot: int) -> None:
    """Enter sources; `sqlite3.IntegrityError` if one of them is there already.

    Columns that are newer than the store are added first.
    """
    for name in _missing(db):
        db.execute(f"ALTER TABLE l7meter_source ADD COLUMN {_DECLARED[name]}")
    now = datetime.now(UTC)
    for row in rows:
        row.check()
        full = replace(row, snapshot_id=snapshot, ingested_at=now)
        db.execute(
            f"INSERT INTO l7meter_source({', '.join(NAMES)}) VALUES ({', '.join('?' * len(NAMES))})",
            [_pack(getattr(full, name)) for name in NAMES],
        )


def forget(db: sqlite3.Connection, source_ids: Collection[str], snapshot: int) -> list[SourceRow]:
    """End the rows of sources and give them."""
    found = []
    for source_id in source_ids:
        where = "WHERE source_id = ? AND end_snapshot IS NULL"
        row = db.execute(f"SELECT {_columns(db)} FROM l7meter_source {where}", (source_id,)).fetchone()  # fmt: skip
        if row is None:
            raise StoreError(f"source {source_id} is not in the ledger; see 'l7meter source list'")
        found.append(_row(row))
        db.execute(f"UPDATE l7meter_source SET end_snapshot = ? {where}", (snapshot, source_id))
    return found


def frame(db: sqlite3.Connection, snapshot: int) -> pl.DataFrame:
    """The ledger as of a snapshot, in order of commit; instants as UTC, reasons as JSON text."""
    rows = db.execute(
        f"SELECT {_columns(db)} FROM l7meter_source WHERE snapshot_id <= ?1 "
        "AND (end_snapshot IS NULL OR end_snapshot > ?1) ORDER BY snapshot_id, rowid",
        (snapshot,),
    ).fetchall()
    schema = {name: _POLARS[_SQL[_TYPES[name]]] for name in NAMES}
    moments = [name for name in NAMES if _TYPES[name] is datetime]
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(instants(*moments))


def explain(db: sqlite3.Connection, manifests: Iterable[str]) -> None:
    """Keep what attributions stand for; one that is known already stays as it is."""
    db.execute(ATTRIBUTIONS)  # stores that are older have no such table
    now = instant(datetime.now(UTC))
    for manifest in manifests:
        name = json.loads(manifest)["attribution_id"]
        db.execute(
            "INSERT OR IGNORE INTO l7meter_attribution VALUES (?, ?, ?)", (name, manifest, now)
        )


def attributions(db: sqlite3.Connection) -> pl.DataFrame:
    """What attributions stand for: attribution_id, manifest (JSON text), first_used (UTC)."""
    there = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'l7meter_attribution'").fetchone()
    rows = db.execute("SELECT * FROM l7meter_attribution").fetchall() if there else []
    schema = dict.fromkeys(("attribution_id", "manifest", "first_used"), pl.String)
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(instants("first_used"))
