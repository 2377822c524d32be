"""Time cut where anything that attribution stands on begins or ceases to hold.

An address means who held it *then*: records of one day are concluded with the snapshots, pins,
declarations and curated hunks that hold on it. Between two cuts nothing changes, so a frame of records
is concluded at once, unless a cut falls inside of it.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from threading import Lock

import numpy as np
import polars as pl
from numpy.typing import NDArray

from l7meter.attribution.declared import Declared
from l7meter.attribution.ground import Ground
from l7meter.attribution.organization_table import table
from l7meter.attribution.reference.choosing import at_hand, chosen, read_pins
from l7meter.attribution.reference.shelf import Shelf

_DAY = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Eras:
    """The grounds of all days, by a shelf of reference data and a file of declarations."""

    def __init__(self, shelf: Shelf, declared: Declared) -> None:
        self._shelf = shelf
        self._declared = declared
        self._snapshots = at_hand(shelf)
        self._pins = read_pins(shelf)
        self._grounds: dict[int, Ground] = {}
        self._lock = Lock()

    @cached_property
    def cuts(self) -> list[date]:
        """The days on which something begins or ceases to hold, ascending."""
        days = {each.as_of for each in self._snapshots} | set(self._declared.days())
        days |= {day for pin in self._pins for day in (pin.since, pin.until)}
        for hunk in table().organizations:
            if hunk.valid_from:
                days.add(hunk.valid_from)
            if hunk.valid_to:
                days.add(hunk.valid_to + _DAY)
        return sorted(days)

    @cached_property
    def _instants(self) -> NDArray[np.int64]:
        midnights = (datetime.combine(day, time(), UTC) for day in self.cuts)
        return np.array(
            [(each - _EPOCH) // timedelta(microseconds=1) for each in midnights], np.int64
        )

    def places(self, ts: pl.Series) -> NDArray[np.int64]:
        """The era of each instant (µs, UTC); what has no time is of the last one.

        One place alone where all are of one era.
        """
        low, high = ts.min(), ts.max()
        if low is None:
            return np.array([len(self.cuts)])
        ends = np.searchsorted(self._instants, _micros(pl.Series([low, high], dtype=ts.dtype)), "right")  # fmt: skip
        if ends[0] == ends[1] and (not ts.null_count() or ends[0] == len(self.cuts)):
            return ends[:1].astype(np.int64)
        places = np.searchsorted(self._instants, _micros(ts), "right").astype(np.int64)
        places[ts.is_null().to_numpy()] = len(self.cuts)
        return places

    def ground(self, place: int) -> Ground:
        """What holds in an era."""
        with self._lock:
            if place not in self._grounds:
                day = self.cuts[place - 1] if place else self.cuts[0] - _DAY
                made = Ground(day, chosen(self._snapshots, self._pins, day), self._shelf, self._declared)  # fmt: skip
                # eras that stand on the same share what was read of it
                same = (each for each in self._grounds.values() if each.id == made.id)
                self._grounds[place] = next(same, made)
        return self._grounds[place]

    def on(self, day: date) -> Ground:
        """What holds on a day."""
        return self.ground(sum(cut <= day for cut in self.cuts))


def _micros(ts: pl.Series) -> NDArray[np.int64]:
    return ts.dt.epoch("us").fill_null(0).to_numpy()
