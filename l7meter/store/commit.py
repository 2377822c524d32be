"""One commit: a snapshot with its files, statistics and sources, inside an open transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from l7meter.errors import Conflict, StoreError
from l7meter.store import accept, catalog, ledger, side
from l7meter.store.accept import Layout, LiveFile
from l7meter.store.catalog import TABLES, insert
from l7meter.store.datafile import DataFile
from l7meter.store.ledger import SourceRow
from l7meter.store.side import Removed
from l7meter.store.statistics import highest, lowest


@dataclass(frozen=True, kw_only=True)
class Change:
    """What one snapshot does.

    `removed` are rows that sources lost for a `reason`; `covered` are names of records files whose
    rows are in the rollups from now on; `days` says how many records and octets more (or less) each UTC
    day has, or that its conclusions changed, so that closed days are known to be restated; `settled` are
    days that are closed, their rollups made of all records. `uncovered` files (ids) stay, but are in no
    rollup any more, and `unsettled` days have to be summed up again.
    """

    message: str
    add: Sequence[DataFile] = ()
    remove: Sequence[LiveFile] = ()
    sources: Sequence[SourceRow] = ()
    forget: Collection[str] = ()
    removed: Sequence[Removed] = ()
    covered: Collection[str] = ()
    days: Mapping[date, tuple[int, int]] = field(default_factory=dict)
    settled: Collection[date] = ()
    uncovered: Collection[int] = ()
    unsettled: Collection[date] = ()


def commit(
    db: sqlite3.Connection, path: Path, layouts: Mapping[str, Layout], change: Change
) -> int:
    """Enter one snapshot and give its number; closed days that it changes become restated.

    Raises `StoreError` if a file to remove is no longer live, or if the rows that come and go are
    not those that the sources account for.
    """
    if accept.layouts(db, path) != layouts:
        raise StoreError(f"{path}: its tables changed meanwhile: nothing was committed; try again")
    last = catalog.head(db)
    snapshot, next_file = last.number + 1, last.next_file_id
    _tell_data_path(db, path)
    accounted = _accounted(db, change, snapshot)
    changes = []
    for table, layout in layouts.items():
        added = [f for f in change.add if f.table == table]
        removed = [f for f in change.remove if f.table == table]
        rows = sum(f.rows for f in added) - sum(f.rows for f in removed)
        if rows != accounted.get(table, rows):
            raise StoreError(
                f"{path}: {table} would change by {rows} rows where its sources account for "
                f"{accounted[table]}: nothing was committed; this is a fault of l7meter, please "
                "report it"
            )
        for file in removed:
            _end(db, path, file, snapshot)
        if removed:
            changes.append(f"deleted_from_table:{layout.table_id}")
        if added:
            changes.append(f"inserted_into_table:{layout.table_id}")
        if added or removed:
            _add_files(db, layout, added, snapshot, next_file)
            _update_statistics(db, table, layout, added, removed)
        next_file += len(added)
    _cover(db, path, change, snapshot)
    new = last._replace(number=snapshot, next_file_id=next_file)
    catalog.add_snapshot(db, new, changes, change.message)
    side.unsettle(db, change.unsettled)
    if change.settled:
        _settles(db, path, layouts, change, snapshot)
        side.close(db, change.settled, snapshot)
    side.restate(db, change.days, change.message, snapshot)
    return snapshot


def _accounted(db: sqlite3.Connection, change: Change, snapshot: int) -> dict[str, int]:
    """By how many rows records and rejects have to change."""
    gone = ledger.forget(db, change.forget, snapshot)
    records, rejects = -sum(row.records for row in gone), -sum(row.rejects for row in gone)
    for row in gone:  # what is left of them
        lost = side.removed(db, row.source_id, row.snapshot_id or 0)
        records, rejects = records + lost[0], rejects + lost[1]
    side.unsee(db, change.forget)
    ledger.add(db, change.sources, snapshot)
    if change.removed:
        side.remove(db, change.removed, change.message, snapshot)
    return {
        "records": records
        + sum(row.records for row in change.sources)
        - sum(row.records for row in change.removed),
        "rejects": rejects
        + sum(row.rejects for row in change.sources)
        - sum(row.rejects for row in change.removed),
    }


def _settles(
    db: sqlite3.Connection, path: Path, layouts: Mapping[str, Layout], change: Change, snapshot: int
) -> None:
    """Raise `Conflict` where records of a day to be settled came meanwhile, or were summed up."""
    horizon = str(side.horizon(db) or "")
    records = accept.live_files(db, path, "records", layouts["records"], snapshot)
    sums = accept.live_files(db, path, "usage_daily", layouts["usage_daily"], snapshot)
    made = {file.name for file in change.add}
    for day in (day for day in change.settled if str(day) >= horizon):
        low, high = str(day), str(day + timedelta(days=1))
        fresh = [f for f in records if not f.covered and (f.lower or "") < high and (f.upper or "~") >= low]  # fmt: skip
        fresh += [f for f in sums if (f.lower or "")[:10] == low and f.name not in made]
        if fresh:
            raise _replaced(path, f"what there is of {day}")


def _cover(db: sqlite3.Connection, path: Path, change: Change, snapshot: int) -> None:
    sums = side.covered(db, snapshot - 1)
    for file in change.remove:
        if file.covered is not (file.file_id in sums):
            raise _replaced(path, f"the rollup of {file.name}")
    side.uncover(db, change.uncovered, snapshot)
    side.uncover(db, [f.file_id for f in change.remove if f.table == "records"], snapshot)
    ids = []
    for name in change.covered:
        row = db.execute(
            "SELECT data_file_id FROM ducklake_data_file WHERE path = ? AND end_snapshot IS NULL",
            (name,),
        ).fetchone()
        if row is None:
            raise _replaced(path, name)
        ids.append(row[0])
    try:
        side.cover(db, ids, snapshot)
    except sqlite3.IntegrityError as error:
        raise Conflict(
            f"{path}: another process summed up the same records meanwhile: nothing was "
            "committed; run the command again"
        ) from error


def _replaced(path: Path, name: str) -> Conflict:
    return Conflict(
        f"{path}: {name} was replaced meanwhile by another process: nothing was committed; run the "
        "command again"
    )


def _tell_data_path(db: sqlite3.Connection, path: Path) -> None:
    """Keep the catalog's data path that of the store, which may have been moved."""
    data = f"{path.parent / 'data'}/"
    db.execute(
        "UPDATE ducklake_metadata SET value = ?1 WHERE key = 'data_path' AND value <> ?1", (data,)
    )


def _end(db: sqlite3.Connection, path: Path, file: LiveFile, snapshot: int) -> None:
    ended = db.execute(
        "UPDATE ducklake_data_file SET end_snapshot = ? "
        "WHERE data_file_id = ? AND path = ? AND end_snapshot IS NULL",
        (snapshot, file.file_id, file.name),
    )
    if ended.rowcount != 1:
        raise _replaced(path, file.name)


def _add_files(
    db: sqlite3.Connection, layout: Layout, files: Sequence[DataFile], snapshot: int, file_id: int
) -> None:
    first_row = db.execute(
        "SELECT coalesce(max(next_row_id), 0) FROM ducklake_table_stats WHERE table_id = ?",
        (layout.table_id,),
    ).fetchone()[0]
    for number, file in enumerate(files, start=file_id):
        insert(
            db,
            "data_file",
            (
                *(number, layout.table_id, snapshot, None, None, file.name, 1, "parquet"),
                *(file.rows, file.size_bytes, file.footer_bytes, first_row),
                *(None, None, None, None),
            ),
        )
        insert(
            db,
            "file_column_stats",
            *(
                (number, layout.table_id, layout.field_ids[name], *stats, None)
                for name, stats in file.stats.items()
            ),
        )
        db.execute("INSERT INTO l7meter_file VALUES (?, ?)", (number, file.blake3))
        first_row += file.rows


def _update_statistics(
    db: sqlite3.Connection,
    table: str,
    layout: Layout,
    added: Sequence[DataFile],
    removed: Sequence[LiveFile],
) -> None:
    """Widen the table's statistics by the new files; ended ones need not narrow them."""
    key = (layout.table_id,)
    rows, row_id, size = db.execute(
        "SELECT coalesce(sum(record_count), 0), coalesce(sum(next_row_id), 0), "
        "coalesce(sum(file_size_bytes), 0) FROM ducklake_table_stats WHERE table_id = ?",
        key,
    ).fetchone()
    earlier_rows, new_rows = rows, sum(f.rows for f in added)
    rows += new_rows - sum(f.rows for f in removed)
    size += sum(f.size_bytes for f in added) - sum(f.size_bytes for f in removed)
    db.execute("DELETE FROM ducklake_table_stats WHERE table_id = ?", key)
    insert(db, "table_stats", (layout.table_id, rows, row_id + new_rows, max(size, 0)))
    if not added:
        return
    current = {
        row[0]: row[1:]
        for row in db.execute(
            "SELECT column_id, contains_null, contains_nan, min_value, max_value "
            "FROM ducklake_table_column_stats WHERE table_id = ?",
            key,
        )
    }
    db.execute("DELETE FROM ducklake_table_column_stats WHERE table_id = ?", key)
    unseen = (int(earlier_rows > 0), None, None, None)  # a column newer than those rows
    widened = []
    for column in TABLES[table]:
        field_id = layout.field_ids[column.name]
        null, nan, lower, upper = current.pop(field_id, unseen)
        for file in added:
            stats = file.stats[column.name]
            null = int(bool(null or stats.nulls))
            if column.type == "double":
                nan = int(bool(nan or stats.contains_nan))
            lower = lowest(column, lower, stats.lower)
            upper = highest(column, upper, stats.upper)
        widened.append((layout.table_id, field_id, null, nan, lower, upper, None))
    widened += [(layout.table_id, field_id, *row, None) for field_id, row in current.items()]
    insert(db, "table_column_stats", *widened)
