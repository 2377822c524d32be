"""The exact path: one packet after the other, whatever it holds.

It is the measure of the columnar path and takes what that one leaves. A loop over packets in Python:
some 50,000 of them a second.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import nsmallest
from typing import Any, NamedTuple

from l7meter.captures import records
from l7meter.captures.base import Endpoint, Moment, Side
from l7meter.captures.connection import Connection
from l7meter.captures.links import Datagram, Decoder
from l7meter.captures.quic import Quic, looks_like_quic, may_be_quic, opens_quic
from l7meter.captures.sums import Sums
from l7meter.captures.tcp import ACK, SYN, Segment, parse

TCP, UDP = 6, 17
HTTPS = 443  # the port of QUIC, too, where it is HTTP/3
IDLE = 15 * 60 * 10**9  # ns without a packet after which a connection is over
LINGER = 60 * 10**9  # ns that a closed connection waits for stragglers
OPEN = 100_000  # connections at once; beyond, those that were silent longest are ended

Row = dict[str, Any]
Pair = tuple[Endpoint, Endpoint]


class Packet(NamedTuple):
    """A TCP segment, who sent it to whom, the octets of its IP packet, and when."""

    sender: Endpoint
    receiver: Endpoint
    segment: Segment
    wire: int
    at: Moment
    packets: int = 1  # that it came in

    @property
    def pair(self) -> Pair:
        """Both ends, the lower first."""
        return pair_of(self.sender, self.receiver)


def pair_of(one: Endpoint, other: Endpoint) -> Pair:
    """Both ends, the lower first."""
    return (one, other) if one < other else (other, one)


class Exact:
    """Packets in, rows out."""

    def __init__(self, sums: Sums) -> None:
        self.sums = sums
        self._decoder = Decoder(sums.skipped)
        self._tcp: dict[Pair, Connection] = {}
        self._udp: dict[Pair, _QuicConnection] = {}
        self._quic_servers: set[Endpoint] = set()
        self._other_udp: set[Pair] = set()  # that began as something else

    def packet(self, link: int, octets: bytes, length: int, at: Moment) -> Iterator[Row]:
        """Take a packet as the link carried it; `length` is its octets on the wire."""
        datagram = self.decoded(link, octets, length)
        if datagram is not None:
            yield from self.datagram(datagram, at)

    def decoded(self, link: int, octets: bytes, length: int) -> Datagram | None:
        """The IP datagram of a packet; None where it holds none, or not yet all of it."""
        return self._decoder.decode(link, octets, length)

    def datagram(self, datagram: Datagram, at: Moment) -> Iterator[Row]:
        """Take an IP datagram."""
        if datagram.protocol == TCP:
            if packet := self.packet_of(datagram, at):
                yield from self.segment(packet)
        elif datagram.protocol == UDP:
            yield from self._user_datagram(datagram, at)
        else:
            self.sums.skipped[f"IP protocol {datagram.protocol}"] += datagram.packets

    def packet_of(self, datagram: Datagram, at: Moment) -> Packet | None:
        """The TCP segment of a datagram."""
        segment = parse(datagram.payload, datagram.length)
        if segment is None:
            self.sums.skipped["TCP header cut short or impossible"] += datagram.packets
            return None
        self.sums.bad_checksums += datagram.checksum_bad
        ends = (datagram.source, segment.source), (datagram.destination, segment.destination)
        return Packet(*ends, segment, datagram.wire, at, datagram.packets)

    def connection(self, pair: Pair) -> Connection | None:
        """The connection between two ends, if one is open."""
        return self._tcp.get(pair)

    def adopt(self, pair: Pair, connection: Connection) -> None:
        """Follow a connection between two ends from now on; none of theirs is open."""
        self._tcp[pair] = connection

    def segment(self, packet: Packet) -> Iterator[Row]:
        """Take a TCP segment."""
        sender, other, segment, wire, at, packets = packet
        self.sums.carried += packets
        pair = packet.pair
        connection = self._tcp.get(pair)
        if connection and _begins_anew(connection, sender, segment, at):
            yield from self._ended(pair)
            connection = None
        if connection is None:
            if len(self._tcp) >= OPEN:
                yield from self._silent(max(OPEN // 100, 1))
            connection = self._tcp[pair] = Connection(sender, other, at)
        yield from connection.segment(connection.ends.index(sender), segment, wire, at)

    def _user_datagram(self, datagram: Datagram, at: Moment) -> Iterator[Row]:
        octets = datagram.payload
        if len(octets) < 8:
            self.sums.skipped["UDP header cut short"] += datagram.packets
            return
        ports = int.from_bytes(octets[0:2], "big"), int.from_bytes(octets[2:4], "big")
        sender, other = (datagram.source, ports[0]), (datagram.destination, ports[1])
        pair = pair_of(sender, other)
        payload, length = octets[8:], max(datagram.length - 8, 0)
        connection = self._udp.get(pair)
        if connection is None:
            if not self._is_quic(payload, sender, other):
                self.sums.skipped["UDP that is not QUIC"] += datagram.packets
                return
            if len(self._udp) >= OPEN:
                self.sums.limits["open connections"] += 1
                yield self._udp.pop(next(iter(self._udp))).end(self.sums)
            client, server = self._quic_ends(payload, sender, other)
            if len(self._quic_servers) < OPEN:
                self._quic_servers.add(server)
            connection = self._udp[pair] = _QuicConnection(client, server, at)
        self.sums.carried += datagram.packets
        self.sums.bad_checksums += datagram.checksum_bad
        connection.datagram(sender, payload, length, datagram.wire, at)

    def _is_quic(self, payload: bytes, sender: Endpoint, other: Endpoint) -> bool:
        """Whether a first datagram is QUIC's; in the midst its server or port has to vouch for it."""
        if looks_like_quic(payload):
            return True
        pair = pair_of(sender, other)
        vouched = self._quic_servers.intersection(pair) or HTTPS in (sender[1], other[1])
        if vouched and pair not in self._other_udp and may_be_quic(payload):
            return True
        if len(self._other_udp) < OPEN:
            self._other_udp.add(pair)
        return False

    def _quic_ends(
        self, payload: bytes, sender: Endpoint, other: Endpoint
    ) -> tuple[Endpoint, Endpoint]:
        """The client and the server: by the first packet, else as known, else by the lower port."""
        if opens_quic(payload):
            return sender, other
        if (sender in self._quic_servers) != (other in self._quic_servers):
            return (other, sender) if sender in self._quic_servers else (sender, other)
        return (other, sender) if sender[1] < other[1] else (sender, other)

    def sweep(self, at: Moment) -> Iterator[Row]:
        """The rows of connections that are over by now; called now and then, to let them go."""
        over = [
            pair
            for pair, connection in self._tcp.items()
            if at.time - connection.last.time > (LINGER if connection.over else IDLE)
        ]
        for pair in over:
            yield from self._ended(pair)
        silent = [pair for pair, each in self._udp.items() if at.time - each.last.time > IDLE]
        for pair in silent:
            yield self._udp.pop(pair).end(self.sums)

    def _silent(self, count: int) -> Iterator[Row]:
        """End so many connections that were silent longest; many at once, as they are sought in all."""
        self.sums.limits["open connections"] += count
        for pair in nsmallest(count, self._tcp, key=lambda each: self._tcp[each].last.time):
            yield from self._ended(pair)

    def _ended(self, pair: Pair) -> Iterator[Row]:
        yield from self._tcp.pop(pair).end(self.sums)

    def end(self) -> Iterator[Row]:
        """The rows of all connections that are still open."""
        for pair in list(self._tcp):
            yield from self._ended(pair)
        for connection in self._udp.values():
            yield connection.end(self.sums)
        self._udp.clear()
        self._decoder.flush()


def _begins_anew(connection: Connection, sender: Endpoint, segment: Segment, at: Moment) -> bool:
    """Whether a segment is of another connection between the same ports."""
    if at.time - connection.last.time > (LINGER if connection.over else IDLE):
        return True
    if segment.flags & (SYN | ACK) != SYN:
        return False
    isn = connection.isn[connection.ends.index(sender)]
    return isn != segment.seq and (connection.over or isn is not None)


class _QuicConnection:
    """The datagrams of one pair of UDP ports, which cannot be opened but for the first."""

    def __init__(self, client: Endpoint, server: Endpoint, at: Moment) -> None:
        self.ends = (client, server)
        self.first = self.last = at
        self._quic = Quic()
        self._wire = [0, 0]
        self._octets = [0, 0]
        self._cut = 0

    def datagram(
        self, sender: Endpoint, payload: bytes, length: int, wire: int, at: Moment
    ) -> None:
        side = Side(self.ends.index(sender))
        self.last = at
        self._wire[side] += wire
        self._octets[side] += len(payload)
        self._cut += length - len(payload)
        self._quic.datagram(side, payload, at)

    def end(self, sums: Sums) -> Row:
        sums.connections += 1
        sums.exact_connections += 1
        sums.payload_bytes += sum(self._octets)
        sums.tunnel_bytes += sum(self._octets)
        sums.wire_bytes += sum(self._wire)
        sums.missing_bytes += self._cut
        hello = self._quic.hello
        row = {
            **records.unread("quic", self.first, self.last, self._octets, self._cut),
            **records.greeting(hello),
            "network_protocol_version": "3" if hello and "h3" in hello.alpn else None,
            "tls_version": "TLSv1.3",  # RFC 9001 section 4.2
            "client_wire_bytes": self._wire[Side.ORIG],
            "server_wire_bytes": self._wire[Side.RESP],
        }
        return records.between(row, *self.ends)
