"""Words that all of the captures' modules share."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


def text(octets: bytes) -> str:
    """Octets as text; what is no UTF-8 stands as its escape."""
    return octets.decode("utf-8", "backslashreplace")


class Side(IntEnum):
    """Who sent it: the client that opened the connection, or the server (Zeek's orig and resp)."""

    ORIG = 0
    RESP = 1

    @property
    def other(self) -> Side:
        """The opposite side."""
        return _OTHER[self]


_OTHER = (Side.RESP, Side.ORIG)
Endpoint = tuple[bytes, int]  # packed address and port


class Moment(NamedTuple):
    """When: nanoseconds since 1970 UTC, and the number of the packet in its source, from 1."""

    time: int
    packet: int
