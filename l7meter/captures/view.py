"""A window with its headers and runs, and its packets one by one."""

from __future__ import annotations

from bisect import bisect_right
from functools import cached_property

import numpy as np

from l7meter.captures import headers
from l7meter.captures.base import Endpoint, Moment
from l7meter.captures.connection import Connection
from l7meter.captures.exact import LINGER, Packet
from l7meter.captures.reordered import Reordered, reordered
from l7meter.captures.run import Run
from l7meter.captures.runs import ADDRESS, cut
from l7meter.captures.tcp import ACK, HELD_OCTETS, HELD_SEGMENTS, SPACE, SPECIAL, Held, Segment
from l7meter.captures.window import Window

# Packets that are put in order at once: with those held, no more than a stream holds.
AHEAD = HELD_SEGMENTS // 2


class View:
    """What the columns know of a window; rows are those of its `runs`."""

    def __init__(self, window: Window) -> None:
        self.window = window
        self.found = headers.decode(window)
        self.runs = cut(window, self.found)

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
        sender, place, found = int(self.runs.sender[row]), int(self.runs.rows[row]), self.found
        source, destination = ends[sender], ends[1 - sender]
        flags, start, length = (
            int(found.flags[place]),
            int(found.payload[place]),
            int(found.length[place]),
        )
        ack = int(found.ack[place]) if flags & ACK else None
        octets = self.window.octets(start, length)
        return Packet(
            source,
            destination,
            Segment(source[1], destination[1], int(found.seq[place]), ack, flags, octets, length),
            int(found.wire[place]),
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
        sender, seq = int(self.runs.sender[first]), int(self.found.seq[self.runs.rows[first]])
        if not connection.goes_on(connection.ends.index(ends[sender]), seq):
            return None
        length = self.found.length[self.runs.rows[begin:behind]]
        data = np.flatnonzero(length > 0)
        right = Reordered(data, data, np.cumsum(length[data]), data[:0])
        return self._run(begin, behind, sender, ends, connection, right, [])

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
        octets = np.cumsum(self.found.length[self.runs.rows[begin:behind]])
        octets += sum(each.length for each in held)
        behind = begin + int(np.searchsorted(octets, HELD_OCTETS, "right"))
        places, found = self.runs.rows[begin:behind], self.found
        acks = np.where(found.flags[places] & ACK, found.ack[places], -1)
        opposite = self.runs.sender[begin:behind] != sender
        before = [((each.seq - following) % SPACE, each.length) for each in held]
        right = reordered(following, before, found.seq[places], found.length[places], acks, opposite)  # fmt: skip
        if right is None or behind <= first:
            return None
        return self._run(begin, behind, sender, ends, connection, right, held)

    def turn(self, row: int) -> int:
        """Where the turn ends that a row is of."""
        return self._turns[bisect_right(self._turns, row)]

    @cached_property
    def _turns(self) -> list[int]:
        """The ends of stretches with data of one end only, and of single packets that do more."""
        runs, found = self.runs, self.found
        breaks = np.zeros(len(runs.rows) + 1, np.bool_)
        breaks[runs.connection] = True
        special = np.flatnonzero(found.flags[runs.rows] & SPECIAL)
        breaks[special] = breaks[special + 1] = True
        data = np.flatnonzero(found.length[runs.rows] > 0)
        sender = runs.sender[data]
        breaks[data[1:][sender[1:] != sender[:-1]]] = True
        return np.flatnonzero(breaks).tolist()

    def _data(self, begin: int, behind: int) -> int | None:
        """The first row that carries data."""
        length, places = self.found.length, self.runs.rows
        return next((row for row in range(begin, behind) if length[places[row]]), None)

    def _run(
        self,
        begin: int,
        behind: int,
        sender: int,
        ends: tuple[Endpoint, Endpoint],
        connection: Connection,
        right: Reordered,
        held: list[Held],
    ) -> Run | None:
        places, found = self.runs.rows[begin:behind], self.found
        times = self.window.time[places]
        passed = times[1:] - times[:-1]  # clocks go back, too
        paused = behind - begin > 1 and passed.max() > LINGER
        if paused or times[0] - connection.last.time > LINGER:
            return None
        return Run(
            connection.ends.index(ends[sender]),
            self.runs.sender[begin:behind] != sender,
            *right,
            held,
            places,
            np.where(found.flags[places] & ACK, found.ack[places], -1),
            found.wire[places],
            times,
            self.window,
            found,
        )
