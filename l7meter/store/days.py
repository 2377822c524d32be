"""The UTC days of a store: open, closed, restated."""

from __future__ import annotations

from datetime import date, datetime
from typing import NamedTuple

from l7meter.store import catalog, side
from l7meter.store.store import Store


class Day(NamedTuple):
    """A day of which there are records or sums; `settled`: nothing of its sums is outstanding."""

    day: date
    state: str  # open, closed, restated
    settled: bool
    closed_at: datetime | None = None
    restatements: int = 0
    restated_at: datetime | None = None


class Restatement(NamedTuple):
    """A commit that changed a closed day, by so many records and octets of `server_bytes`."""

    day: date
    snapshot: int
    at: datetime
    cause: str
    records: int
    server_bytes: int


def day_states(store: Store) -> list[Day]:
    """All days, in order; those that only records have which no rollup covers yet are open, too."""
    found = {day: Day(day, "open", settled=False) for day in store.summed_days()}
    covered = store.covered()
    for file in store.files("records"):
        for text in () if file.file_id in covered else (file.lower, file.upper):
            if text and text[:4].isdigit():
                day = date.fromisoformat(text[:10])
                found.setdefault(day, Day(day, "open", settled=False))
    for each in store.days():
        found[each.day] = Day(each.day, each.state, each.settled, each.closed_at, each.restatements, each.restated_at)  # fmt: skip
    return [found[day] for day in sorted(found)]


def restatements(store: Store) -> list[Restatement]:
    """What changed in closed days, in order of commit."""
    with catalog.reading(store.catalog) as db:
        if not side.there(db, "l7meter_restatement"):
            return []
        rows = db.execute(
            "SELECT day, snapshot_id, at, cause, records, server_bytes FROM l7meter_restatement "
            "ORDER BY rowid"
        ).fetchall()
    return [
        Restatement(date.fromisoformat(day), snapshot, datetime.fromisoformat(at), *rest)
        for day, snapshot, at, *rest in rows
    ]
