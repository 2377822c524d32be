"""One direction of a TCP connection: segments in as they were captured, octets out in order (RFC 9293).

Nothing is invented. Octets that a later segment or an acknowledgement proves to have been sent, but
that were not captured, come out as a gap of their exact size.
"""

from __future__ import annotations

from bisect import insort
from collections import Counter
from collections.abc import Iterable, Iterator
from operator import attrgetter
from typing import NamedTuple

from l7meter.captures.base import Moment

FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
SPECIAL = FIN | SYN | RST | URG  # more than data and acknowledgements
SPACE = 1 << 32  # of sequence numbers

FAR = (
    1 << 30
)  # octets beyond the next one that are taken for another connection's: the largest window
HELD_SEGMENTS = 4096  # that wait for the ones before them; more, and what is missing is a gap
HELD_OCTETS = 16 << 20
PATIENCE = (
    32  # segments seen of the connection after a hole was acknowledged: it may be out of order
)
UNHEARD = 64  # segments held where the other side is not captured, and never acknowledges


class Segment(NamedTuple):
    """A TCP segment; `length` is its payload by the IP length, `payload` what was captured of it."""

    source: int
    destination: int
    seq: int
    ack: int | None
    flags: int
    payload: bytes
    length: int


class Piece(NamedTuple):
    """Octets in order, or (then they are empty) how many are missing before the next ones."""

    octets: bytes
    missing: int
    at: Moment


class Held(NamedTuple):
    """A segment behind a hole; `seq` is not wrapped."""

    seq: int
    payload: bytes
    length: int
    at: Moment


def parse(octets: bytes, length: int) -> Segment | None:
    """The segment of an IP payload of `length` octets; None where its header is cut or impossible."""
    if len(octets) < 20:
        return None
    header = (octets[12] >> 4) * 4
    if header < 20 or header > length:
        return None
    flags = octets[13]
    ack = int.from_bytes(octets[8:12], "big") if flags & ACK else None
    return Segment(
        int.from_bytes(octets[0:2], "big"),
        int.from_bytes(octets[2:4], "big"),
        int.from_bytes(octets[4:8], "big"),
        ack,
        flags,
        octets[header:],
        length - header,
    )


class Stream:
    """One direction. Feed `segment` and, from the other direction, `acknowledged`."""

    def __init__(self) -> None:
        self.started = False
        self.octets = 0  # distinct ones that were captured
        self.missing = 0
        self.repeated = 0  # octets that came again
        self.closed: Moment | None = None  # where the FIN stands, all before it delivered
        self.limits: Counter[str] = Counter()  # that were hit, by name
        self._next = 0  # sequence number of the next octet, not wrapped
        self._fin: tuple[int, Moment] | None = None
        self._held: list[Held] = []
        self._held_octets = 0
        self._acknowledged: int | None = None
        self._waited = 0

    def segment(self, segment: Segment, at: Moment) -> Iterator[Piece]:
        """The pieces that this segment completes."""
        seq = segment.seq
        if segment.flags & SYN:
            seq = (seq + 1) % SPACE
        if not self.started:
            self.started = True
            self._next = seq
        place = self._unwrapped(seq)
        if segment.flags & RST:  # its payload is a message for people (RFC 9293 section 3.5.2)
            return
        if segment.length:
            yield from self._take(place, segment.payload, segment.length, at)
        if segment.flags & FIN and self._fin is None and place + segment.length >= self._next:
            self._fin = (place + segment.length, at)
        yield from self._overdue(at)
        if self._fin and self.closed is None and self._next >= self._fin[0]:
            self.closed = self._fin[1]

    def goes_on(self, seq: int) -> bool:
        """Whether the octets of this sequence number are the next ones, with nothing held."""
        in_order = self.started and not self._held and self._fin is None
        return in_order and self._unwrapped(seq) == self._next

    @property
    def following(self) -> int:
        """The sequence number of the next octet."""
        return self._next % SPACE

    @property
    def heard(self) -> bool:
        """Whether the other side acknowledges, and nothing beyond what came."""
        return self._acknowledged is not None and not self.ahead

    @property
    def ahead(self) -> bool:
        """Whether the other side acknowledged what did not come, or not yet."""
        return self._acknowledged is not None and self._acknowledged > self._next

    @property
    def whole(self) -> bool:
        """Whether nothing waits for octets before it."""
        return not self._held

    def awaits(self) -> tuple[int, list[Held]] | None:
        """The sequence number of the next octet, and what is held behind a hole, in order.

        None where what follows cannot just be put in order: a FIN came, nobody acknowledges or has
        octets that did not come, much is held, or not all of it was captured.
        """
        if not self.heard or self._fin or len(self._held) > HELD_SEGMENTS // 2:
            return None
        cut = any(len(each.payload) < each.length for each in self._held)
        return None if cut else (self.following, self._held)

    def holds(self, late: Iterable[tuple[int, bytes, Moment]]) -> None:
        """These, by sequence number, are held from now on, and nothing else."""
        held = [Held(self._unwrapped(seq), octets, len(octets), at) for seq, octets, at in late]
        self._held = sorted(held, key=attrgetter("seq"))
        self._held_octets = sum(each.length for each in held)
        self._waited = 0

    def passed(self, size: int) -> None:
        """So many of the next octets went by, in order."""
        self._next += size
        self.octets += size

    def ended(self, following: int, octets: int, acknowledged: int, at: Moment) -> None:
        """All octets went by from a sequence number up to the FIN; -1: nothing was acknowledged."""
        self.started, self.octets, self.closed = True, octets, at
        self._next = following + octets
        self._fin = self._next, at
        self._acknowledged = following + acknowledged if acknowledged >= 0 else None

    def acknowledged(self, ack: int) -> None:
        """The other side has said that it has everything before this sequence number."""
        if self.started:
            place = self._unwrapped(ack)
            if abs(place - self._next) < FAR:
                self._acknowledged = max(place, self._acknowledged or place)

    def other_passed(self, at: Moment) -> Iterator[Piece]:
        """A segment of the other direction was seen: patience with a hole comes to its end."""
        return self._overdue(at) if self._held else iter(())

    def end(self, at: Moment) -> Iterator[Piece]:
        """What is still held, and what was acknowledged and never seen."""
        while self._held:
            yield from self._skip(at)
        if self._acknowledged is None:
            return
        if self._fin:
            behind = min(self._acknowledged, self._fin[0]) - self._next
        else:
            behind = self._acknowledged - self._next
            behind *= behind != 1  # a FIN that was not captured counts one
        if behind > 0:
            yield self._gap(behind, at)

    def _unwrapped(self, seq: int) -> int:
        return self._next + (seq - self._next + SPACE // 2) % SPACE - SPACE // 2

    def _take(self, place: int, payload: bytes, length: int, at: Moment) -> Iterator[Piece]:
        if place - self._next > FAR:
            self.limits["segment far outside the window"] += 1
            return
        if place > self._next:
            insort(self._held, Held(place, payload, length, at), key=attrgetter("seq"))
            self._held_octets += length
            return
        yield from self._deliver(place, payload, length, at)
        yield from self._caught_up()

    def _deliver(self, place: int, payload: bytes, length: int, at: Moment) -> Iterator[Piece]:
        """Octets that start at the next place or before it; the first copy of an octet counts."""
        old = min(self._next - place, length)
        self.repeated += old
        if old == length:
            return
        self._waited = 0
        fresh = payload[old:length]
        if fresh:
            self.octets += len(fresh)
            self._next += len(fresh)
            yield Piece(fresh, 0, at)
        if cut := length - old - len(fresh):  # the capture keeps the start of each packet only
            yield self._gap(cut, at)

    def _gap(self, size: int, at: Moment) -> Piece:
        self.missing += size
        self._next += size
        return Piece(b"", size, at)

    def _overdue(self, at: Moment) -> Iterator[Piece]:
        """The hole before what is held, as a gap, once nothing speaks for its coming any more."""
        while self._held:
            acknowledged = self._acknowledged is not None and self._acknowledged > self._next
            self._waited += acknowledged
            full = len(self._held) > HELD_SEGMENTS or self._held_octets > HELD_OCTETS
            unheard = self._acknowledged is None and len(self._held) > UNHEARD
            if not (full or unheard or self._waited > PATIENCE):
                return
            if full:
                self.limits["segments held for reassembly"] += 1
            yield from self._skip(at)

    def _skip(self, at: Moment) -> Iterator[Piece]:
        hole = self._held[0].seq - self._next
        if hole > 0:
            yield self._gap(hole, at)
        yield from self._caught_up()

    def _caught_up(self) -> Iterator[Piece]:
        """What was held and is next now."""
        while self._held and self._held[0].seq <= self._next:
            held = self._held.pop(0)
            self._held_octets -= held.length
            yield from self._deliver(*held)
