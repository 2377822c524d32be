"""Words that all of the captures' modules share."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class Side(IntEnum):
    """Who sent it: the client that opened the connection, or the server (Zeek's orig and resp)."""

    ORIG = 0
    RESP = 1

    @property
    def other(self) -> Side:
        """The opposite side."""
        return _OTHER[self]


_OTHER = (Side.RESP, Side.ORIG)


class Moment(NamedTuple):
    """When: nanoseconds since 1970 UTC, and the number of the packet in its source, from 1."""

    time: int
    packet: int
