"""A packet capture's octets (pcap or pcapng) as windows of packets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np

from l7meter.captures import pcap, pcapng
from l7meter.captures.window import NO_TIME, Walk, Window

WINDOW = 64 << 20  # octets
PACKETS = 80_000  # of a window, as those before it were: their columns take memory as well
FIRST = 8 << 20  # octets of the first one: all else waits for it
GROWTH = 4  # how many times as large as the one before the next may be
START = 24  # octets, enough to know the kind of capture; a pcap file's header

__all__ = ["NO_TIME", "Container", "Window", "is_capture"]


def is_capture(start: bytes | memoryview) -> str | None:
    """Tell "pcap" or "pcapng" from the first four octets or more; None for anything else."""
    if start[:4] == pcapng.MAGIC:
        return "pcapng"
    return "pcap" if pcap.order(start) else None


def first_time(start: bytes) -> int | None:
    """When the first packet passed that is whole in a capture's first octets, ns since 1970 UTC."""
    return next(map(begins, Container([start]).windows()), None)


def begins(window: Window) -> int | None:
    """The first time that a window says, ns since 1970 UTC; None where it says none."""
    said = window.time[window.time != NO_TIME]
    return int(said[0]) if len(said) else None


class Container:
    """The packets of one file from its (decompressed) octets, in pieces of any size, in order.

    After `windows` is exhausted: `packets` is how many were delivered, `problem` a sentence on
    where and how the capture is cut short or broken, `snap` the largest snap length said (octets),
    `secrets` the TLS key logs within, `dropped` the packets that the capturing system says it lost,
    `skipped` the blocks read over, by kind. The last three are of pcapng alone.
    """

    def __init__(self, pieces: Iterable[bytes], size: int = WINDOW) -> None:
        self.kind: str | None = None
        self.packets = 0
        self.problem: str | None = None
        self._pieces = pieces
        self._size = max(size, 1)
        self._walker: pcap.Pcap | pcapng.Pcapng | None = None
        self._place = 0  # of the octets at hand in the file

    @property
    def snap(self) -> int | None:
        """The largest snap length that an interface says, in octets; None: not said."""
        return (self._walker.snap or None) if self._walker else None

    @property
    def secrets(self) -> list[bytes]:
        """The TLS key logs of decryption secrets blocks, each as it stands."""
        return self._walker.secrets if isinstance(self._walker, pcapng.Pcapng) else []

    @property
    def dropped(self) -> int | None:
        """Packets that interface statistics blocks count as dropped; None: not said."""
        return self._walker.dropped if isinstance(self._walker, pcapng.Pcapng) else None

    @property
    def skipped(self) -> Counter[str]:
        """Blocks that hold no packet and were read over, by kind."""
        return self._walker.skipped if isinstance(self._walker, pcapng.Pcapng) else Counter()

    def windows(self) -> Iterator[Window]:
        """Windows of about `size` octets at most, each with one packet or more; none is split."""
        size = min(self._size, FIRST)
        wanted = max(size, START)
        held = _Held(wanted)
        for piece in _cut(self._pieces, self._size):
            held.add(piece)
            if held.size < wanted:
                continue
            data = held.octets()
            walk = self._walk(data)
            if len(walk.start):
                yield self._window(data, walk)
                dense = PACKETS * walk.end // len(walk.start)
                size = min(self._size, dense, GROWTH * len(data))
            if self.problem:
                for _ in self._pieces:
                    pass  # read to the end all the same: a source is known by all of its octets
                return
            rest = data[walk.end :]
            # a record longer than the size: twice the octets each time, so that copying is linear
            wanted = len(rest) + max(size, len(rest))
            held = _Held(wanted)
            held.add(rest)
        data = held.octets()
        walk = self._walk(data)
        if len(walk.start):
            yield self._window(data, walk)
        if not self.problem and (walk.end < len(data) or not self._place):
            self.problem = self._left_over(len(data) - walk.end)

    def _walk(self, data: memoryview) -> Walk:
        place = 0
        if self._walker is None:
            self.kind = is_capture(data)
            if self.kind is None and len(data) >= 4:
                self.problem = f"it is no packet capture: it starts with {data[:4].hex(' ')}"
            if self.kind is None or (self.kind == "pcap" and len(data) < START):
                return pcapng.NOTHING
            if self.kind == "pcap":
                self._walker, place = pcap.Pcap(data), pcap.HEADER
            else:
                self._walker = pcapng.Pcapng()
        walk = self._walker.walk(data, place)
        self._place += walk.end
        if walk.broken:
            what = "packet" if self.kind == "pcap" else "block"
            self.problem = (
                f"the {what} at octet {self._place} (packets before: "
                f"{self.packets + len(walk.start)}) {walk.broken}; what follows is not read"
            )
        return walk

    def _window(self, data: memoryview, walk: Walk) -> Window:
        first = self.packets + 1
        self.packets += len(walk.start)
        return Window(data, walk.start, walk.captured, walk.length, walk.time, walk.link, first)

    def _left_over(self, octets: int) -> str:
        if not octets and not self._place:
            return "the capture is empty"
        return (
            f"the capture is cut short (or is still being written): {octets} octets are left over "
            f"at octet {self._place} (packets before: {self.packets})"
        )


class _Held:
    """Octets that come together to a window.

    They lie in an array of NumPy's, which asks the system for large pages: to join pieces as `bytes`
    takes eight times as long, nearly all of it to get the memory.
    """

    def __init__(self, wanted: int) -> None:
        self.size = 0
        self._room = np.empty(wanted + wanted // 8, np.uint8)

    def add(self, piece: bytes | memoryview) -> None:
        """Take a piece behind those that came before."""
        behind = self.size + len(piece)
        if behind > len(self._room):
            wider = np.empty(2 * behind, np.uint8)
            wider[: self.size] = self._room[: self.size]
            self._room = wider
        self._room[self.size : behind] = np.frombuffer(piece, np.uint8)
        self.size = behind

    def octets(self) -> memoryview:
        """All of them; nothing may be added any more."""
        return self._room[: self.size].data.toreadonly()


def _cut(pieces: Iterable[bytes], size: int) -> Iterator[bytes | memoryview]:
    for piece in pieces:
        if len(piece) <= size:
            yield piece
        else:
            view = memoryview(piece)
            yield from (view[place : place + size] for place in range(0, len(view), size))
