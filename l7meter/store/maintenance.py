"""Keeping a store small and clean: repair, compact, expire."""

from __future__ import annotations

import os
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from sqlite3 import Connection

import duckdb

from l7meter.errors import Conflict, StoreError, UsageError
from l7meter.store import accept, catalog, side
from l7meter.store.accept import LiveFile
from l7meter.store.catalog import TABLES
from l7meter.store.datafile import ROW_GROUP_ROWS, finish, new_path
from l7meter.store.sampling import remove
from l7meter.store.store import Store
from l7meter.store.verify import orphans
from l7meter.store.views import quote, scan, spill_to_disk
from l7meter.store.writers import nobody_writes

GRACE_SECONDS = 24 * 3600.0
MAX_BYTES = 128 * 1024**2
MAX_ROWS = 5_000_000
_OURS = re.compile(r"[0-9a-f]{32}\.(tmp|parquet)")


def repair(store: Store, dry_run: bool = False, grace_seconds: float = GRACE_SECONDS) -> list[Path]:
    """Remove the files that no snapshot refers to: what a killed writer left. Gives their paths.

    While a writer is at work, and for files that l7meter did not write, only those older than
    `grace_seconds`. `dry_run` removes nothing.
    """
    with nobody_writes(store.path) as alone:
        spared = time.time() - grace_seconds
        found = [
            path
            for path in orphans(store)
            if (alone and _OURS.fullmatch(path.name)) or _modified(path) < spared
        ]
        if not dry_run:
            _remove(store, found)
    return found


def _remove(store: Store, paths: Iterable[Path]) -> None:
    """Remove files that nothing refers to (any more)."""
    kept = []
    for path in paths:
        try:
            path.unlink(missing_ok=True)
            remove(store.data, [path])
        except OSError as error:
            kept.append(f"{path.relative_to(store.path)}: {error.strerror}")
    if kept:
        raise StoreError(
            f"{store.path}: {len(kept):,} files cannot be removed ({kept[0]}); nothing refers to "
            "them: make the directory writable, then 'l7meter store repair' removes them"
        )


def _modified(path: Path) -> float:
    """When a file was last written to; now, if its writer has just renamed it."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return time.time()


def mergeable(
    store: Store,
    table: str = "records",
    *,
    max_bytes: int = MAX_BYTES,
    max_rows: int = MAX_ROWS,
    balanced: bool = False,
    by_day: bool | None = None,
) -> list[list[LiveFile]]:
    """The groups of small files, neighbours in time, of which `compact` makes one file each.

    `balanced` leaves those out that are larger than all others of their group together: a row is then
    written log2 n times, not n / 2 times, where n batches come one after another. With `by_day` the
    files of one UTC day (the one they begin on) stay apart from others, so that retention removes
    files and has few to write anew; by default where retention has removed records already. Only the
    last day is still coming in, so only that one is balanced.
    """
    if by_day is None:
        with catalog.reading(store.catalog) as db:
            by_day = side.horizon(db) is not None
    small = [
        file
        for file in store.files(table)
        if file.size_bytes < max_bytes / 2 and file.rows < max_rows / 2
    ]
    alike: dict[tuple[str, bool], list[LiveFile]] = defaultdict(list)
    for file in small:
        alike[_day(file) if by_day else "", file.covered].append(file)
    last = max((day for day, _ in alike), default="")
    groups: list[list[LiveFile]] = []
    for (day, _), files in alike.items():
        made = _groups(files, max_bytes, max_rows)
        groups += map(_without_large, made) if balanced and day == last else made
    return [group for group in groups if len(group) > 1]


def _day(file: LiveFile) -> str:
    """The UTC day that a file of records begins on; files of other tables are all alike."""
    return (file.lower or "")[:10] if file.table == "records" else ""


def _without_large(group: list[LiveFile]) -> list[LiveFile]:
    left = sorted(group, key=lambda file: file.rows)
    rest = sum(file.rows for file in left)
    while left and 2 * left[-1].rows > rest:
        rest -= left.pop().rows
    return [file for file in group if file in left]


def compact(
    store: Store,
    table: str = "records",
    *,
    max_bytes: int = MAX_BYTES,
    max_rows: int = MAX_ROWS,
    balanced: bool = False,
    by_day: bool | None = None,
    memory: str = "2GB",
    report: Callable[[int, int], None] | None = None,
) -> list[int]:
    """Merge small files that are neighbours in time; gives the snapshots, one for each new file.

    New files hold up to `max_bytes` and `max_rows` and are sorted by `ts`; sorting uses up to
    `memory` and then the disk. The old files stay until `expire`. Appends go on meanwhile;
    `StoreError` if another process replaces the same files. Each group is a commit of its own, so
    that a run that is killed keeps what it merged. `report` is told files merged, and of how many.
    """
    groups = mergeable(
        store, table, max_bytes=max_bytes, max_rows=max_rows, balanced=balanced, by_day=by_day
    )
    total, done, made = sum(map(len, groups)), 0, []
    for group in groups:
        made.append(_merge(store, table, group, memory))
        done += len(group)
        if report:
            report(done, total)
    return made


def _groups(files: Iterable[LiveFile], max_bytes: int, max_rows: int) -> Iterator[list[LiveFile]]:
    group: list[LiveFile] = []
    size = rows = 0
    for file in files:
        size, rows = size + file.size_bytes, rows + file.rows
        if group and (size > max_bytes or rows > max_rows):
            if len(group) > 1:
                yield group
            group, size, rows = [], file.size_bytes, file.rows
        group.append(file)
    if len(group) > 1:
        yield group


def _merge(store: Store, table: str, files: Sequence[LiveFile], memory: str) -> int:
    with catalog.reading(store.catalog) as db:
        layout = accept.layouts(db, store.catalog)[table]
    columns = {c.name: c for c in TABLES[table] if c.name in layout.field_ids}
    field_ids = ", ".join(f"{name}: {layout.field_ids[name]}" for name in columns)
    order = "ts, source_id, source_line" if table == "records" else "source_id, source_line"
    store.announce()
    partial = new_path(store.data / table)
    try:
        with duckdb.connect() as con:
            spill_to_disk(con)
            con.execute(f"SET memory_limit = {quote(memory)}")
            con.execute(f"SET threads = {min(os.cpu_count() or 1, 4)}")  # each holds a row group
            con.execute(
                f"COPY (SELECT {', '.join(columns)} FROM ({scan(store, table, layout, files)}) "
                f"ORDER BY {order}) TO {quote(partial)} (FORMAT parquet, COMPRESSION zstd, "
                f"ROW_GROUP_SIZE {ROW_GROUP_ROWS}, FIELD_IDS {{{field_ids}}})"
            )
        merged = finish(partial, table, columns, None)
    except (duckdb.IOException, duckdb.OutOfMemoryException, OSError) as error:
        partial.unlink(missing_ok=True)
        raise StoreError(
            f"{store.path}: cannot merge {len(files)} files: {error}; make room, or check the "
            "files with 'l7meter store verify', and run it again"
        ) from error
    covered = [merged.name] if files[0].covered else []  # as all of them
    try:
        return store.replace(files, [merged], message=f"compact {len(files)} files", covered=covered)  # fmt: skip
    except Conflict:
        store.path_of(merged).unlink()
        raise


def expire(
    store: Store,
    keep: int | None = None,
    *,
    before: datetime | None = None,
    dry_run: bool = False,
) -> list[Path]:
    """End time travel before snapshot `keep`; removes the files that no later snapshot has.

    Instead of `keep`, `before` (an instant with a zone) keeps every state that the store had since
    then, as `oldest_needed` says. Gives the paths, also if `dry_run` removes nothing. A connection
    made earlier that still wants one of them gets an error. The catalog forgets files before they
    are removed: a process that is killed leaves orphans for `repair`. `UsageError` if there is no
    such snapshot.
    """
    if (keep is None) == (before is None):
        raise UsageError("expire: give a snapshot to keep, or an instant, and not both")
    if before is not None:
        _check_zone(before)
    begin = catalog.reading if dry_run else catalog.writing
    with begin(store.catalog) as db:
        oldest = _oldest_needed(db, before) if keep is None and before else keep
        if not db.execute(
            "SELECT 1 FROM ducklake_snapshot WHERE snapshot_id = ?", (oldest,)
        ).fetchone():
            raise UsageError(
                f"{store.path}: no snapshot {oldest}; the latest is {catalog.head(db).number}"
            )
        ended = db.execute(
            "SELECT data_file_id, table_name, f.path FROM ducklake_data_file f "
            "JOIN ducklake_table USING (table_id) WHERE f.end_snapshot <= ?",
            (oldest,),
        ).fetchall()
        if not dry_run:
            _forget(db, [file_id for file_id, _, _ in ended], oldest)
    paths = [store.data / table / name for _, table, name in ended]
    if not dry_run:
        _remove(store, paths)
    return paths


def _forget(db: Connection, file_ids: Sequence[int], oldest: int | None) -> None:
    """Take files, and everything that ended by the snapshot `oldest`, out of the catalog."""
    for file_id in file_ids:
        for name in ("ducklake_data_file", "ducklake_file_column_stats", "l7meter_file"):
            db.execute(f"DELETE FROM {name} WHERE data_file_id = ?", (file_id,))
    for name in ("ducklake_snapshot", "ducklake_snapshot_changes"):
        db.execute(f"DELETE FROM {name} WHERE snapshot_id < ?", (oldest,))
    db.execute("DELETE FROM l7meter_source WHERE end_snapshot <= ?", (oldest,))
    if side.there(db, "l7meter_covered"):
        db.execute("DELETE FROM l7meter_covered WHERE end_snapshot <= ?", (oldest,))
    if not file_ids:
        return
    # bounds of a table hold values of rows that are gone: an address that was to be forgotten
    db.execute(
        """UPDATE ducklake_table_column_stats AS wide SET min_value = low, max_value = high FROM (
            SELECT s.table_id, s.column_id, min(min_value) AS low, max(max_value) AS high
            FROM ducklake_file_column_stats AS s JOIN ducklake_column AS c USING (table_id, column_id)
            WHERE column_type = 'varchar' GROUP BY s.table_id, s.column_id) AS file
        WHERE file.table_id = wide.table_id AND file.column_id = wide.column_id"""
    )


def oldest_needed(store: Store, before: datetime) -> int:
    """The oldest snapshot that was the latest at some moment since the instant `before`.

    A clock that went back makes it older, never younger.
    """
    _check_zone(before)
    with catalog.reading(store.catalog) as db:
        return _oldest_needed(db, before)


def _check_zone(moment: datetime) -> None:
    if moment.tzinfo is None:
        raise ValueError("an instant needs a zone")


def _oldest_needed(db: Connection, before: datetime) -> int:
    (oldest, _), *later = db.execute(
        "SELECT snapshot_id, snapshot_time FROM ducklake_snapshot ORDER BY snapshot_id"
    )
    for number, moment in later:
        if datetime.fromisoformat(moment) > before:
            break
        oldest = number
    return int(oldest)
