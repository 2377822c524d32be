"""What a client offers at the start of TLS: the ClientHello (RFC 8446 4.1.2) and its JA4."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from l7meter.captures.base import text

SERVER_NAME, SIGNATURE_ALGORITHMS, ALPN, SUPPORTED_VERSIONS, ECH = 0, 13, 16, 43, 0xFE0D

# as servers log them (`ssl_protocol` of nginx, `SSL_PROTOCOL` of Apache)
VERSIONS = {0x0300: "SSLv3", 0x0301: "TLSv1", 0x0302: "TLSv1.1", 0x0303: "TLSv1.2", 0x0304: "TLSv1.3"}  # fmt: skip
JA4_VERSIONS = {0x0002: "s2", 0x0300: "s3", 0x0301: "10", 0x0302: "11", 0x0303: "12", 0x0304: "13",
                0xFEFF: "d1", 0xFEFD: "d2", 0xFEFC: "d3"}  # fmt: skip
NOTHING = "000000000000"  # JA4's word for the hash of an empty list


@dataclass(frozen=True)
class ClientHello:
    """The offer of a TLS client.

    `version` is the highest one offered, `TLSv1.3`, or hexadecimal where it has no such name.
    `server_name` and `alpn` are as sent (what is no UTF-8 is escaped with a backslash). With `ech`
    there is an Encrypted ClientHello extension (RFC 9849), a real one or a filler that looks the
    same: `server_name` may then be that of a front only.
    """

    version: str
    server_name: str | None
    alpn: tuple[str, ...]
    ja4: str
    ech: bool


class ShortError(ValueError):
    """A vector reaches beyond its end."""


class Cursor:
    """A place in octets; numbers and vectors are taken from it (presentation of RFC 8446 3)."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._at = 0

    def __len__(self) -> int:
        return len(self._octets) - self._at

    def take(self, size: int) -> bytes:
        """The next `size` octets; raises ShortError where there are fewer."""
        if size > len(self):
            raise ShortError(f"{size} octets wanted, {len(self)} left")
        self._at += size
        return self._octets[self._at - size : self._at]

    def number(self, width: int) -> int:
        """An unsigned number of `width` octets, most significant first."""
        return int.from_bytes(self.take(width), "big")

    def vector(self, width: int) -> bytes:
        """A vector behind its length of `width` octets."""
        return self.take(self.number(width))


def version_name(number: int) -> str:
    """The name of a protocol version as in access logs, or its number in hexadecimal."""
    return VERSIONS.get(number, f"0x{number:04x}")


def parse_client_hello(body: bytes, transport: str) -> ClientHello | None:
    """Read a ClientHello without its 4-octet handshake header; None where it is cut or malformed.

    `transport` is JA4's letter: `t` for TLS over TCP, `q` for QUIC.
    """
    cursor = Cursor(body)
    try:
        legacy_version = cursor.number(2)
        cursor.take(32)  # random
        cursor.vector(1)  # session
        ciphers = _not_grease(_numbers(cursor.vector(2)))
        cursor.vector(1)  # compression
        extensions = list(read_extensions(cursor))
        said = dict(reversed(extensions))  # of a repeated one the first counts
        offered = said.get(SUPPORTED_VERSIONS)
        versions = _not_grease(_numbers(Cursor(offered).vector(1))) if offered else []
        version = max(versions, default=legacy_version)
        names = _server_names(said.get(SERVER_NAME, b""))
        alpn = read_alpn(said.get(ALPN, b""))
        algorithms = said.get(SIGNATURE_ALGORITHMS)
        signatures = _not_grease(_numbers(Cursor(algorithms).vector(2))) if algorithms else []
    except ShortError:
        return None
    return ClientHello(
        version_name(version),
        names[0] if names else None,
        tuple(text(name) for name in alpn),
        _ja4(
            transport, version, ciphers, _not_grease([n for n, _ in extensions]), alpn, signatures
        ),
        ECH in said,
    )


def read_extensions(cursor: Cursor) -> Iterator[tuple[int, bytes]]:
    """Numbers and contents of the extensions at the end of a hello; old hellos have none."""
    rest = Cursor(cursor.vector(2) if len(cursor) else b"")
    while len(rest):
        yield rest.number(2), rest.vector(2)


def read_alpn(extension: bytes) -> list[bytes]:
    """The protocol names of an ALPN extension (RFC 7301 3.1)."""
    names = Cursor(Cursor(extension).vector(2) if extension else b"")
    found = []
    while len(names):
        found.append(names.vector(1))
    return found


def _server_names(extension: bytes) -> list[str]:
    """Names of the type host_name (RFC 6066 3)."""
    entries = Cursor(Cursor(extension).vector(2) if extension else b"")
    found = []
    while len(entries):
        kind, name = entries.number(1), entries.vector(2)
        if kind == 0 and name:
            found.append(text(name))
    return found


def _numbers(octets: bytes) -> list[int]:
    return [int.from_bytes(octets[at : at + 2], "big") for at in range(0, len(octets) - 1, 2)]


def _not_grease(numbers: Sequence[int]) -> list[int]:
    """Without the reserved values that keep servers tolerant (RFC 8701): 0x0a0a, 0x1a1a, ..."""
    return [n for n in numbers if n & 0x0F0F != 0x0A0A or n >> 8 != n & 0xFF]


def _ja4(
    transport: str,
    version: int,
    ciphers: Sequence[int],
    extensions: Sequence[int],
    alpn: Sequence[bytes],
    signatures: Sequence[int],
) -> str:
    """The fingerprint by the specification of JA4 (FoxIO, BSD-3-Clause; the values without GREASE).

    https://github.com/FoxIO-LLC/ja4/blob/main/technical_details/JA4.md
    """
    name = "d" if SERVER_NAME in extensions else "i"
    counts = f"{min(len(ciphers), 99):02}{min(len(extensions), 99):02}"
    plain = f"{transport}{JA4_VERSIONS.get(version, '00')}{name}{counts}{_ends(alpn)}"
    hashed = _hex(sorted(n for n in extensions if n not in (SERVER_NAME, ALPN)))
    if hashed and signatures:
        hashed += "_" + _hex(signatures)
    return f"{plain}_{_hash(_hex(sorted(ciphers)))}_{_hash(hashed)}"


def _ends(alpn: Sequence[bytes]) -> str:
    """First and last character of the first ALPN name; of its hexadecimal form if one is no letter or digit."""
    if not alpn or not alpn[0]:
        return "00"
    first, last = alpn[0][:1], alpn[0][-1:]
    if first.isalnum() and last.isalnum():
        return (first + last).decode("ascii")
    return first.hex()[0] + last.hex()[1]


def _hex(numbers: Sequence[int]) -> str:
    return ",".join(f"{n:04x}" for n in numbers)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:12] if text else NOTHING
