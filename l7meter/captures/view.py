"""A window with its headers and runs, and its packets one by one."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from l7meter.captures import headers
from l7meter.captures.base import Moment
from l7meter.captures.connection import Connection
from l7meter.captures.exact import LINGER, Packet
from l7meter.captures.headers import Headers
from l7meter.captures.run import Run
from l7meter.captures.runs import ADDRESS, cut
from l7meter.captures.tcp import ACK, Segment
from l7meter.captures.window import Window


class View:
    """What the columns know of a window; rows are those of its `runs`."""

    def __init__(self, window: Window) -> None:
        self.window = window
        self.found = headers.decode(window)
        self.runs = cut(window, self.found)

    def moment(self, place: int) -> Moment:
        """When a packet of the window passed."""
        return Moment(int(self.window.time[place]), self.window.number + place)

    def packet(self, row: int) -> Packet:
        """One packet of a run."""
        place, data = int(self.runs.rows[row]), self.window.data
        headers = self._listed
        address, size = ADDRESS[headers.version[place]]
        address += headers.network[place]
        source, destination = headers.source[place], headers.destination[place]
        flags, start, length = headers.flags[place], headers.payload[place], headers.length[place]
        ack = headers.ack[place] if flags & ACK else None
        octets = data[start : start + length]
        return Packet(
            (data[address : address + size], source),
            (data[address + size : address + 2 * size], destination),
            Segment(source, destination, headers.seq[place], ack, flags, octets, length),
            headers.wire[place],
            self.moment(place),
        )

    @cached_property
    def _listed(self) -> Headers:
        """The headers as lists of Python's own numbers: one by one, these are faster to take."""
        return Headers(*(column.tolist() for column in self.found))

    def run(self, begin: int, behind: int, connection: Connection) -> Run | None:
        """The rows as one run; None where they carry no data, or pause for long."""
        places, found = self.runs.rows[begin:behind], self.found
        data = np.flatnonzero(found.length[places] > 0)
        times = self.window.time[places]
        paused = np.diff(times, prepend=connection.last.time).max() > LINGER  # clocks go back, too
        if not len(data) or paused:
            return None
        first = begin + int(data[0])
        return Run(
            connection.ends.index(self.packet(first).sender),
            self.runs.sender[begin:behind] != self.runs.sender[first],
            data,
            places,
            found.seq[places],
            np.where(found.flags[places] & ACK, found.ack[places], -1),
            found.wire[places],
            np.cumsum(found.length[places[data]]),
            times,
            self.window.number,
            (found.payload, found.length),
            self.window.data,
        )
