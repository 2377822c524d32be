"""A trace by object: what each request asked for, when it was asked for last, and what it costs anew."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from l7meter.analysis.whatif.stack import NEVER, Bools, Ints

WHOLE, PART, LOOK = 0, 1, 2  # 200 to a GET; 206 to a GET; 304, or HEAD
SAME_WITHIN = 64  # octets by which the header section of one and the same response varies


@dataclass
class Objects:
    """Requests sorted by object and then by time.

    `place` is a request's place in the order of scope and time, `scope` the number of its scope,
    `first` whether its object begins with it, `action` one of `WHOLE`, `PART`, `LOOK`; `octets` were
    sent, `size` is the object's: its largest whole response, `NEVER` if no such was seen: nobody knows
    its size, and no cache keeps it. `earlier` is the row of the last
    request before that fetched or renewed the object (-1: none), `version` counts how often its
    whole response had another size than before. Of a sample, `times` says for how many requests each
    stands, and `copies` for how many objects its object does.
    """

    place: Ints
    scope: NDArray[np.int32]
    first: Bools
    ts: Ints
    kind: NDArray[np.uint8]
    action: NDArray[np.uint8]
    octets: Ints
    size: Ints
    earlier: Ints
    version: NDArray[np.int32]
    times: NDArray[np.float64] | None = None
    copies: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.place)

    @property
    def keeps(self) -> Bools:
        """Whether a cache fetches the object where it has it not."""
        keeps: Bools = self.action != LOOK
        return keeps


def objects(frame: pl.DataFrame, scopes: NDArray[np.int32]) -> Objects:
    """The objects of a trace with `scope`, `ts`, `key`, `kind`, `action` and `octets`, by scope and time.

    `scopes` is the number of the scope of each row.
    """
    key, scope = frame["key"].to_numpy(), frame["scope"].to_numpy()
    key = key ^ (scope * np.uint64(0x9E3779B97F4A7C15))
    place = np.argsort(key, kind="stable")
    key, scope = key.take(place), scope.take(place)
    first = np.ones(len(key), np.bool_)
    first[1:] = (key[1:] != key[:-1]) | (scope[1:] != scope[:-1])
    del key, scope
    action = frame["action"].to_numpy().take(place)
    octets = frame["octets"].to_numpy().take(place)
    starts = np.flatnonzero(first)
    rows = np.diff(starts, append=len(first))
    largest = np.maximum.reduceat(np.where(action == WHOLE, octets, -1), starts) if len(starts) else octets  # fmt: skip
    size = np.repeat(np.where(largest >= 0, largest, NEVER), rows)
    begin = np.repeat(starts, rows)
    version = _versions(begin, action, octets)
    earlier = _last_before(begin, action != LOOK)
    del begin
    earlier[size == NEVER] = -1
    times = copies = None
    if "chance" in frame.columns:
        times = 1 / frame["chance"].to_numpy().take(place)
        copies = np.repeat(np.minimum.reduceat(times, starts), rows) if len(starts) else times
    return Objects(
        place,
        scopes.take(place),
        first,
        frame["ts"].to_numpy().take(place),
        frame["kind"].to_numpy().take(place),
        action,
        octets,
        size,
        earlier,
        version,
        times,
        copies,
    )


def _last_before(begin: Ints, wanted: Bools) -> Ints:
    """The last wanted row before each of the same object, which begins at `begin`; -1 where there is none."""
    before = np.empty(len(begin), np.int64)
    before[:1] = -1
    before[1:] = np.arange(len(before[1:]))
    np.copyto(before[1:], -1, where=~wanted[:-1])
    np.maximum.accumulate(before, out=before)
    np.copyto(before, -1, where=before < begin)
    return before


def _versions(begin: Ints, action: NDArray[np.uint8], octets: Ints) -> NDArray[np.int32]:
    whole = action == WHOLE
    before = _last_before(begin, whole)
    whole &= before >= 0
    whole &= np.abs(octets - octets.take(before, mode="wrap")) > SAME_WITHIN
    return np.cumsum(whole, dtype=np.int32)
