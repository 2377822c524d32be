"""A stretch of a connection's packets as columns."""

from __future__ import annotations

from typing import Any, NamedTuple

from l7meter.captures.base import Endpoint, Moment
from l7meter.captures.headers import Headers
from l7meter.captures.tcp import SPACE, Held
from l7meter.captures.window import Integers, Rows, Window


class Run(NamedTuple):
    """Packets of a connection as columns: the data of one end, and bare acknowledgements.

    `data` are the rows that carry data, in the order of the stream, `came` the rows by which each
    and all before it had come, `sizes` their payload octets summed up; `late` are rows with data
    behind a hole that stays. Rows below 0 are of what was `held`. `ack` is -1 where there is none.
    """

    sender: int  # the end that sent the data
    opposite: Rows  # rows of the other end
    data: Integers
    came: Integers
    sizes: Integers
    late: Integers
    held: list[Held]
    rows: Integers  # in the window
    ack: Integers
    wire: Integers
    times: Integers
    window: Window
    headers: Headers  # of the window

    def moment(self, row: int) -> Moment:
        """When a packet passed."""
        if row < 0:
            return self.held[row].at
        return Moment(int(self.times[row]), self.window.number + int(self.rows[row]))

    def payload(self, row: int) -> bytes:
        """The payload of a packet."""
        if row < 0:
            return self.held[row].payload
        start, length = (int(of[self.rows[row]]) for of in (self.headers.payload, self.headers.length))  # fmt: skip
        return self.window.octets(start, length)

    def segment(self, row: int) -> tuple[int, bytes, Moment]:
        """Sequence number, payload and time of a packet."""
        seq = self.held[row].seq % SPACE if row < 0 else int(self.headers.seq[self.rows[row]])
        return seq, self.payload(row), self.moment(row)

    def wire_passed(self, row: int) -> tuple[int, int]:
        """Octets of IP packets up to a row, it included, of the sender and of the other end."""
        wire, opposite = self.wire[: row + 1], self.opposite[: row + 1]
        other = int(wire[opposite].sum())
        return int(wire.sum()) - other, other

    def highest_ack(self, *, opposite: bool) -> int | None:
        """The furthest that one end acknowledged."""
        acks = self.ack[self.opposite if opposite else ~self.opposite]
        acks = acks[acks >= 0]
        if not len(acks):
            return None
        ahead = (acks - acks[0] + SPACE // 2) % SPACE
        return int(acks[ahead.argmax()])


class Skipped(NamedTuple):
    """Exchanges of a stretch that are records already, in octets.

    Payload of requests and of responses; IP packets of client and server up to the end of the last
    exchange and, if there is one, of the one before it. `last` is a row that the connection ends.
    """

    asked: int
    answered: int
    wire: list[tuple[int, int]]
    last: dict[str, Any]


class Past(NamedTuple):
    """A connection that is over, of exchanges of HTTP/1.x alone, all whole.

    Lists are of its opener, the client, and of the other end: the FINs, the sequence number of the
    first octet, octets of payload, how many of them (and one for the FIN) the other end
    acknowledged or -1, and octets of IP packets before the last exchange, up to its end, and of all.
    """

    ends: tuple[Endpoint, Endpoint]
    first: Moment
    last: Moment
    closed: list[Moment]
    following: list[int]
    octets: list[int]
    acknowledged: list[int]
    before: list[int]
    upto: list[int]
    wire: list[int]
    row: dict[str, Any]  # the last exchange
