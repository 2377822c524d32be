"""pcap files: https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcap/."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from l7meter.captures.chains import chain
from l7meter.captures.window import LONGEST, Integers, Walk, words

HEADER = 24  # octets
RECORD = 16  # octets of a packet's header
SIZE = 8  # where in it the captured octets are
PART = 256 << 10  # octets of a stretch whose records are followed beside those of others
LOOK = 2048  # octets at its start among which a record is sought
HOUR, WEEKS = np.uint32(3600), np.uint32(1 << 20)  # s
MODIFIED = 24  # of Kuznetzov's "modified" files, which add the interface, protocol and packet type
MAGIC = {
    0xA1B2C3D4: (RECORD, 1000),
    0xA1B23C4D: (RECORD, 1),
    0xA1B2CD34: (MODIFIED, 1000),
}  # to the octets of a record header, and the ns in a unit of time
LINK = 0xFFFF  # the link type; the other bits of its field tell the length of the frame check


def order(start: bytes | memoryview) -> str | None:
    """The byte order ("<" or ">") of a pcap file from its first four octets, or None."""
    for each in "<>":
        if len(start) >= 4 and struct.unpack_from(each + "I", start)[0] in MAGIC:
            return each
    return None


class Pcap:
    """Walks the records of a pcap file, given in stretches that start where the last walk ended."""

    def __init__(self, start: bytes | memoryview) -> None:
        self.order = order(start) or "<"
        magic, self.snap, field = struct.unpack_from(self.order + "I12xII", start)
        self.head, self.unit = MAGIC[magic]
        self.link = field & LINK

    def walk(self, data: memoryview, place: int) -> Walk:
        """The whole records from `place` on."""
        field = words(data, self.order)
        start, end = chain(
            place,
            len(data) - self.head + 1,
            self._seeming(field, place),
            lambda places: places + self.head + field[places + SIZE],
            lambda place, limit: self._follow(data, place, limit),
        )
        broken = None
        captured = field[start + SIZE]
        if len(long := np.flatnonzero(captured > LONGEST)):
            broken = f"claims {captured[long[0]]} captured octets, where {LONGEST} is the most"
            end, start = int(start[long[0]]), start[: long[0]]
        elif len(start) and end > len(data):
            end, start = int(start[-1]), start[:-1]
        seconds, fraction, size, length = (
            field[start + each].astype(np.int64) for each in (0, 4, 8, 12)
        )
        time = seconds * 1_000_000_000 + fraction * self.unit
        link = np.full(len(start), self.link, np.int32)
        return Walk(start + self.head, size, length, time, link, end, broken)

    def _follow(self, data: memoryview, place: int, limit: int) -> tuple[list[int], int]:
        """The places of records from one on, and the first that is not below the limit."""
        starts: list[int] = []
        append, head = starts.append, self.head
        read = struct.Struct(self.order + f"{SIZE}xI").unpack_from
        while place < limit:
            append(place)
            place += head + read(data, place)[0]
        return starts, place

    def _seeming(self, field: NDArray[np.uint32], place: int) -> Integers:
        """Places, some way from each other, where octets look like the start of a record."""
        parts = np.arange(place + PART, len(field) - LOOK - RECORD, PART)
        if not len(parts):
            return parts
        sizes = np.lib.stride_tricks.sliding_window_view(field, LOOK)[parts + SIZE]
        part, beyond = np.nonzero(sizes <= LONGEST)
        at = parts[part] + beyond
        like = field[at] - field[place] + HOUR < WEEKS  # unsigned: up to an hour before the first
        like &= (field[at + 4] < 1_000_000_000 // self.unit) & (field[at + 12] >= field[at + SIZE])
        _, first = np.unique(part[like], return_index=True)
        seeming: Integers = at[like][first]
        return seeming
