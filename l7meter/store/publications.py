"""What was published of a store, and which days a publication may no longer be right of."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from l7meter.store import accept, catalog, side
from l7meter.store.accept import day_of
from l7meter.store.ledger import instant
from l7meter.store.store import Store

DAY = timedelta(days=1)


class Publication(NamedTuple):
    """A file that was written of a period, its last day included (None: of everything), as of a snapshot."""

    name: str
    path: str
    first_day: date | None
    last_day: date | None
    snapshot: int


class Standing(NamedTuple):
    """Where a store stands, for who publishes of it.

    `changed` has the closed days, each with the snapshot by which it became what it is; `moving` the
    days whose sums still have to follow the records: not closed, or restated and not settled since.
    Records of days before `horizon` are gone.
    """

    snapshot: int
    changed: dict[date, int]
    moving: frozenset[date]
    horizon: date | None
    publications: dict[tuple[str, str], Publication]


def standing(path: str | Path) -> Standing:
    """The state of the store at `path`, all of it as of one moment."""
    store = Store.open(path)
    with catalog.reading(store.catalog) as db:
        at = catalog.head(db).number
        days = side.days(db)
        changed = {each.day: each.closed_snapshot for each in days}
        moving = {each.day for each in days if not each.settled}
        moving |= {day + DAY for day in moving} & changed.keys()
        # The day after looks a day back for what was fetched again.
        for day, snapshot in _restatements(db):
            for touched in {day, day + DAY} & changed.keys():
                changed[touched] = max(changed[touched], snapshot)
        layouts = accept.layouts(db, store.catalog)
        for table in {"records", "usage_daily"} & layouts.keys():
            files = accept.live_files(db, store.catalog, table, layouts[table], at)
            moving |= set(_days(f for f in files if not f.covered)) - changed.keys()
        return Standing(at, changed, frozenset(moving), side.horizon(db), _publications(db))


def record(path: str | Path, publication: Publication, at: datetime) -> None:
    """Note what was published, in place of what was noted of the same file before."""
    store = Store.open(path)
    name, file, first, last, snapshot = publication
    days = (str(day) if day else None for day in (first, last))
    with catalog.writing(store.catalog) as db:
        side.ensure(db)
        row = (name, file, *days, snapshot, instant(at.astimezone(UTC)))
        db.execute("INSERT OR REPLACE INTO l7meter_published VALUES (?, ?, ?, ?, ?, ?)", row)


def _restatements(db: sqlite3.Connection) -> list[tuple[date, int]]:
    if not side.there(db, "l7meter_restatement"):
        return []
    found = db.execute("SELECT day, max(snapshot_id) FROM l7meter_restatement GROUP BY day")
    return [(date.fromisoformat(day), snapshot) for day, snapshot in found]


def _publications(db: sqlite3.Connection) -> dict[tuple[str, str], Publication]:
    if not side.there(db, "l7meter_published"):
        return {}
    found = db.execute("SELECT name, path, first_day, last_day, snapshot_id FROM l7meter_published")
    return {
        (name, path): Publication(
            name,
            path,
            date.fromisoformat(first) if first else None,
            date.fromisoformat(last) if last else None,
            snapshot,
        )
        for name, path, first, last, snapshot in found
    }


def _days(files: Iterator[accept.LiveFile]) -> Iterator[date]:
    """The days that files have rows of, or may have."""
    for file in files:
        if first := day_of(file):
            last = date.fromisoformat((file.upper or str(first))[:10])
            yield from (first + DAY * n for n in range((last - first).days + 1))
