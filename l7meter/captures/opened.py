"""Connections as tshark opens them: packets of `tshark_fields` in, one `Opened` a connection out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from l7meter.captures.base import Moment, Side
from l7meter.captures.exact import IDLE, LINGER
from l7meter.captures.exchange import Exchange
from l7meter.captures.http3 import Http3
from l7meter.captures.plain import Plain
from l7meter.captures.tshark_fields import End, Packet

SWEEP = 10 * 10**9  # ns between looks for connections that are over


class Connection(NamedTuple):
    """Who spoke to whom, and tshark's number of the connection."""

    client: End
    server: End
    transport: str  # "tcp" or "udp"
    stream: int


class Opened(NamedTuple):
    """A TLS or QUIC connection that was seen to its end. Pairs are by side, `[orig, resp]`, in octets.

    `whole`: no record or packet stayed closed, and what they hold is HTTP. `octets`: of all TLS
    records with their headers, or of the UDP payload. `overhead`: HTTP/2 or HTTP/3 between the
    messages. `remainder`: in no message. `tunnel`: behind CONNECT or Upgrade, from `tunnel_from` on.
    """

    connection: Connection
    first: Moment
    last: Moment
    whole: bool
    octets: list[int]
    exchanges: list[Exchange]
    overhead: int
    remainder: list[int]
    tunnel: list[int]
    tunnel_from: Moment | None


class _Open:
    """A connection under way."""

    def __init__(self, packet: Packet) -> None:
        self.connection = Connection(
            packet.sender, packet.receiver, packet.transport, packet.stream
        )
        self.first = self.last = packet.at
        self.whole = True
        self.over_since: int | None = None  # ns
        self.octets = [0, 0]
        self._fins = [False, False]
        self._client: End | None = packet.sender if packet.transport == "udp" else None
        self._plain = Plain()
        self._quic: dict[int, Http3] = {}

    def packet(self, packet: Packet) -> None:
        self.last = packet.at
        self._orient(packet)
        side = Side.ORIG if packet.sender == self.connection.client else Side.RESP
        self.octets[side] += packet.octets
        if not packet.opened and self.whole:
            self._give_up()
        if self.whole:
            for octets in packet.plain:
                self._plain.data(side, octets, packet.at)
            for stretch in packet.stretches:
                http = self._quic.setdefault(stretch.connection, Http3())
                http.data(side, stretch.stream, stretch.offset, stretch.octets, stretch.fin, packet.at)  # fmt: skip
        self._fins[side] |= packet.fin
        if packet.reset or all(self._fins):
            self.over_since = packet.at.time

    def end(self) -> Opened:
        exchanges = self._plain.end(self._fins, self.last)
        overhead = sum(self._plain.overhead)
        for http in self._quic.values():
            exchanges += http.end()
            overhead += http.overhead
            self.whole &= http.problem is None
        return Opened(
            self.connection,
            self.first,
            self.last,
            self.whole and self._plain.spoken and self._client is not None,
            self.octets,
            exchanges if self.whole else [],
            overhead,
            self._plain.remainder,
            self._plain.tunnel,
            self._plain.tunnel_from,
        )

    def _orient(self, packet: Packet) -> None:
        """The client sends the ClientHello; in QUIC, the first datagram."""
        if self._client is None and packet.hello:
            self._client = packet.sender
            ends = packet.sender, packet.receiver
            if ends[0] != self.connection.client:
                self.octets.reverse()
                self._fins.reverse()
            self.connection = Connection(*ends, packet.transport, packet.stream)
        elif self._client is None and packet.plain:
            self._give_up()

    def _give_up(self) -> None:
        """It cannot be opened wholly: only its packets' octets are of use from here on."""
        self.whole = False
        self._plain, self._quic = Plain(), {}


def connections(packets: Iterable[Packet]) -> Iterator[Opened]:
    """Connections as they end; those of TCP without any TLS are passed over."""
    under_way: dict[tuple[str, int], _Open] = {}
    swept = 0
    for packet in packets:
        key = packet.transport, packet.stream
        connection = under_way.get(key)
        if connection is None:
            if packet.transport == "tcp" and not (packet.syn or packet.octets):
                continue
            connection = under_way[key] = _Open(packet)
        connection.packet(packet)
        now = packet.at.time
        if now - swept > SWEEP:
            swept = now
            over = [key for key, each in under_way.items() if _is_over(each, now)]
            yield from _ended([under_way.pop(key) for key in over])
    yield from _ended(under_way.values())


def _is_over(connection: _Open, now: int) -> bool:
    # an idle one waits longer than elsewhere: packets that only acknowledge are not told of here
    linger = LINGER if connection.over_since is not None else 2 * IDLE
    return now - connection.last.time > linger


def _ended(connections: Iterable[_Open]) -> Iterator[Opened]:
    for connection in connections:
        if any(connection.octets):
            yield connection.end()
