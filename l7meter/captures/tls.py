"""TLS without keys: what the handshake says in the clear, and octets by record (RFC 8446 5)."""

from __future__ import annotations

from l7meter.captures.base import Moment, Side, text
from l7meter.captures.client_hello import (
    ALPN,
    SUPPORTED_VERSIONS,
    ClientHello,
    Cursor,
    ShortError,
    parse_client_hello,
    read_alpn,
    read_extensions,
    version_name,
)
from l7meter.captures.tls_records import Records, plausible_header

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA, HEARTBEAT = 20, 21, 22, 23, 24
CLIENT_HELLO, SERVER_HELLO = 1, 2
MAX_HANDSHAKE = 64 << 10  # octets; post-quantum hellos are below 4 KiB
UNKNOWN = (0, 0)

# (octets in front of, behind) the content of a record's body
# TLS 1.3: content type and tag (RFC 8446 5.2); TLS 1.2: explicit nonce (RFC 5288 3), tag
TLS13, TLS13_SHORT_TAG, AEAD, AEAD_SHORT_TAG, CHACHA20 = (0, 17), (0, 9), (8, 16), (8, 8), (0, 16)
OVERHEADS = (UNKNOWN, TLS13, TLS13_SHORT_TAG, AEAD, AEAD_SHORT_TAG, CHACHA20)
MOST_FRONT, MOST_BACK = 8, 17


def _ids(*ranges: tuple[int, int]) -> frozenset[int]:
    return frozenset(n for first, last in ranges for n in range(first, last + 1))


# https://www.iana.org/assignments/tls-parameters (TLS Cipher Suites)
CCM_8 = _ids((0xC0A0, 0xC0A3), (0xC0A8, 0xC0AB), (0xC0AE, 0xC0AF), (0xD003, 0xD003))
GCM_OR_CCM = _ids((0x9C, 0xAD), (0xC02B, 0xC032), (0xC050, 0xC063), (0xC06A, 0xC06F), (0xC07A, 0xC093), (0xC09C, 0xC09F), (0xC0A4, 0xC0A7), (0xC0AC, 0xC0AD), (0xD001, 0xD002), (0xD005, 0xD005))  # fmt: skip
POLY1305 = _ids((0xCCA8, 0xCCAE))


def looks_like_tls(octets: bytes) -> bool:
    """Whether the first octets of a stream (6 are enough) are a TLS record.

    That is a hello, or, in a connection whose start was not captured, application data.
    """
    if len(octets) < 6 or not plausible_header(octets):
        return False
    if octets[0] == HANDSHAKE:
        return octets[5] in (CLIENT_HELLO, SERVER_HELLO)
    length = int.from_bytes(octets[3:5], "big")
    return (octets[0] == APPLICATION_DATA and octets[1:3] == b"\3\3" and length > 0) or (
        octets[0] == ALERT and length == 2
    )


class Tls:
    """One TLS connection without keys: what the handshake says in the clear, and octets by record type.

    `hello` is the first ClientHello; `version`, `cipher` and `alpn` are those of the ServerHello
    (its ALPN is encrypted since TLS 1.3); None where it was not seen whole.

    Of each side, `[orig, resp]`: octets given == 5 * `records` + `bodies` + `other`. `records` are
    the records whose header was seen, `bodies` the octets seen behind those headers, and `other`
    is what is no TLS record, what was skipped after a gap, and the start of a header.

    With `midstream` the first octets need not be those of a record.
    """

    def __init__(self, midstream: bool = False) -> None:
        self.hello: ClientHello | None = None
        self.version: str | None = None
        self.cipher: int | None = None
        self.alpn: str | None = None
        self._records = [Records(in_step=not midstream) for _ in Side]
        self._handshakes: list[bytearray | None] = [
            None if midstream else bytearray() for _ in Side
        ]
        self._inside = [0, 0]
        self._content = [dict.fromkeys(OVERHEADS, 0) for _ in Side]

    def expects(self, side: Side) -> int:
        """Octets to come of a side that are encrypted content: `data` will not look at them."""
        return self._records[side].left

    def data(self, side: Side, octets: bytes, at: Moment) -> None:
        """Take the next octets of a side."""
        for piece in self._records[side].data(octets):
            if piece.kind == APPLICATION_DATA:
                self._application(side, piece.length, piece.position, len(piece.octets))
            elif piece.kind == HANDSHAKE:
                self._handshake(side, piece.octets)
            elif piece.kind == CHANGE_CIPHER_SPEC:  # what follows is encrypted
                self._handshakes[side] = None

    def passed(self, side: Side, size: int) -> None:
        """So many of the next octets of a side are the content that it `expects`."""
        self._application(side, *self._records[side].passed(size), size)

    def gap(self, side: Side, size: int, at: Moment) -> None:
        """Octets that were sent but not captured; inside a record they do not break its step."""
        if size > 0:
            self._handshakes[side] = None
            self._records[side].gap(size)

    @property
    def application(self) -> list[int]:
        """Octets of application_data records that were seen, without what encryption adds to them.

        Without the record headers always. With an AEAD cipher of TLS 1.2 the explicit nonce (8, none
        with ChaCha20) and the tag (16, 8 with CCM_8) of each record are left out, and the number is
        exact (but for compression). With TLS 1.3 the tag and the content type (17 or 9) are; the
        number is then an upper bound, because padding, and handshake messages after the
        ServerHello (certificates, Finished, tickets: some KiB from the server), look the same. See
        `overhead` for the rest.
        """
        overhead = self.overhead or UNKNOWN
        return [self._inside[side] + self._content[side][overhead] for side in Side]

    @property
    def overhead(self) -> tuple[int, int] | None:
        """Octets (in front of, behind) the content of each application_data body.

        None where they are not known (no ServerHello seen) or differ by record (CBC: vector, MAC
        and padding): `application` then counts whole bodies, an upper bound.
        """
        if self.cipher is None:
            return None
        if self.cipher >> 8 == 0x13:
            return TLS13_SHORT_TAG if self.cipher == 0x1305 else TLS13
        if self.cipher in CCM_8:
            return AEAD_SHORT_TAG
        if self.cipher in GCM_OR_CCM:
            return AEAD
        return CHACHA20 if self.cipher in POLY1305 else None

    @property
    def records(self) -> list[int]:
        """Records by side."""
        return [side.count for side in self._records]

    @property
    def bodies(self) -> list[int]:
        """Octets of record bodies that were seen, by side."""
        return [side.bodies for side in self._records]

    @property
    def other(self) -> list[int]:
        """Octets that are no TLS record, by side."""
        return [side.other for side in self._records]

    def _application(self, side: Side, length: int, begin: int, size: int) -> None:
        """Count the octets at a place of an application_data record's body of so many octets."""
        end = begin + size
        if begin >= MOST_FRONT and end <= length - MOST_BACK:
            self._inside[side] += size  # content whatever the cipher
            return
        content = self._content[side]
        for front, back in OVERHEADS:
            first = begin if begin > front else front
            behind = end if end < length - back else length - back
            if behind > first:
                content[front, back] += behind - first

    def _handshake(self, side: Side, octets: bytes) -> None:
        """Gather handshake messages until the hello of this side is there."""
        held = self._handshakes[side]
        if held is None:
            return
        held += octets[: MAX_HANDSHAKE + 4 - len(held)]
        wanted = SERVER_HELLO if side else CLIENT_HELLO
        while len(held) >= 4:
            length = int.from_bytes(held[1:4], "big")
            if length > MAX_HANDSHAKE:
                self._handshakes[side] = None
                return
            if len(held) < 4 + length:
                return
            kind, body = held[0], bytes(held[4 : 4 + length])
            del held[: 4 + length]
            if kind == wanted:
                self._handshakes[side] = None
                if side == Side.ORIG:
                    self.hello = parse_client_hello(body, "t")
                else:
                    self._server_hello(body)
                return

    def _server_hello(self, body: bytes) -> None:
        """Read a ServerHello (RFC 8446 4.1.3) or a HelloRetryRequest, which binds the same choices."""
        cursor = Cursor(body)
        try:
            version = cursor.number(2)
            cursor.take(32)  # random
            cursor.vector(1)  # session
            cipher = cursor.number(2)
            cursor.take(1)  # compression
            said = dict(read_extensions(cursor))
            if SUPPORTED_VERSIONS in said:
                version = Cursor(said[SUPPORTED_VERSIONS]).number(2)
            alpn = read_alpn(said.get(ALPN, b""))
        except ShortError:
            return
        self.version, self.cipher = version_name(version), cipher
        self.alpn = text(alpn[0]) if alpn else None
