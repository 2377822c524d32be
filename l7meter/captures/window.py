"""What a container of packets is read into: columns by packet."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

LONGEST = 256 << 10  # octets; the snap length that no capturing program goes beyond (libpcap's)
NO_TIME = -1  # ns; of a packet whose record holds no time (pcapng's simple packet block)

Integers = NDArray[np.int64]
Rows = NDArray[np.bool_]


class Window(NamedTuple):
    """Packets of a capture in one stretch of octets, columns by packet.

    `length` is what the capture says was on the wire, in octets: normally `captured` or more.
    `link` is a LINKTYPE_ number (https://www.tcpdump.org/linktypes.html).
    """

    data: memoryview  # contains every packet's captured octets
    start: Integers  # place of the packet's first octet in data
    captured: Integers  # octets
    length: Integers  # octets
    time: Integers  # ns since 1970 UTC, or NO_TIME
    link: NDArray[np.int32]
    number: int  # of the first packet in its source, from 1

    def octets(self, start: int, size: int) -> bytes:
        """So many octets of the data."""
        return bytes(self.data[start : start + size])


class Walk(NamedTuple):
    """The whole records at the start of some octets, where they end, and why no more can follow."""

    start: Integers
    captured: Integers
    length: Integers
    time: Integers
    link: NDArray[np.int32]
    end: int
    broken: str | None = None  # what is wrong with the record at `end`


def words(data: memoryview, order: str, size: int = 4) -> NDArray[Any]:
    """The unsigned integers of `size` octets that start at each place of the data."""
    count = max(len(data) - size + 1, 0)
    return np.ndarray((count,), f"{order}u{size}", data, strides=(1,))
