"""Text of addresses → octets, strictly; and what of them may be kept.

An address that carries its client's IPv4 address (IPv4-mapped RFC 4291 §2.5.5.2, NAT64 RFC 6052 §2.1, 6to4
RFC 3056 §2, Teredo RFC 4380 §4) is truncated as that: the first 48 bits of a 6to4 address are its client's
whole IPv4 address.
"""

from __future__ import annotations

import re
from functools import lru_cache
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton

KEPT_BITS = {4: 24, 16: 48}  # of addresses of so many octets
REMEMBERED = 1 << 17  # addresses recur from batch to batch; some 30 MB
UNKNOWN = "unknown"  # RFC 7239 §6.2: who it was is not told
_MAPPED = bytes(10) + b"\xff\xff"
_NAT64 = bytes.fromhex("0064ff9b") + bytes(8)
_PORTED = re.compile(r"([0-9.]+):[0-9]+|\[([^\]]*)\](?::[0-9]+)?")


@lru_cache(REMEMBERED)
def read(text: str) -> bytes | None:
    """The 4 or 16 octets of an address, or None for any other text.

    Blanks and quotes around it, brackets, a port and a zone are no part of it; an IPv4-mapped address
    is its IPv4 address, so that both ways to log one client are one.
    """
    octets = _octets(text)
    if octets is None:
        text = text.strip(' "')
        found = _PORTED.fullmatch(text)
        octets = _octets((found[1] or found[2]) if found else text)
    return octets[12:] if octets and octets[:12] == _MAPPED else octets


def carried(octets: bytes) -> bytes | None:
    """The IPv4 address that an IPv6 address carries by its block, if it does."""
    if len(octets) == 4:
        return None
    if octets[:12] == _NAT64:
        return octets[12:]
    if octets[:2] == b"\x20\x02":
        return octets[2:6]
    if octets[:4] == b"\x20\x01\x00\x00":
        return bytes(octet ^ 0xFF for octet in octets[12:])
    return None


@lru_cache(REMEMBERED)
def host(text: str) -> bytes | None:
    """Whose an address is, however it is written: what `read` gives, or the IPv4 address it carries."""
    octets = read(text)
    return None if octets is None else carried(octets) or octets


def written(octets: bytes) -> str:
    """An address as text (RFC 5952)."""
    return inet_ntop(AF_INET if len(octets) == 4 else AF_INET6, octets)


@lru_cache(REMEMBERED)
def truncated(text: str | None) -> str | None:
    """The address of the /24 (IPv4) or /48 (IPv6) that holds an address; None for what is none."""
    octets = None if text is None else host(text)
    if octets is None:
        return None
    kept = KEPT_BITS[len(octets)] // 8
    return written(octets[:kept] + bytes(len(octets) - kept))


def bounds(text: str) -> tuple[bytes, bytes] | None:
    """First and last address of a network, written as a prefix, `start-end` or one address.

    IPv6 stays IPv6: ::ffff:0:0/96 is no IPv4 network.
    """
    start, dash, end = text.partition("-")
    if dash:
        first, last = _octets(start), _octets(end)
        return (first, last) if first and last and len(first) == len(last) else None
    start, slash, size = text.partition("/")
    first = _octets(start)
    if first is None or (slash and not re.fullmatch("[0-9]{1,3}", size)):
        return None
    host_bits = len(first) * 8 - (int(size) if slash else len(first) * 8)
    if host_bits < 0:
        return None
    hosts = (1 << host_bits) - 1
    number = int.from_bytes(first, "big")
    return (number & ~hosts).to_bytes(len(first), "big"), (number | hosts).to_bytes(len(first), "big")  # fmt: skip


def widened(text: str | None) -> str | None:
    """A network that begins and ends on the border of a /24 (/48) and holds the given one.

    Both ends count: `192.0.2.0` of 198.51.100.0-192.0.2.3 would tell four addresses. None for what is
    no network.
    """
    ends = None if text is None else bounds(text)
    if ends is None:
        return None
    size = len(ends[0])
    hosts = (1 << size * 8 - KEPT_BITS[size]) - 1
    first = int.from_bytes(ends[0], "big") & ~hosts
    last = int.from_bytes(ends[1], "big") | hosts
    span = first ^ last
    start = written(first.to_bytes(size, "big"))
    if span & (span + 1) == 0 and first & span == 0:
        return f"{start}/{size * 8 - span.bit_length()}"
    return f"{start}-{written(last.to_bytes(size, 'big'))}"


def _octets(text: str) -> bytes | None:
    try:
        if ":" in text:
            return inet_pton(AF_INET6, text.partition("%")[0])
        return inet_pton(AF_INET, text)
    except (OSError, ValueError):  # ValueError: a NUL, a lone surrogate
        return None
