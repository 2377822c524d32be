"""A window with its headers and runs, and its packets one by one."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from functools import cached_property

import numpy as np

from l7meter.captures import headers
from l7meter.captures.base import Endpoint, Moment
from l7meter.captures.connection import Connection
from l7meter.captures.exact import LINGER, Packet
from l7meter.captures.reordered import Reordered, reordered
from l7meter.captures.run import Run
from l7meter.captures.runs import ADDRESS, cut
from l7meter.captures.tcp import ACK, HELD_OCTETS, HELD_SEGMENTS, SPACE, Held, Segment
from l7meter.captures.window import Window

# Packets that are put in order at once: with those held, no more than a stream holds.
AHEAD = HELD_SEGMENTS // 2


class View:
    """What the columns know of a window; rows are those of its `runs`.

    By row: `time` in ns, `seq`, `ack` (-1: none), `flags`, `length` and `wire` as in `found`.
    """

    def __init__(self, window: Window) -> None:
        self.window = window
        self.found = found = headers.decode(window)
        self.runs = cut(window, found)
        rows = self.runs.rows
        self.time, self.seq, self.flags = window.time[rows], found.seq[rows], found.flags[rows]
        self.ack = np.where(self.flags & ACK, found.ack[rows], -1)
        self.length, self.wire = found.length[rows], found.wire[rows]
        self._octets = np.append(0, np.cumsum(self.length))
        self._filled: list[int] = np.flatnonzero(self.length > 0).tolist()
        # Rows after which nothing passed for long; clocks go back, too
        self._pauses: list[int] = np.flatnonzero(np.diff(self.time) > LINGER).tolist()

    def moment(self, place: int) -> Moment:
        """When a packet of the window passed."""
        return Moment(int(self.window.time[place]), self.window.number + place)

    def ends(self, row: int) -> tuple[Endpoint, Endpoint]:
        """Both ends of a packet's connection, by the number that `runs` has for them."""
        place, octets, found = int(self.runs.rows[row]), self.window.octets, self.found
        address, size = ADDRESS[int(found.version[place])]
        address += int(found.network[place])
        source = octets(address, size), int(found.source[place])
        destination = octets(address + size, size), int(found.destination[place])
        return (destination, source) if self.runs.sender[row] else (source, destination)

    def packet(self, row: int, ends: tuple[Endpoint, Endpoint]) -> Packet:
        """One packet of a run."""
        sender, place = int(self.runs.sender[row]), int(self.runs.rows[row])
        source, destination = ends[sender], ends[1 - sender]
        seq, flags, length = int(self.seq[row]), int(self.flags[row]), int(self.length[row])
        ack = int(self.ack[row]) if flags & ACK else None
        octets = self.window.octets(int(self.found.payload[place]), length)
        return Packet(
            source,
            destination,
            Segment(source[1], destination[1], seq, ack, flags, octets, length),
            int(self.wire[row]),
            self.moment(place),
        )

    def run(
        self, begin: int, behind: int, ends: tuple[Endpoint, Endpoint], connection: Connection
    ) -> Run | None:
        """The rows as one run.

        None where they carry no data, do not go on where the connection stands, or pause for long.
        """
        first = self._data(begin, behind)
        if first is None:
            return None
        sender = int(self.runs.sender[first])
        if not connection.goes_on(connection.ends.index(ends[sender]), int(self.seq[first])):
            return None
        length = self.length[begin:behind]
        data = np.flatnonzero(length > 0)
        right = Reordered(len(length), data, data, np.cumsum(length[data]), data[:0])
        return self._run(begin, sender, ends, connection, right, [])

    def mended(
        self, begin: int, ends: tuple[Endpoint, Endpoint], connection: Connection
    ) -> Run | None:
        """Rows of a turn as one run, whose data came out of order; None where it cannot be told."""
        behind = min(self.turn(begin), begin + AHEAD)
        first = self._data(begin, behind)
        if first is None:
            return None
        sender = int(self.runs.sender[first])
        waiting = connection.awaits(connection.ends.index(ends[sender]))
        if waiting is None:
            return None
        following, held = waiting
        most = self._octets[begin] + HELD_OCTETS - sum(each.length for each in held)
        behind = min(behind, int(self._octets.searchsorted(most, "right")) - 1)
        if behind <= first:
            return None
        right = reordered(
            following,
            [((each.seq - following) % SPACE, each.length) for each in held],
            self.seq[begin:behind],
            self.length[begin:behind],
            self.ack[begin:behind],
            self.runs.sender[begin:behind] != sender,
        )
        return self._run(begin, sender, ends, connection, right, held) if right else None

    def turn(self, row: int) -> int:
        """Where the turn ends that a row is of."""
        return self._turns[bisect_right(self._turns, row)]

    @cached_property
    def _turns(self) -> list[int]:
        turns: list[int] = self.runs.turn.tolist()
        return turns

    def _data(self, begin: int, behind: int) -> int | None:
        """The first row that carries data."""
        place = bisect_left(self._filled, begin)
        first = self._filled[place] if place < len(self._filled) else behind
        return first if first < behind else None

    def _run(
        self,
        begin: int,
        sender: int,
        ends: tuple[Endpoint, Endpoint],
        connection: Connection,
        right: Reordered,
        held: list[Held],
    ) -> Run | None:
        behind = begin + right.rows
        pause = bisect_left(self._pauses, begin)
        paused = pause < len(self._pauses) and self._pauses[pause] < behind - 1
        if paused or int(self.time[begin]) - connection.last.time > LINGER:
            return None
        return Run(
            connection.ends.index(ends[sender]),
            self.runs.sender[begin:behind] != sender,
            *right[1:],
            held,
            self.runs.rows[begin:behind],
            self.ack[begin:behind],
            self.wire[begin:behind],
            self.time[begin:behind],
            self.window,
            self.found,
        )
