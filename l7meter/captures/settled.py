"""Connections that are over and wait for stragglers, as columns: their last exchanges, and sums.

A packet that comes late is the last exchange's, and may change what is said of it. So a settled
connection waits as long as one of the exact path does, and becomes one should a packet come.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from l7meter.captures.base import Moment
from l7meter.captures.connection import Connection
from l7meter.captures.exact import LINGER, Pair, pair_of
from l7meter.captures.lane import Lane, Tiles
from l7meter.captures.records import address
from l7meter.captures.run import Past
from l7meter.captures.sums import Sums
from l7meter.captures.view import View
from l7meter.captures.whole import Whole
from l7meter.captures.window import Integers, Rows

MOST = 200_000  # that wait; beyond, the earliest wait no more
LIMIT = "closed connections that wait for stragglers"


class _Batch(NamedTuple):
    """Connections of one window; columns of two rows are of the opener and of the other end."""

    last: pl.DataFrame  # exchange of each
    pairs: list[Pair]  # (opener, other)
    waiting: Rows
    moments: tuple[Integers, Integers]  # time and packet, by row: first, last, the FINs of both
    sequence: Integers  # two each: `following`, `octets`, `acknowledged` of `Whole`
    wire: Integers  # two each: before the last exchange, up to its end, of all


class Settled:
    """Adds up to what the exact path would have said of them; `sums` are those of the capture."""

    def __init__(self, sums: Sums) -> None:
        self._sums = sums
        self._batches: dict[int, _Batch] = {}
        self._places: dict[Pair, tuple[int, int]] = {}
        self._next = 0

    def __contains__(self, pair: Pair) -> bool:
        return pair in self._places

    def settle(
        self, view: View, lane: Lane, made: Whole, ends: Sequence[Pair]
    ) -> Iterator[pl.DataFrame]:
        """Take these connections of a window, and give their exchanges but for the last ones."""
        runs, tiles = view.runs, made.tiles
        first, behind = (runs.connection[made.connection + more] for more in (0, 1))
        last = np.cumsum(tiles) - 1
        number = np.arange(tiles.sum()) - np.repeat(last + 1 - tiles, tiles)
        places = np.repeat(made.place, tiles) + 2 * number
        upto = lane.came(places) + 1
        senders = np.array([made.opener, 1 - made.opener])
        begun = lane.wire(senders, first)
        total = lane.wire(senders, behind) - begun
        passed = lane.wire(np.repeat(senders, tiles, axis=1), upto) - np.repeat(begun, tiles, axis=1)  # fmt: skip
        before = np.where(number > 0, np.roll(passed, 1, axis=1), 0)
        own = passed - before
        own[:, last] = total - before[:, last]
        who = [(address(one[0]), one[1], address(other[0]), other[1]) for one, other in ends]
        frame = lane.frame(Tiles(places, own[0], own[1], who, tiles))
        closing = np.zeros(len(places), np.bool_)
        closing[last] = True
        packets = runs.rows[np.array([first, behind - 1, *made.fins])]
        self._batches[self._next] = _Batch(
            frame.filter(closing),
            list(ends),
            np.ones(len(ends), np.bool_),
            (view.window.time[packets], view.window.number + packets),
            np.array([made.following, made.octets, made.acknowledged]),
            np.array([before[:, last], passed[:, last], total]),
        )
        self._places |= {pair_of(*each): (self._next, n) for n, each in enumerate(ends)}
        self._next += 1
        yield frame.filter(~closing)
        while len(self._places) > MOST:
            oldest = self._batches.pop(next(iter(self._batches)))
            self._sums.limits[LIMIT] += int(oldest.waiting.sum())
            yield self._given(oldest, oldest.waiting.copy())

    def again(self, pair: Pair) -> Connection | None:
        """The connection of a pair, if it is among them; it is no more."""
        if pair not in self._places:
            return None
        place, n = self._places.pop(pair)
        batch = self._batches[place]
        batch.waiting[n] = False
        (row,) = batch.last[n].with_columns(pl.col("ts").to_physical()).to_dicts()
        first, last, *closed = (Moment(*each) for each in zip(*(of[:, n].tolist() for of in batch.moments), strict=True))  # fmt: skip
        following, octets, acknowledged = batch.sequence[:, :, n].tolist()
        before, upto, total = batch.wire[:, :, n].tolist()
        return Connection.again(
            Past(batch.pairs[n], first, last, closed, following, octets, acknowledged, before, upto, total, row)
        )  # fmt: skip

    def sweep(self, at: int) -> Iterator[pl.DataFrame]:
        """The last exchanges of those for which no packet is waited for any more at a time (ns)."""
        for place, batch in list(self._batches.items()):
            over = batch.waiting & (at - batch.moments[0][1] > LINGER)
            if over.any():
                yield self._given(batch, over)
            if not batch.waiting.any():
                del self._batches[place]

    def end(self) -> Iterator[pl.DataFrame]:
        """The last exchanges of all."""
        for batch in self._batches.values():
            yield self._given(batch, batch.waiting.copy())
        self._batches.clear()

    def _given(self, batch: _Batch, over: Rows) -> pl.DataFrame:
        sums, octets = self._sums, int(batch.sequence[1][:, over].sum())
        sums.connections += int(over.sum())
        sums.payload_bytes += octets
        sums.message_bytes += octets
        sums.wire_bytes += int(batch.wire[2][:, over].sum())
        batch.waiting[over] = False
        for n in np.flatnonzero(over).tolist():
            del self._places[pair_of(*batch.pairs[n])]
        return batch.last.filter(over)
