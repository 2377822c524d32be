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


def objects(frame: pl.DataFrame, scopes: Ints) -> Objects:
    """The objects of a trace with `scope`, `ts`, `key`, `kind`, `action` and `octets`, by scope and time.

    `scopes` is the number of the scope of each row.
    """
    key, scope = frame["key"].to_numpy(), frame["scope"].to_numpy()
    place = np.argsort(key ^ (scope * np.uint64(0x9E3779B97F4A7C15)), kind="stable")
    key, scope = key[place], scope[place]
    first = np.ones(len(key), np.bool_)
    first[1:] = (key[1:] != key[:-1]) | (scope[1:] != scope[:-1])
    del key, scope
    action = frame["action"].to_numpy()[place]
    octets = frame["octets"].to_numpy()[place]
    starts = np.flatnonzero(first)
    largest = np.maximum.reduceat(np.where(action == WHOLE, octets, -1), starts) if len(starts) else octets  # fmt: skip
    size = np.where(largest >= 0, largest, NEVER)[np.cumsum(first) - 1]
    earlier = _last_before(first, action != LOOK)
    earlier[size == NEVER] = -1
    times = copies = None
    if "chance" in frame.columns:
        times = 1 / frame["chance"].to_numpy()[place]
        copies = np.minimum.reduceat(times, starts)[np.cumsum(first) - 1] if len(starts) else times
    return Objects(
        place,
        scopes[place].astype(np.int32),
        first,
        frame["ts"].to_numpy()[place],
        frame["kind"].to_numpy()[place],
        action,
        octets,
        size,
        earlier,
        _versions(first, action, octets),
        times,
        copies,
    )


def _last_before(first: Bools, wanted: Bools) -> Ints:
    """The last wanted row before each of the same object; -1 where there is none."""
    rows = np.arange(len(first))
    last = np.maximum.accumulate(np.where(wanted, rows, -1))
    before = np.empty_like(last)
    before[:1] = -1
    before[1:] = last[:-1]
    begin = np.maximum.accumulate(np.where(first, rows, 0))
    before[before < begin] = -1
    return before


def _versions(first: Bools, action: NDArray[np.uint8], octets: Ints) -> NDArray[np.int32]:
    whole = action == WHOLE
    before = _last_before(first, whole)
    changed = whole & (before >= 0) & (np.abs(octets - octets[before]) > SAME_WITHIN)
    return np.cumsum(changed, dtype=np.int32)
