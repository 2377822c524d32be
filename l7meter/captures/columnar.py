"""The columnar path: the exact path's own state machines, told of runs of packets and not of each.

Most packets carry content whose end is known from a head that passed long ago, in order and whole.
Those are found for all packets of a window at once (`runs`) and passed over in one step. Exchanges
that tile their stretches become columns without being rows (`lane`), whole connections of them
without being connections (`whole`, `settled`). Data that came out of order, or twice, are put in
order first: whole turns all at once (`turns`), what outlasts a window by its connection (`reordered`).
Whatever else there is goes to its connection packet by packet. So there is one truth, and the
columns decide only how often it is asked.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

import numpy as np
import polars as pl

from l7meter.captures.base import Moment
from l7meter.captures.exact import TCP, Exact, Packet, Pair, pair_of
from l7meter.captures.lane import Lane
from l7meter.captures.lane_heads import Heads
from l7meter.captures.settled import Settled
from l7meter.captures.view import View
from l7meter.captures.whole import whole
from l7meter.captures.window import Window

SHORT = 4  # packets of a run that are not worth the columns
LONG = 64  # packets after which it is tried again whether disorder ends
Row = dict[str, Any]


class Columnar:
    """Windows in, rows out; connections live in the exact path and outlast the window."""

    def __init__(self, exact: Exact) -> None:
        self.exact = exact
        self.frames: list[pl.DataFrame] = []  # of exchanges that never were rows
        self._heads = Heads()
        self._settled = Settled(exact.sums)

    def lane(self, window: Window) -> Lane:
        """What the columns make of a window by itself; while the one before is still being taken."""
        if self._heads.many:
            self._heads = Heads()
        return Lane(View(window), self._heads)

    def take(self, lane: Lane) -> Iterator[Row]:
        """The rows that are whole at the end of a window; windows are taken in order."""
        view = lane.view
        window = view.window
        odd = yield from self._odd(view)
        for pair in odd:
            self._again(pair)
        settled = self._settle(view, lane, odd)
        cuts = view.runs.connection
        for place, (first, end) in enumerate(
            zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True)
        ):
            if place in settled:
                continue
            ends = view.ends(first)
            if (pair := pair_of(*ends)) in odd:
                odd[pair] += [view.packet(row, ends) for row in range(first, end)]
                continue
            self._again(pair)
            yield from self._connection(view, lane, first, end, ends)
        self.frames += lane.take()
        for packets in odd.values():
            for packet in sorted(packets, key=lambda packet: packet.at.packet):
                yield from self.exact.segment(packet)
        at = Moment(int(window.time[-1]), 0)
        yield from self.exact.sweep(at)
        self.frames += self._settled.sweep(at.time)

    def end(self) -> Iterator[Row]:
        """The rows of all connections that are still open; the last exchanges of others as frames."""
        yield from self.exact.end()
        self.frames += self._settled.end()

    def _settle(self, view: View, lane: Lane, odd: dict[Pair, list[Packet]]) -> set[int]:
        """Take the connections that the window holds whole; which ones these are."""
        made = whole(view, lane)
        kept: list[int] = []
        ends: list[Pair] = []
        for place, connection in enumerate(made.connection.tolist()):
            first = int(view.runs.connection[connection])
            both = view.ends(first)
            pair = pair_of(*both)
            if pair not in odd and pair not in self._settled and not self.exact.connection(pair):
                kept.append(place)
                ends.append((both[1], both[0]) if made.opener[place] else both)
        if not kept:
            return set()
        made = made.some(np.array(kept))
        self.frames += self._settled.settle(view, lane, made, ends)
        self.exact.sums.carried += int(np.diff(view.runs.connection)[made.connection].sum())
        return set(made.connection.tolist())

    def _again(self, pair: Pair) -> None:
        """Have the connection of a pair followed by itself again."""
        if connection := self._settled.again(pair):
            self.exact.adopt(pair, connection)

    def _odd(self, view: View) -> Generator[Row, None, dict[Pair, list[Packet]]]:
        """Packets whose headers the columns do not read; segments among them are given back."""
        segments: dict[Pair, list[Packet]] = {}
        window = view.window
        for row in np.flatnonzero(~view.found.plain).tolist():
            at = view.moment(row)
            octets = window.octets(int(window.start[row]), int(window.captured[row]))
            datagram = self.exact.decoded(int(window.link[row]), octets, int(window.length[row]))
            if datagram is None:
                continue
            if datagram.protocol != TCP:
                yield from self.exact.datagram(datagram, at)
            elif packet := self.exact.packet_of(datagram, at):
                segments.setdefault(packet.pair, []).append(packet)
        return segments

    def _connection(
        self, view: View, lane: Lane, first: int, end: int, ends: Pair
    ) -> Iterator[Row]:
        run, pair = view.runs.run, pair_of(*ends)
        place, last = np.searchsorted(run, (first, end)).tolist()
        row = mend = first  # the next one, and the one from which on disorder is looked at
        wait = SHORT
        while place < last:
            behind = int(run[place + 1])
            if row >= behind:  # it was passed with the rows before
                place += 1
                continue
            connection = self.exact.connection(pair)
            begin, beyond = lane.tiled(row, end)
            if connection and beyond > begin:
                upto = int(lane.stretches.starts[beyond])
                stretch = view.run(row, upto, ends, connection)
                if stretch and connection.may_skip(stretch, int(lane.answers(begin))):
                    self.exact.sums.carried += len(stretch.rows)
                    yield from connection.skip(stretch, lane.add(begin, beyond, connection))
                    row = upto
                    continue
            if connection and row >= mend and (view.turn(row) > behind or connection.holds):
                stretch = view.mended(row, ends, connection)
                more = stretch and (len(stretch.rows) >= SHORT or connection.holds)
                if stretch and more and connection.takes(stretch):
                    self.exact.sums.carried += len(stretch.rows)
                    yield from connection.run(stretch)
                    row += len(stretch.rows)
                    wait = SHORT
                    continue
                mend = behind + wait
                wait = min(2 * wait, LONG)
            row, turned = yield from self._run(view, row, behind, ends)
            if turned:
                mend, wait = row, SHORT

    def _run(
        self, view: View, begin: int, behind: int, ends: Pair
    ) -> Generator[Row, None, tuple[int, bool]]:
        """One run; packets that the connection must see, such as a tail sent again, come singly.

        How far it went, and whether that is where the connection began or ceased to miss data.
        """
        step, pair = 1, pair_of(*ends)
        while begin < behind:
            connection = self.exact.connection(pair)
            held = connection is not None and connection.holds
            if connection and behind - begin >= SHORT:
                stretch = view.run(begin, behind, ends, connection)
                if stretch and connection.takes(stretch):
                    self.exact.sums.carried += behind - begin
                    yield from connection.run(stretch)
                    return behind, False
            upto, step = min(begin + step, behind), 2 * step
            for row in range(begin, upto):
                yield from self.exact.segment(view.packet(row, ends))
                if connection and connection.holds != held:
                    return row + 1, True
            begin = upto
        return behind, False
