"""The header by which a load balancer says for whom it opened a connection (HAProxy's PROXY protocol).

Source: doc/proxy-protocol.txt of HAProxy. Version 1 is a line, version 2 is binary.
"""

from __future__ import annotations

import ipaddress
from typing import NamedTuple

from l7meter.captures.base import text

MAX_LINE = 107  # octets of version 1, CRLF included
MAX_BINARY = 4096  # octets of version 2 that are waited for; HAProxy sends some hundred at most
_LINE = b"PROXY "
_BINARY = b"\r\n\r\n\0\r\nQUIT\n"
_ADDRESSES = {0x11: 4, 0x12: 4, 0x21: 16, 0x22: 16}  # octets by family and transport


class Proxied(NamedTuple):
    """A header of `size` octets, and the address of the client if it says one."""

    size: int
    client: str | None


def looks_proxied(start: bytes) -> bool:
    """Whether octets begin such a header."""
    return start.startswith((_LINE, _BINARY))


def proxied(start: bytes) -> Proxied | None:
    """The header that the first octets of a connection are; None if they hold no whole one."""
    if start.startswith(_BINARY):
        return _binary(start)
    line, end, _ = start[:MAX_LINE].partition(b"\r\n")
    if not (end and line.startswith(_LINE)):
        return None
    _, family, *said = line.split(b" ")
    client = _address(text(said[0])) if family in (b"TCP4", b"TCP6") and len(said) == 4 else None
    return Proxied(len(line) + 2, client) if client or family == b"UNKNOWN" else None


def waits(start: bytes) -> bool:
    """Whether more octets may make a header whole."""
    if start.startswith(_BINARY):
        return len(start) < MAX_BINARY and proxied(start) is None
    if start.startswith(_LINE):
        return len(start) < MAX_LINE and b"\r\n" not in start
    return bool(start) and (_LINE.startswith(start) or _BINARY.startswith(start))


def _binary(start: bytes) -> Proxied | None:
    if len(start) < 16 or start[12] >> 4 != 2:
        return None
    size = 16 + int.from_bytes(start[14:16], "big")
    if len(start) < size:
        return None
    octets = _ADDRESSES.get(start[13], 0)
    by_proxy = start[12] & 15 == 1  # else LOCAL: the balancer asks for itself
    packed = start[16 : 16 + octets]
    known = by_proxy and octets and size >= 16 + 2 * octets + 4
    return Proxied(size, str(ipaddress.ip_address(packed)) if known else None)


def _address(said: str) -> str | None:
    try:
        return str(ipaddress.ip_address(said))
    except ValueError:
        return None
