"""Samples and sums of records files are made, and go with their files."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable
from itertools import product
from pathlib import Path

import duckdb

from l7meter.errors import StoreError
from l7meter.store import samples
from l7meter.store.datafile import TEMPORARY, synced
from l7meter.store.store import Store
from l7meter.store.views import quote, scan, spill_to_disk

ROWS = 100_000  # a file of fewer is read in no time
GRACE_SECONDS = 24 * 3600.0


def keep(store: Store, *, rows: int = ROWS) -> int:
    """Make what large records files lack of samples and sums, and remove those of files that are gone.

    Gives how many files got them. Files of fewer than `rows` records have none. Raises `StoreError` where
    they cannot be made; what is there stays of use.
    """
    files = [f for f in store.files("records") if f.rows >= rows and f.rows_until is None]
    done = samples.kept(store.data, files)
    sweep(store.data)
    missing = [f for f in files if f.name not in done]
    if not missing:
        return 0
    layout = store.with_all_columns()["records"]
    try:
        samples.folder(store.data).mkdir(parents=True, exist_ok=True)
        with duckdb.connect() as con:
            con.execute("SET TimeZone = 'UTC'")
            spill_to_disk(con)
            for file in missing:
                sample, sums = samples.paths(store.data, file.name)
                records = scan(store, "records", layout, [file])
                con.execute(f"CREATE OR REPLACE TEMP TABLE sums AS {samples.summed(records)}")
                ((mean,),) = con.execute(
                    "SELECT coalesce(sum(server_bytes) / sum(requests) FILTER (server_bytes IS NOT NULL), 0) FROM sums"
                ).fetchall()
                _write(con, samples.sampled(records, float(mean)), sample)
                _write(con, "FROM sums", sums)  # the last: where it is, both are
    except (OSError, duckdb.Error) as error:
        raise StoreError(
            f"{store.path}: no sample of the records can be kept: {error}; make room, or check them with "
            "'l7meter store verify', and run it again; everything else is done"
        ) from error
    return len(missing)


def _write(con: duckdb.DuckDBPyConnection, rows: str, path: Path) -> None:
    partial = path.with_name(f"{uuid.uuid4().hex}{TEMPORARY}")
    try:
        con.execute(f"COPY ({rows}) TO {quote(partial)} (FORMAT parquet, COMPRESSION zstd)")
        synced(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def sweep(data: Path) -> None:
    """Remove samples whose records file is there no more, those of other versions, and what killed runs left."""
    root, used = data / samples.FOLDER, samples.folder(data)
    if not root.is_dir():
        return
    files = [path.name for path in (data / "records").iterdir()]
    known = {used / path.name for name in files for path in samples.paths(data, name)}
    for path in root.glob("*/*"):
        if path not in known and not (path.suffix == TEMPORARY and _recent(path)):
            path.unlink(missing_ok=True)
    for place in root.iterdir():
        if place != used and not any(place.iterdir()):
            place.rmdir()


def _recent(path: Path) -> bool:
    """Whether another process may be writing to it."""
    try:
        return path.stat().st_mtime > time.time() - GRACE_SECONDS
    except FileNotFoundError:
        return False


def remove(data: Path, gone: Iterable[Path]) -> None:
    """Remove what any version made of records files that are gone."""
    places = [*(data / samples.FOLDER).glob("*/")]
    for file in gone if places else ():
        if file.parent.name == "records":
            for made, place in product(samples.paths(data, file.name), places):
                (place / made.name).unlink(missing_ok=True)
