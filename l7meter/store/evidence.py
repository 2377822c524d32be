"""What a store stands for at a snapshot: one digest that any copy of it has, and which files differ."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import NamedTuple

from blake3 import blake3

from l7meter.store import accept, catalog
from l7meter.store.accept import LiveFile
from l7meter.store.catalog import head
from l7meter.store.datafile import digest
from l7meter.store.store import Store
from l7meter.store.verify_usage import Problem


class Evidence(NamedTuple):
    """The state of a store: its snapshot, how many files hold a period, and a BLAKE3 of what they hold.

    The digest is of a line for each file, `table name blake3`, in order; of files that another program wrote,
    whose digest nobody kept, it is made now.
    """

    snapshot: int
    files: int
    digest: str


def evidence(path: str | Path, first: date, last: date, snapshot: int | None = None) -> Evidence:
    """What stands behind figures of some UTC days: files of records and of sums that may have rows of them.

    Raises `StoreError` where the store cannot be read, or has no such snapshot any longer.
    """
    store = Store.open(path)
    at, files = _files(store, first, last, snapshot)
    lines = [f"{f.table} {f.name} {known or digest(store.path_of(f))}" for f, known in files]
    return Evidence(at, len(files), blake3("\n".join(sorted(lines)).encode()).hexdigest())


def differing(path: str | Path, first: date, last: date, snapshot: int) -> list[Problem]:
    """The files behind figures of some days that are not as they were written, read to their last octet."""
    store = Store.open(path)
    _, files = _files(store, first, last, snapshot)
    problems = []
    for file, known in files:
        where, place = store.path_of(file), f"data/{file.table}/{file.name}"
        if not where.is_file():
            problems.append(Problem("missing", place, "restore it"))
        elif known and digest(where) != known:
            problems.append(Problem("content", place, "its content changed since it was written; restore it"))  # fmt: skip
    return problems


def _files(
    store: Store, first: date, last: date, snapshot: int | None
) -> tuple[int, list[tuple[LiveFile, str | None]]]:
    low, high = str(first), f"{last}~"
    with catalog.reading(store.catalog) as db:
        at = head(db).number if snapshot is None else snapshot
        found = [
            file
            for table, layout in accept.layouts(db, store.catalog).items()
            if table != "rejects"
            for file in accept.live_files(db, store.catalog, table, layout, at)
            if file.lower is None or ((file.upper or "~") >= low and file.lower <= high)
        ]
        known = dict(db.execute("SELECT data_file_id, blake3 FROM l7meter_file").fetchall())
    return at, [(file, known.get(file.file_id)) for file in found]
