"""The UTC days of a store: open, closed, restated."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import NamedTuple

from l7meter.store import catalog, side
from l7meter.store.accept import in_calendar
from l7meter.store.side import DayState
from l7meter.store.store import Store


class Restatement(NamedTuple):
    """A commit that changed a closed day, by so many records and octets of `server_bytes`."""

    day: date
    snapshot: int
    at: datetime
    cause: str
    records: int
    server_bytes: int


def midnight(day: date) -> datetime:
    """The instant at which a UTC day begins."""
    return datetime.combine(day, time(), UTC)


def day_states(store: Store) -> list[DayState]:
    """All days, in order; those that only records have which no rollup covers yet are open, too."""
    found = {day: DayState(day) for day in store.summed_days()}
    for file in store.files("records"):
        for text in () if file.covered else (file.lower, file.upper):
            if text and in_calendar(text):
                day = date.fromisoformat(text[:10])
                found.setdefault(day, DayState(day))
    found |= {each.day: each for each in store.days()}
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
