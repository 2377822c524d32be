"""Fragments of IP datagrams, kept until they are whole."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, field

from l7meter.captures.frames import Skipped
from l7meter.captures.internet import Packet

DATAGRAMS = 1024  # unfinished at a time; Linux keeps some 4 MiB of them
OCTETS = 16 << 20  # of captured payload and of `PIECE` for each fragment
PIECE = 256  # octets that keeping a fragment costs beside its payload
LONGEST = 65_535  # octets of a datagram's payload
UNFINISHED = "fragment of an unfinished datagram"

Key = tuple[int, bytes, bytes, int, int]


@dataclass(slots=True)
class Unfinished:
    """What came of a datagram; `starts`, `ends` and `pieces` in the order of their places."""

    first: Packet | None = None  # the fragment at place 0, which knows the protocol
    end: int | None = None  # known from the last fragment
    packets: int = 0
    wire: int = 0
    overhead: int = 0
    covered: int = 0
    cost: int = 0
    header_bad: bool = False
    refused: bool = False
    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    pieces: list[bytes] = field(default_factory=list)


class Fragments:
    """Puts datagrams together, bounded: the oldest unfinished ones go first.

    `held` fragments wait; `unfinished_octets` are the IP octets of those that never became whole.
    """

    def __init__(self, skipped: Counter[str]) -> None:
        self.held = 0
        self.unfinished_octets = 0
        self._skipped = skipped
        self._cost = 0
        self._datagrams: dict[Key, Unfinished] = {}

    def add(self, packet: Packet, overhead: int) -> tuple[Packet, int] | None:
        """Add a fragment: the whole datagram with its overhead, or None while parts are missing.

        Raises Skipped for a fragment that cannot be a part: repeated, overlapping (RFC 5722), beyond
        the longest datagram, or at odds with the others.
        """
        part = packet.fragment
        assert part is not None
        start, end = part.offset, part.offset + packet.length
        if end > LONGEST:
            raise Skipped("fragment beyond the longest datagram")
        if part.more and (packet.length % 8 or not packet.length):
            raise Skipped("fragment of an uneven length")
        protocol = packet.protocol if part.version == 4 else -1
        key = (protocol, packet.source, packet.destination, part.version, part.identification)
        state = self._datagrams.get(key)
        if state is None:
            state = self._datagrams[key] = Unfinished()
        self._check(state, start, end, part.more)
        gaps = _gaps(state, start, end)
        if part.version == 6 and gaps != [(start, end)] and start < end:
            if start in state.starts and end == state.ends[state.starts.index(start)]:
                raise Skipped("repeated fragment")
            self._refuse(key, state)
        if not gaps and start < end:
            raise Skipped("repeated fragment")
        for low, high in gaps:
            self._keep(state, low, bytes(packet.payload[low - start : high - start]), high)
        state.packets += packet.packets
        state.wire += packet.wire
        state.overhead += overhead
        state.header_bad |= packet.header_bad
        if not part.more:
            state.end = end
        if not start:
            state.first = packet
        self.held += packet.packets
        if state.end == state.covered and state.first:
            return self._whole(key, state, state.first)
        while len(self._datagrams) > DATAGRAMS or self._cost > OCTETS:
            self._drop(next(iter(self._datagrams)))
        return None

    def flush(self) -> None:
        """Count what never became whole."""
        for key in list(self._datagrams):
            self._drop(key)

    def _check(self, state: Unfinished, start: int, end: int, more: bool) -> None:
        if state.refused:
            raise Skipped("overlapping IPv6 fragment")
        last = state.ends[-1] if state.ends else 0
        beyond = state.end is not None and (end > state.end or (not more and end != state.end))
        if beyond or (not more and end < last):
            raise Skipped("fragment at odds with the others")

    def _keep(self, state: Unfinished, start: int, octets: bytes, end: int) -> None:
        at = bisect_right(state.starts, start)
        state.starts.insert(at, start)
        state.ends.insert(at, end)
        state.pieces.insert(at, octets)
        state.covered += end - start
        state.cost += len(octets) + PIECE
        self._cost += len(octets) + PIECE

    def _refuse(self, key: Key, state: Unfinished) -> None:
        """RFC 5722: overlapping fragments, and all others of their datagram, are no datagram."""
        self._drop(key)
        self._datagrams[key] = Unfinished(refused=True)
        raise Skipped("overlapping IPv6 fragment")

    def _whole(self, key: Key, state: Unfinished, first: Packet) -> tuple[Packet, int]:
        del self._datagrams[key]
        self._cost -= state.cost
        self.held -= state.packets
        captured = bytearray()
        for start, piece in zip(state.starts, state.pieces, strict=True):
            if start > len(captured):  # the fragment before was cut by the snap length
                break
            captured += piece
        return first._replace(
            wire=state.wire,
            packets=state.packets,
            payload=memoryview(bytes(captured)),
            length=state.covered,
            fragment=None,
            header_bad=state.header_bad,
        ), state.overhead

    def _drop(self, key: Key) -> None:
        state = self._datagrams.pop(key)
        self._cost -= state.cost
        self.held -= state.packets
        if state.packets:
            self._skipped[UNFINISHED] += state.packets
        self.unfinished_octets += state.wire


def _gaps(state: Unfinished, start: int, end: int) -> list[tuple[int, int]]:
    """The stretches of start to end that no fragment covers yet."""
    gaps = []
    at = max(bisect_right(state.starts, start) - 1, 0)
    for low, high in zip(state.starts[at:], state.ends[at:], strict=True):
        if low >= end:
            break
        if start < low:
            gaps.append((start, low))
        start = max(start, high)
    if start < end:
        gaps.append((start, end))
    return gaps
