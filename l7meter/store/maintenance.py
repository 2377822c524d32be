"""Keeping a store small and clean: repair, compact, expire."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb

from l7meter.errors import StoreError, UsageError
from l7meter.store import accept, catalog
from l7meter.store.accept import LiveFile
from l7meter.store.catalog import TABLES
from l7meter.store.datafile import ROW_GROUP_ROWS, finish, new_path
from l7meter.store.store import Store
from l7meter.store.verify import orphans
from l7meter.store.views import quote, scan, spill_to_disk
from l7meter.store.writers import nobody_writes

GRACE_SECONDS = 24 * 3600.0
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
            for path in found:
                path.unlink(missing_ok=True)
    return found


def _modified(path: Path) -> float:
    """When a file was last written to; now, if its writer has just renamed it."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return time.time()


def compact(
    store: Store,
    table: str = "records",
    *,
    max_bytes: int = 128 * 1024**2,
    max_rows: int = 5_000_000,
    memory: str = "2GB",
) -> list[int]:
    """Merge small files that are neighbours in time; gives the snapshots, one for each new file.

    New files hold up to `max_bytes` and `max_rows` and are sorted by `ts`; sorting uses up to
    `memory` and then the disk. The old files stay until `expire`. Appends go on meanwhile;
    `StoreError` if another process replaces the same files.
    """
    small = [
        file
        for file in store.files(table)
        if file.size_bytes < max_bytes / 2 and file.rows < max_rows / 2
    ]
    return [_merge(store, table, group, memory) for group in _groups(small, max_bytes, max_rows)]


def _groups(files: Sequence[LiveFile], max_bytes: int, max_rows: int) -> Iterator[list[LiveFile]]:
    group: list[LiveFile] = []
    for file in files:
        size = sum(f.size_bytes for f in group) + file.size_bytes
        rows = sum(f.rows for f in group) + file.rows
        if group and (size > max_bytes or rows > max_rows):
            if len(group) > 1:
                yield group
            group = []
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
    return store.replace(files, [merged], message=f"compact {len(files)} files")


def expire(store: Store, keep: int) -> list[Path]:
    """End time travel before snapshot `keep`; removes the files that no later snapshot has.

    Gives their paths. A connection made before may then miss files. `UsageError` if there is no
    such snapshot.
    """
    with catalog.writing(store.catalog) as db:
        if not db.execute(
            "SELECT 1 FROM ducklake_snapshot WHERE snapshot_id = ?", (keep,)
        ).fetchone():
            raise UsageError(
                f"{store.path}: no snapshot {keep}; the latest is {catalog.head(db).number}"
            )
        ended = db.execute(
            "SELECT data_file_id, table_name, f.path FROM ducklake_data_file f "
            "JOIN ducklake_table USING (table_id) WHERE f.end_snapshot <= ?",
            (keep,),
        ).fetchall()
        for file_id, _, _ in ended:
            for name in ("ducklake_data_file", "ducklake_file_column_stats", "l7meter_file"):
                db.execute(f"DELETE FROM {name} WHERE data_file_id = ?", (file_id,))
        for name in ("ducklake_snapshot", "ducklake_snapshot_changes"):
            db.execute(f"DELETE FROM {name} WHERE snapshot_id < ?", (keep,))
        db.execute("DELETE FROM l7meter_source WHERE end_snapshot <= ?", (keep,))
    paths = [store.data / table / name for _, table, name in ended]
    for path in paths:
        path.unlink(missing_ok=True)
    return paths
