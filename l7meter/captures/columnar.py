"""The columnar path: the exact path's own state machines, told of runs of packets and not of each.

Most packets carry content whose end is known from a head that passed long ago, in order and whole.
Those are found for all packets of a window at once (`runs`) and passed over in one step; whatever
else there is goes to its connection packet by packet. So there is one truth, and the columns decide
only how often it is asked.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

import numpy as np
import polars as pl

from l7meter.captures.base import Moment
from l7meter.captures.exact import TCP, Exact, Packet, Pair
from l7meter.captures.lane import Lane
from l7meter.captures.lane_heads import Heads
from l7meter.captures.view import View
from l7meter.captures.window import Window

SHORT = 4  # packets of a run that are not worth the columns
Row = dict[str, Any]


class Columnar:
    """Windows in, rows out; connections live in the exact path and outlast the window."""

    def __init__(self, exact: Exact) -> None:
        self.exact = exact
        self.frames: list[pl.DataFrame] = []  # of exchanges that never were rows
        self._heads = Heads()

    def window(self, window: Window) -> Iterator[Row]:
        """The rows that are whole at the end of the window."""
        if not len(window.start):
            return
        view = View(window)
        lane = Lane(view, self._heads)
        odd = yield from self._odd(view)
        cuts = view.runs.connection
        for first, end in zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True):
            pair = view.packet(first).pair
            if pair in odd:
                odd[pair] += [view.packet(row) for row in range(first, end)]
            else:
                yield from self._connection(view, lane, first, end, pair)
        self.frames += lane.take()
        for packets in odd.values():
            for packet in sorted(packets, key=lambda packet: packet.at.packet):
                yield from self.exact.segment(packet)
        yield from self.exact.sweep(Moment(int(window.time[-1]), 0))

    def _odd(self, view: View) -> Generator[Row, None, dict[Pair, list[Packet]]]:
        """Packets whose headers the columns do not read; segments among them are given back."""
        segments: dict[Pair, list[Packet]] = {}
        window = view.window
        for row in np.flatnonzero(~view.found.plain).tolist():
            start, at = int(window.start[row]), view.moment(row)
            octets = window.data[start : start + int(window.captured[row])]
            datagram = self.exact.decoded(int(window.link[row]), octets, int(window.length[row]))
            if datagram is None:
                continue
            if datagram.protocol != TCP:
                yield from self.exact.datagram(datagram, at)
            elif packet := self.exact.packet_of(datagram, at):
                segments.setdefault(packet.pair, []).append(packet)
        return segments

    def _connection(
        self, view: View, lane: Lane, first: int, end: int, pair: Pair
    ) -> Iterator[Row]:
        run = view.runs.run
        place, last = np.searchsorted(run, (first, end)).tolist()
        while place < last:
            begin, behind = int(run[place]), int(run[place + 1])
            tiles = min(int(lane.tiles[place]), (last - place) // 2) - 1  # the last one goes by row
            if tiles > 0 and (connection := self.exact.connection(pair)):
                upto = place + 2 * tiles
                stretch = view.run(begin, int(run[upto]), connection)
                if stretch and connection.may_skip(stretch, lane.answer(place)):
                    self.exact.sums.carried += len(stretch.rows)
                    yield from connection.skip(stretch, lane.add(place, upto, connection))
                    place = upto
                    continue
            yield from self._run(view, begin, behind, pair)
            place += 1

    def _run(self, view: View, begin: int, behind: int, pair: Pair) -> Iterator[Row]:
        """One run; packets that the connection must see, such as a tail sent again, come singly."""
        step = 1
        while begin < behind:
            connection = self.exact.connection(pair) if behind - begin >= SHORT else None
            stretch = view.run(begin, behind, connection) if connection else None
            if connection and stretch and connection.takes(stretch):
                self.exact.sums.carried += behind - begin
                yield from connection.run(stretch)
                return
            upto = min(begin + step, behind)
            for row in range(begin, upto):
                yield from self.exact.segment(view.packet(row))
            begin, step = upto, 2 * step
