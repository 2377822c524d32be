"""pcapng files: https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcapng/."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from l7meter.captures.window import LONGEST, NO_TIME, Integers, Walk, words

MAGIC = b"\x0a\x0d\x0d\x0a"  # the kind of a section header block, alike in both byte orders
ORDER = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
INTERFACE, OLD, SIMPLE, NAMES, STATISTICS, ENHANCED = range(1, 7)
SECRETS, SECTION = 10, 0x0A0D0D0A
PACKETS = {ENHANCED: 28, OLD: 28, SIMPLE: 12}  # kind to the place of the packet in its block
SMALLEST = {SECTION: 28, INTERFACE: 20, STATISTICS: 24, SECRETS: 20, SIMPLE: 16, OLD: 32}
SMALLEST[ENHANCED] = 32  # octets of a block with nothing optional
BLOCK = 16 << 20  # octets; Wireshark refuses longer blocks too
INTERFACES = 1 << 16  # in a section: more than the number in an old packet block can name
KEPT_SECRETS = 16 << 20  # octets; some hundred thousand connections
KEY_LOG = 0x544C534B  # https://www.ietf.org/archive/id/draft-ietf-tls-keylogfile
FEW = 64  # blocks of a kind after which more are looked for
STRETCH = 1 << 20  # octets in which they are, at once
RESOLUTION, OFFSET = 9, 14  # options of an interface
DROPS = (5, 7)  # options of statistics: dropped by the interface, by the operating system
SKIPPED = {NAMES: "name resolution block", 0xBAD: "custom block", 0x40000BAD: "custom block"}

EMPTY = np.empty(0, np.int64)
NOTHING = Walk(EMPTY, EMPTY, EMPTY, EMPTY, np.empty(0, np.int32), 0)


class Broken(Exception):
    """What is wrong with a block."""


class Interface(NamedTuple):
    """Where packets were captured: link type, snap length (0: none), and its unit of time."""

    link: int
    snap: int
    resolution: int  # if_tsresol: 10**-n s, or 2**-n with the highest bit set
    offset: int  # s, added to each time


class Pcapng:
    """Walks the blocks of a pcapng file, given in stretches that start where the last walk ended.

    `snap` is the largest snap length said, `dropped` sums the last counts of each interface.
    """

    def __init__(self) -> None:
        self.snap = 0
        self.secrets: list[bytes] = []
        self.skipped: Counter[str] = Counter()
        self._room = KEPT_SECRETS
        self._order = "<"
        self._interfaces: list[Interface] = []
        self._drops: dict[int, int] = {}  # by interface of this section
        self._dropped: int | None = None  # in the sections before

    @property
    def dropped(self) -> int | None:
        """Packets dropped, as statistics say; None: they do not."""
        if not self._drops:
            return self._dropped
        return (self._dropped or 0) + sum(self._drops.values())

    def walk(self, data: memoryview, place: int) -> Walk:
        """The packets of the whole blocks from `place` on."""
        runs: list[Walk] = []
        broken = None
        try:
            while len(data) - place >= 12:
                kind, size = self._head(data, place)
                if place + size > len(data):
                    break
                if kind in PACKETS:
                    run = self._run(data, place, kind)
                    runs.append(run)
                    place = run.end
                    if run.broken:
                        raise Broken(run.broken)
                else:
                    (again,) = struct.unpack_from(self._order + "I", data, place + size - 4)
                    if again != size:
                        raise Broken(f"has two lengths: {size} and {again}")
                    self._block(kind, bytes(data[place + 8 : place + size - 4]))
                    place += size
        except Broken as problem:
            broken = str(problem)
        if not runs:
            return NOTHING._replace(end=place, broken=broken)
        return Walk(
            np.concatenate([run.start for run in runs]),
            np.concatenate([run.captured for run in runs]),
            np.concatenate([run.length for run in runs]),
            np.concatenate([run.time for run in runs]),
            np.concatenate([run.link for run in runs]),
            place,
            broken,
        )

    def _head(self, data: memoryview, place: int) -> tuple[int, int]:
        if data[place : place + 4] == MAGIC:
            order = ORDER.get(bytes(data[place + 8 : place + 12]))
            if order is None:
                raise Broken("starts a section of no known byte order")
            self._order = order
        kind, size = struct.unpack_from(self._order + "II", data, place)
        if size < SMALLEST.get(kind, 12) or size % 4 or size > BLOCK:
            raise Broken(f"claims {size} octets, which no block of kind {kind} has")
        return kind, size

    def _run(self, data: memoryview, place: int, kind: int) -> Walk:
        """The packets of consecutive blocks of one kind, the first known to be whole."""
        starts: list[Integers] = []
        few, end = self._follow(data, place, kind)
        while len(few):
            starts.append(few)
            place = end
            few, end = self._leap(data, place, kind) if len(few) >= FEW else (EMPTY, end)
        return self._columns(data, np.concatenate(starts), place, kind)

    def _follow(self, data: memoryview, place: int, kind: int) -> tuple[Integers, int]:
        """A few consecutive blocks of one kind, one after the other, and where they end."""
        starts: list[int] = []
        read = struct.Struct(self._order + "II").unpack_from
        smallest, end = SMALLEST[kind], len(data)
        while place <= end - 12 and len(starts) < FEW:
            each, size = read(data, place)
            if each != kind or size < smallest or size % 4 or size > BLOCK or place + size > end:
                break
            starts.append(place)
            place += size
        return np.array(starts, np.int64), place

    def _leap(self, data: memoryview, place: int, kind: int) -> tuple[Integers, int]:
        """Many of them at once: what looks like such a block, as far as each begins where one ends."""
        field = np.frombuffer(data[place:], self._order + "u4", (len(data) - place) // 4)
        at = np.flatnonzero(field[: min(STRETCH // 4, len(field) - 1)] == kind)
        size = field[at + 1].astype(np.int64)
        behind = at + size // 4
        alike = (
            (size >= SMALLEST[kind]) & (size % 4 == 0) & (size <= BLOCK) & (behind <= len(field))
        )
        at, behind = at[alike], behind[alike]
        leads = np.append(np.flatnonzero(at[1:] != behind[:-1]), len(at) - 1)  # not to the next one
        met: list[Integers] = []
        first, end = 0, 0
        while first < len(at) and at[first] == end:
            last = int(leads[np.searchsorted(leads, first)])
            met.append(at[first : last + 1])
            end = int(behind[last])
            first = int(np.searchsorted(at, end))  # what lies between is content
        return place + 4 * np.concatenate([EMPTY, *met]), place + 4 * end

    def _columns(self, data: memoryview, start: Integers, end: int, kind: int) -> Walk:
        """The packets of blocks of one kind, up to the first that is broken."""
        field = words(data, self._order)
        sizes = field[start + 4].astype(np.int64)
        again = field[start + sizes - 4]
        if kind == SIMPLE:
            number = np.zeros(len(start), np.int64)
            length = field[start + 8].astype(np.int64)
            snap = self._interfaces[0].snap if self._interfaces else 0
            captured = np.minimum(length, snap) if snap else length
        else:
            number = words(data, self._order, 4 if kind == ENHANCED else 2)[start + 8]
            captured = field[start + 20].astype(np.int64)
            length = field[start + 24].astype(np.int64)
        known = number < len(self._interfaces)
        fits = captured <= np.minimum(sizes - PACKETS[kind] - 4, LONGEST)
        good = known & fits & (again == sizes)
        count, broken = len(start), None
        if not good.all():
            count = int(good.argmin())
            end = int(start[count])
            if again[count] != sizes[count]:
                broken = f"has two lengths: {sizes[count]} and {again[count]}"
            elif not known[count]:
                broken = f"names the interface {number[count]}, which is not described"
            else:
                broken = f"claims {captured[count]} captured octets in {sizes[count]}"
        start, number = start[:count], number[:count]
        time = np.full(count, NO_TIME, np.int64)
        link = np.empty(count, np.int32)
        for each in np.unique(number).tolist():
            rows = np.flatnonzero(number == each)
            link[rows] = self._interfaces[each].link
            if kind != SIMPLE:
                high, low = (field[start[rows] + at].astype(np.uint64) for at in (12, 16))
                time[rows] = _nanoseconds(high << np.uint64(32) | low, self._interfaces[each])
        start = start + PACKETS[kind]
        return Walk(start, captured[:count], length[:count], time, link, end, broken)

    def _block(self, kind: int, body: bytes) -> None:
        """A whole block that holds no packet."""
        order = self._order
        if kind == SECTION:
            major, _ = struct.unpack_from(order + "HH", body, 4)
            if major != 1:
                raise Broken(f"starts a section of version {major}, which is not known")
            self._dropped, self._drops, self._interfaces = self.dropped, {}, []
        elif kind == INTERFACE:
            if len(self._interfaces) == INTERFACES:
                raise Broken(f"describes one interface more than {INTERFACES}")
            link, snap = struct.unpack_from(order + "HxxI", body)
            options = dict(_options(body[8:], order))
            resolution = (options.get(RESOLUTION) or b"\6")[0]
            offset = options.get(OFFSET, b"")
            seconds = struct.unpack(order + "q", offset)[0] if len(offset) == 8 else 0
            self._interfaces.append(Interface(link, snap, resolution, seconds))
            self.snap = max(self.snap, snap)
        elif kind == STATISTICS:
            (number,) = struct.unpack_from(order + "I", body)
            options = dict(_options(body[12:], order))
            counts = [options[each] for each in DROPS if len(options.get(each, b"")) == 8]
            if counts and number < len(self._interfaces):
                self._drops[number] = sum(struct.unpack(order + "Q", c)[0] for c in counts)
        elif kind == SECRETS:
            self._secrets(body)
        else:
            self.skipped[SKIPPED.get(kind, "unknown block")] += 1

    def _secrets(self, body: bytes) -> None:
        kind, size = struct.unpack_from(self._order + "II", body)
        if kind != KEY_LOG:
            self.skipped["secrets that are no TLS key log"] += 1
        elif size > min(self._room, len(body) - 8):
            self.skipped["secrets beyond the block or the limit"] += 1
        else:
            self._room -= size
            self.secrets.append(body[8 : 8 + size])


def _options(octets: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    place = 0
    while place + 4 <= len(octets):
        code, size = struct.unpack_from(order + "HH", octets, place)
        if not code:
            return
        yield code, octets[place + 4 : place + 4 + size]
        place += 4 + size + -size % 4


def _nanoseconds(ticks: NDArray[np.uint64], unit: Interface) -> Integers:
    """Exactly, downwards; numbers beyond 64 bits (the year 2262) wrap around."""
    power = unit.resolution & 0x7F
    if unit.resolution & 0x80:  # no product of these fits 64 bits
        values = [(tick * 10**9 >> power) % 2**64 for tick in ticks.tolist()]
        time = np.array(values, np.uint64)
    elif power <= 9:
        time = ticks * np.uint64(10 ** (9 - power))
    else:
        time = ticks // np.uint64(10 ** (power - 9)) if power <= 28 else np.zeros_like(ticks)
    offset = np.uint64(unit.offset * 10**9 % 2**64)
    return (time + offset).view(np.int64)
