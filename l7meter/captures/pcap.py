"""pcap files: https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcap/."""

from __future__ import annotations

import struct

import numpy as np

from l7meter.captures.window import LONGEST, Walk, words

HEADER = 24  # octets
RECORD = 16  # octets of a packet's header
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
        starts: list[int] = []
        append = starts.append
        head, read = self.head, struct.Struct(self.order + "8xI").unpack_from
        try:
            while True:  # the chain of lengths: only its sequence cannot be a column
                append(place)
                place += head + read(data, place)[0]
        except struct.error:
            place = starts.pop()
        field = words(data, self.order)
        start = np.array(starts, np.int64)
        start = start[start <= len(data) - head]
        broken = None
        captured = field[start + 8]
        if len(long := np.flatnonzero(captured > LONGEST)):
            broken = f"claims {captured[long[0]]} captured octets, where {LONGEST} is the most"
            place, start = starts[long[0]], start[: long[0]]
        elif starts and place > len(data):
            place = starts.pop()
            start = start[: len(starts)]
        seconds, fraction, size, length = (
            field[start + each].astype(np.int64) for each in (0, 4, 8, 12)
        )
        time = seconds * 1_000_000_000 + fraction * self.unit
        link = np.full(len(start), self.link, np.int32)
        return Walk(start + head, size, length, time, link, place, broken)
