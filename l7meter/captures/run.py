"""A stretch of a connection's packets as columns."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from l7meter.captures.base import Moment
from l7meter.captures.tcp import SPACE


class Run(NamedTuple):
    """Packets of a connection as columns: the data of one end, in order, and bare acknowledgements.

    `data` are the rows that carry data, `sizes` their payload octets summed up; `ack` is -1 where
    there is none.
    """

    sender: int  # the end that sent the data
    opposite: NDArray[np.bool_]  # rows of the other end
    data: NDArray[np.int64]
    rows: NDArray[np.int64]  # in the window
    seq: NDArray[np.int64]
    ack: NDArray[np.int64]
    wire: NDArray[np.int64]
    sizes: NDArray[np.int64]
    times: NDArray[np.int64]
    number: int  # of the window's first packet
    payloads: tuple[NDArray[np.int64], NDArray[np.int64]]  # of the window: places, octets
    octets: bytes  # of the window

    def moment(self, row: int) -> Moment:
        """When a packet passed."""
        return Moment(int(self.times[row]), self.number + int(self.rows[row]))

    def payload(self, row: int) -> bytes:
        """The payload of a packet."""
        start, length = (int(column[self.rows[row]]) for column in self.payloads)
        return self.octets[start : start + length]

    def wire_passed(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Octets of IP packets up to each row, of the sender and of the other end."""
        return np.cumsum(self.wire * ~self.opposite), np.cumsum(self.wire * self.opposite)

    def highest_ack(self, *, opposite: bool) -> int | None:
        """The furthest that one end acknowledged."""
        acks = self.ack[(self.opposite == opposite) & (self.ack >= 0)]
        if not len(acks):
            return None
        ahead = (acks - acks[0] + SPACE // 2) % SPACE
        return int(acks[np.argmax(ahead)])


class Skipped(NamedTuple):
    """Exchanges of a stretch that are records already, in octets.

    Payload of requests and of responses; IP packets of client and server up to the last one's end.
    """

    asked: int
    answered: int
    client_wire: int
    server_wire: int
