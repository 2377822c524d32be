"""QUIC without keys: version, octets, and the ClientHello in the client's first packets (RFC 9000)."""

from __future__ import annotations

from l7meter.captures.base import Moment, Side
from l7meter.captures.client_hello import ClientHello, Cursor, ShortError, parse_client_hello
from l7meter.captures.quic_packets import (
    INITIAL,
    NEGOTIATION,
    SALTS,
    V1,
    V2,
    Keys,
    LongPacket,
    long_packet,
    varint,
)

MAX_CRYPTO = 64 << 10  # octets; post-quantum hellos are below 4 KiB
MAX_INITIALS = 64  # packets tried in a connection; a hello takes one to four
MAX_KEYS = 4  # a connection, its Retry, and another version of each
SHORTEST = 21  # octets of a datagram: an endpoint sends no shorter ones (RFC 9000 10.3)
PADDING, PING, ACK, ACK_ECN, CRYPTO = 0, 1, 2, 3, 6


def looks_like_quic(payload: bytes) -> bool:
    """Whether a datagram begins with a whole packet of QUIC version 1 or 2 that has a long header."""
    packet = long_packet(payload)
    return packet is not None and packet.version in SALTS


def may_be_quic(payload: bytes) -> bool:
    """Whether a datagram may be a packet with a short header (RFC 9000 17.3.1), of which little is told."""
    return len(payload) >= SHORTEST and payload[0] & 0xC0 == 0x40


def opens_quic(payload: bytes) -> bool:
    """Whether a datagram begins with an Initial packet by which a client opens a connection."""
    packet = long_packet(payload)
    if packet is None or packet.kind != INITIAL or packet.version not in SALTS:
        return False
    return Keys(packet.version, packet.destination).open(packet) is not None


class Quic:
    """One QUIC connection by its UDP datagrams: opens client Initial packets with their published keys.

    `version` is `1`, `2` or hexadecimal: the server's word, else the client's last. `hello` is the
    first ClientHello that was seen whole. `datagrams` and `octets` (UDP payload) are `[orig, resp]`.
    """

    def __init__(self) -> None:
        self.version: str | None = None
        self.hello: ClientHello | None = None
        self.datagrams = [0, 0]
        self.octets = [0, 0]
        self._answered = False
        self._initials = 0
        self._attempts: list[tuple[Keys, _Crypto]] = []

    def datagram(self, side: Side, payload: bytes, at: Moment) -> None:
        """Take a datagram; its packets are looked at until the hello and the server's version are known."""
        self.datagrams[side] += 1
        self.octets[side] += len(payload)
        while payload and not (self.hello and self._answered):
            packet = long_packet(payload)
            if packet is None:
                return
            self._say_version(side, packet.version)
            if side == Side.ORIG and packet.kind == INITIAL:
                self._initial(packet)
            payload = payload[len(packet.octets) :]

    def _say_version(self, side: Side, version: int) -> None:
        if version != NEGOTIATION and (side == Side.RESP or not self._answered):
            self.version = {V1: "1", V2: "2"}.get(version, f"0x{version:08x}")
            self._answered = side == Side.RESP

    def _initial(self, packet: LongPacket) -> None:
        if self.hello or self._initials >= MAX_INITIALS:
            return
        self._initials += 1
        if opened := self._opened(packet):
            crypto, frames = opened
            crypto.frames(frames)
            if message := crypto.message():
                self.hello = parse_client_hello(message, "q")

    def _opened(self, packet: LongPacket) -> tuple[_Crypto, bytes] | None:
        """The packet's frames, by known keys or by those of its own connection ID.

        That is new with the first packet, after a Retry, and after a Version Negotiation.
        """
        for keys, crypto in self._attempts:
            if keys.version == packet.version and (frames := keys.open(packet)) is not None:
                return crypto, frames
        keys, crypto = Keys(packet.version, packet.destination), _Crypto()
        frames = keys.open(packet)
        if frames is None:
            return None
        self._attempts = [(keys, crypto), *self._attempts][:MAX_KEYS]
        return crypto, frames


class _Crypto:
    """The stream of CRYPTO frames, which may come in any order and overlap."""

    def __init__(self) -> None:
        self._octets = bytearray()
        self._there = bytearray()  # 1 where an octet is

    def frames(self, octets: bytes) -> None:
        """Take the CRYPTO frames of an Initial packet (RFC 9000 17.2.2, 19)."""
        cursor = Cursor(octets)
        try:
            while len(cursor):
                kind = varint(cursor)
                if kind == CRYPTO:
                    offset = varint(cursor)
                    self._put(offset, cursor.take(varint(cursor)))
                elif kind in (ACK, ACK_ECN):
                    varint(cursor), varint(cursor)  # largest, delay
                    ranges = varint(cursor)
                    for _ in range(2 * ranges + 1 + (3 if kind == ACK_ECN else 0)):
                        varint(cursor)
                elif kind not in (PADDING, PING):
                    return  # CONNECTION_CLOSE: nothing follows
        except ShortError:
            return

    def message(self) -> bytes | None:
        """The first handshake message if it is whole, without its header."""
        there = self._there.find(0)
        known = len(self._octets) if there < 0 else there
        end = 4 + int.from_bytes(self._octets[1:4], "big")
        return bytes(self._octets[4:end]) if 4 <= end <= known and known > 4 else None

    def _put(self, offset: int, octets: bytes) -> None:
        end = offset + len(octets)
        if end > MAX_CRYPTO:
            return
        more = max(end - len(self._octets), 0)
        self._octets += bytes(more)
        self._there += bytes(more)
        self._octets[offset:end] = octets
        self._there[offset:end] = b"\1" * len(octets)
