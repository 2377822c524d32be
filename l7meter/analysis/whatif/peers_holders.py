"""Who had an object before somebody asked for it: counted for each delivery, by columns."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

HOUR = 3_600_000_000  # µs
NEVER = np.int64(2**62)
_LONGEST = 2.0**61  # µs: times of several objects are put in one line no longer
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_SPREAD_TOO = np.uint64(0xC2B2AE3D27D4EB4F)


class Deliveries:
    """Deliveries of objects, by object and time; of objects that were delivered more than once.

    `frame` has `scope`, `key` (the object), `client` (UInt64 each) and `ts` (Int64, µs), by scope and
    time. `row` is a delivery's row in it, `begin` the place of its object's first one, `gap` the time since the
    last delivery of the object to the same client at an earlier instant (`NEVER`: none). Deliveries
    of one instant do not come one before the other.
    """

    def __init__(self, frame: pl.DataFrame) -> None:
        object_ = frame["key"].to_numpy() ^ (frame["scope"].to_numpy() * _SPREAD)
        row = np.argsort(object_, kind="stable")
        object_ = object_[row]
        first = _changes(object_)
        several = ~(first & np.append(first[1:], True))
        self.row, object_, first = row[several], object_[several], first[several]
        self.ts: Ints = frame["ts"].to_numpy()[self.row]
        self.begin: Ints = np.maximum.accumulate(np.where(first, np.arange(len(first)), 0))
        self._first = first
        client = frame["client"].to_numpy()[self.row]
        self._by_client(object_ ^ (client * _SPREAD_TOO))

    def __len__(self) -> int:
        return len(self.row)

    def _by_client(self, pair: NDArray[np.uint64]) -> None:
        """Times between one delivery and the next to the same client."""
        order = np.argsort(pair, kind="stable")
        first, ts = _changes(pair[order]), self.ts[order]
        fresh = first.copy()  # not of the same instant as the one before
        fresh[1:] |= ts[1:] != ts[:-1]
        places = np.flatnonzero(fresh)
        between = np.full(len(places), NEVER)
        between[1:] = np.where(first[places[1:]], NEVER, ts[places[1:]] - ts[places[:-1]])
        until_next = np.append(between[1:], NEVER)[: len(between)]
        which = np.cumsum(fresh) - 1
        self.gap, self._after = np.empty(len(ts), np.int64), np.empty(len(ts), np.int64)
        self._fresh = np.empty(len(ts), np.bool_)
        self.gap[order], self._after[order] = between[which], until_next[which]
        self._fresh[order] = fresh

    def holders(self, window: int, places: Ints | None = None, ahead: int | Ints = 0) -> Ints:
        """How many clients got the object within `window` µs before the deliveries at `places` (all), or before
        the instants `ahead` of these by no more than the window.

        A client holds an object in spells: from a delivery that comes later than the window after the last
        one, until the window after one that none follows within it. Those who hold at an instant are the
        spells that began before it without those that ended before it; both are differences of running sums.
        """
        chosen = np.arange(len(self)) if places is None else places
        when = np.broadcast_to(np.asarray(ahead, np.int64), chosen.shape)
        begun = _running(self._fresh & (self.gap > window))
        ended = _running(self._fresh & (self._after > window))
        step = np.diff(self.ts, prepend=0)
        np.minimum(step, window + 1, out=step)
        step[self._first] = window + 1
        found = np.empty(len(chosen), np.int64)
        for first, last in self._lines(step):
            line = np.cumsum(step[first:last])  # apart as in time, within the window
            here = slice(None) if last - first == len(self) else (chosen >= first) & (chosen < last)
            at = line[chosen[here] - first] + when[here]
            now = first + np.searchsorted(line, at)
            past = first + np.searchsorted(line, at - window)
            begin = self.begin[chosen[here]]
            found[here] = begun[now] - begun[begin] - ended[past] + ended[begin]
        return found

    def _lines(self, step: Ints) -> list[tuple[int, int]]:
        """Where lines of whole objects begin and end: one of them, but for long windows."""
        line = (np.cumsum(step, dtype=np.float64) // _LONGEST)[self.begin]
        edges = [0, *(np.flatnonzero(np.diff(line)) + 1).tolist(), len(line)]
        return list(pairwise(edges))


def _changes(values: NDArray[np.uint64]) -> Bools:
    changes = np.ones(len(values), np.bool_)
    changes[1:] = values[1:] != values[:-1]
    return changes


def _running(events: Bools) -> Ints:
    """How many events are before each place."""
    sums = np.zeros(len(events) + 1, np.int64)
    np.cumsum(events, out=sums[1:])
    return sums
