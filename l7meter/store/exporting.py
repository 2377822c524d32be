"""A copy of a store's rows in plain files: a folder for each table and day, and a manifest.

What is half written has a temporary name beside the directory; the directory appears whole.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Protocol

import duckdb
import polars as pl

from l7meter import __version__
from l7meter.errors import StoreError, UsageError
from l7meter.store.datafile import digest
from l7meter.store.store import Store
from l7meter.store.views import connect, quote

MANIFEST = "manifest.json"
BATCH_ROWS = 61_440  # rows of one Arrow batch, and of one row group where files have them
NO_DAY = "__HIVE_DEFAULT_PARTITION__"  # what Hive calls the folder of null
AGAIN = {"requests"}  # views of rows that another table has: exported only if named
_TIMES = ("ts", "hour", "day")  # columns that say when; the first that a table has
# Of rows without a time, those of sources that have records in the time asked for.
_SOURCES = "SELECT source_id FROM sources WHERE first_ts IS NULL OR (first_ts < {until} AND last_ts >= {since})"  # fmt: skip


class Writer(Protocol):
    """Writes frames of one schema to a stream (`l7meter.reports.files` has them)."""

    def write(self, frame: pl.DataFrame, /) -> None:
        """Write the rows of a frame."""

    def close(self) -> None:
        """Write what ends the file."""


OpenWriter = Callable[[BinaryIO, pl.Schema], Writer]


class Exported(NamedTuple):
    """A file of an export: its path in the directory, octets and BLAKE3 (null: not written)."""

    table: str
    path: str
    rows: int
    size_bytes: int | None = None
    blake3: str | None = None


class _Part(NamedTuple):
    file: Exported
    query: str


INNER = re.compile(r"rolled_|other_records")  # what usage is made of


def export(
    store: Store,
    directory: Path,
    open_writer: OpenWriter,
    suffix: str,
    *,
    tables: Sequence[str] = (),
    since: date | None = None,
    until: date | None = None,
    by_day: bool = True,
    snapshot: int | None = None,
    force: bool = False,
    dry_run: bool = False,
    memory: str = "1GB",
    report: Callable[[int, int], None] | None = None,
) -> list[Exported]:
    """Write the rows of tables (those of `connect`; all by default) in the format of `open_writer`.

    From the day `since` to before the day `until`, of UTC, as of a snapshot (default: the latest).

    Rows are in order of time, source and line, so that an export of the same snapshot has the same
    octets. Tables without a time are one file: of `sources` and `rejects`, the sources that have
    records in the time asked for or no times at all. `report` is told files written, and of how many.
    `memory` bounds sorting; more goes to the disk. `dry_run` counts and writes nothing.

    Raises `UsageError` for a table that there is not and for a directory that is not empty; `force`
    replaces one that holds an earlier export. `StoreError` where the disk refuses.
    """
    target = Path(os.path.realpath(directory))
    _check(store, target, force)
    at = store.snapshot() if snapshot is None else snapshot
    with connect(store.path, snapshot=at) as con:
        con.execute(f"SET memory_limit = {quote(memory)}")
        there = sorted(
            row[0] for row in con.execute("SHOW TABLES").fetchall() if not INNER.match(row[0])
        )
        if unknown := set(tables) - set(there):
            raise UsageError(f"--table {min(unknown)}: there are {', '.join(there)}")
        parts = [
            part
            for table in tables or [name for name in there if name not in AGAIN]
            for part in _parts(con, table, since, until, by_day, suffix)
        ]
        if dry_run:
            return [part.file for part in parts]
        with _replacing(target) as folder:
            done = []
            for part in parts:
                done.append(_write(con, part, folder, open_writer))
                if report:
                    report(len(done), len(parts))
            said = {
                "l7meter": __version__,
                "snapshot": at,
                "since": since and since.isoformat(),
                "until": until and until.isoformat(),
                "partition": "day" if by_day else "none",
                "files": [file._asdict() for file in done],
            }
            _manifest(folder / MANIFEST, said)
    return done


def _check(store: Store, target: Path, force: bool) -> None:
    home = Path(os.path.realpath(store.path))
    if home == target or home in target.parents or target in home.parents:
        raise UsageError(f"{target}: the store is there; name a directory apart from it")
    if target.exists() and not target.is_dir():
        raise UsageError(f"{target}: a file is there; name a new directory")
    if not target.is_dir() or not any(target.iterdir()):
        return
    if not force:
        raise UsageError(f"{target}: not empty; name a new directory, or say --force to replace it")
    if not _is_export(target):
        raise UsageError(
            f"{target}: not an export ({MANIFEST} does not say so); remove it yourself"
        )


def _is_export(directory: Path) -> bool:
    """Whether everything at the top of a directory was made by an export."""
    try:
        said = json.loads((directory / MANIFEST).read_text())
        tops = {Path(file["path"]).parts[0] for file in said["files"]}
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return False
    return {entry.name for entry in directory.iterdir()} <= tops | {MANIFEST}


def _parts(
    con: duckdb.DuckDBPyConnection,
    table: str,
    since: date | None,
    until: date | None,
    by_day: bool,
    suffix: str,
) -> Iterator[_Part]:
    """The files of a table, each with the query that gives its rows."""
    columns = [row[0] for row in con.execute(f"DESCRIBE {table}").fetchall()]
    order = [c for c in (*_TIMES, "source_id", "source_line") if c in columns]
    moment = next((c for c in _TIMES if c in columns), None)
    rows = f"FROM {table} WHERE {_within(columns, moment, since, until)}"
    ordered = f" ORDER BY {', '.join(order)}" if order else ""
    if moment is None or not by_day:
        count = con.execute(f"SELECT count(*) {rows}").fetchall()[0][0]
        yield _Part(Exported(table, f"{table}/{table}.{suffix}", count), rows + ordered)
        return
    day = f"CAST(make_timestamp(epoch_us({moment})) AS DATE)"
    for value, count in con.execute(
        f"SELECT {day} AS day, count(*) {rows} GROUP BY ALL ORDER BY 1 NULLS LAST"
    ).fetchall():
        bounds = _between(moment, value, value + timedelta(1)) if value else f"{moment} IS NULL"
        name = value.isoformat() if value else NO_DAY
        path = f"{table}/day={name}/{table}-{value.isoformat() if value else 'no-day'}.{suffix}"
        yield _Part(Exported(table, path, count), f"{rows} AND {bounds}{ordered}")


def _within(columns: list[str], moment: str | None, since: date | None, until: date | None) -> str:
    first, last = since or date.min, until or date.max
    if not since and not until:
        return "true"
    if moment:
        return _between(moment, first, last)
    if "source_id" in columns:
        chosen = _SOURCES.format(since=_instant(first), until=_instant(last))
        return f"source_id IN ({chosen})"
    return "true"


def _between(moment: str, first: date, last: date) -> str:
    return f"{moment} >= {_instant(first)} AND {moment} < {_instant(last)}"


def _instant(day: date) -> str:
    # the session's zone is UTC; a DATE column is compared as the beginning of its day
    return f"TIMESTAMPTZ '{datetime(day.year, day.month, day.day, tzinfo=UTC).isoformat()}'"


def _write(
    con: duckdb.DuckDBPyConnection, part: _Part, folder: Path, open_writer: OpenWriter
) -> Exported:
    path = folder / part.file.path
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = 0
    try:
        reader: Any = con.sql(part.query).to_arrow_reader(BATCH_ROWS)
        with path.open("wb") as stream:
            empty: Any = pl.from_arrow(reader.schema.empty_table())
            writer = open_writer(stream, empty.schema)
            for batch in reader:
                frame: Any = pl.from_arrow(batch)
                rows += frame.height
                writer.write(frame)
            writer.close()
            stream.flush()
            os.fsync(stream.fileno())
    except duckdb.Error as error:
        raise StoreError(
            f"the rows for {part.file.path} cannot be read: {error}; run it again, or see "
            "'l7meter store verify': another process may have expired files meanwhile"
        ) from error
    if rows != part.file.rows:
        raise StoreError(f"{part.file.path}: {rows} rows and not {part.file.rows}; see 'l7meter store verify'")  # fmt: skip
    return part.file._replace(size_bytes=path.stat().st_size, blake3=digest(path))


def _manifest(path: Path, said: dict[str, object]) -> None:
    with path.open("w") as stream:
        json.dump(said, stream, indent=1)
        stream.write("\n")
        stream.flush()
        os.fsync(stream.fileno())


@contextmanager
def _replacing(target: Path) -> Iterator[Path]:
    """A directory to fill, which takes the name `target` when the block ends well."""
    folder = target.with_name(f".{target.name}.{uuid.uuid4().hex}.tmp")
    former = folder.with_suffix(".old")
    try:
        folder.mkdir(parents=True)
        yield folder
        if target.is_dir():
            target.rename(former)
        folder.rename(target)
    except OSError as error:
        if former.is_dir() and not target.exists():
            former.rename(target)
        raise StoreError(
            f"{target}: cannot be written: {error.strerror or error}; make room, or name another "
            "directory, and run it again"
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(former, ignore_errors=True)
