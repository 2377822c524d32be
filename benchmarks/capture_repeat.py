"""One capture over and over as one: `python -m benchmarks.capture_repeat FILE TIMES | ...`.

The file's header comes once, then its packets again and again, each time later by as many seconds as
the capture lasts, and from other ports of the clients: the same ports with the same sequence numbers
would be retransmissions. Checksums stay right. The packets are those of `capture_lab`: Ethernet, IP
without options or extensions, TCP.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.capture_lab import PORT
from benchmarks.captures import ETHERNET, GLOBAL, RECORD, offsets

PIECE = 1 << 20  # octets written at once
CHECKSUM = 16  # its place in the TCP header (RFC 9293 section 3.1)

Octets = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.int64]


class Repeated:
    """A capture in memory, and where in it the times, the clients' ports and the checksums are."""

    def __init__(self, data: Octets) -> None:
        self.data = data
        starts = offsets(data)
        packets = starts + RECORD + ETHERNET
        segments = packets + np.where(data[packets] >> 4 == 4, 20, 40)
        self._seconds = starts[:, None] + np.arange(4)
        self._ports = segments + np.where(_number(data, segments) == PORT, 2, 0)
        self._checksums = segments + CHECKSUM
        seconds = data[self._seconds].view("=u4")
        self._lasts = np.uint32(seconds.max() - seconds.min() + 1)

    def later(self, flip: int) -> None:
        """Move all to where the capture ended, with the bits `flip` of the clients' ports turned."""
        seconds = self.data[self._seconds].view("=u4") + self._lasts
        self.data[self._seconds] = seconds.view(np.uint8)
        ports, checksums = (_number(self.data, at) for at in (self._ports, self._checksums))
        changed = (checksums ^ 0xFFFF) + (ports ^ 0xFFFF) + (ports ^ flip)  # RFC 1624 section 3
        changed = (changed & 0xFFFF) + (changed >> 16)
        changed = (changed & 0xFFFF) + (changed >> 16)
        _put(self.data, self._checksums, changed ^ 0xFFFF)
        _put(self.data, self._ports, ports ^ flip)


def _number(data: Octets, at: Numbers) -> Numbers:
    return data[at].astype(np.int64) << 8 | data[at + 1]


def _put(data: Octets, at: Numbers, numbers: Numbers) -> None:
    data[at], data[at + 1] = numbers >> 8, numbers & 0xFF


def main(path: str, times: int) -> None:
    repeated = Repeated(np.fromfile(Path(path), np.uint8))
    data = repeated.data
    sys.stdout.buffer.write(data[:GLOBAL].tobytes())
    for turn in range(1, times + 1):
        for begin in range(GLOBAL, len(data), PIECE):
            sys.stdout.buffer.write(data[begin : begin + PIECE].data)
        repeated.later(flip=turn ^ (turn - 1))  # so that the ports are the first ones ^ turn


if __name__ == "__main__":
    try:
        main(sys.argv[1], int(sys.argv[2]))
    except BrokenPipeError:
        sys.exit(1)  # the reader ended first, and says why
