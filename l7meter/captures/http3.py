"""HTTP/3 (RFC 9114) from the opened STREAM frames of a QUIC connection: one exchange a stream."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from l7meter.captures.base import Moment, Side
from l7meter.captures.exchange import Exchange
from l7meter.captures.http2_fields import Fields
from l7meter.captures.http2_frames import Frame, Part
from l7meter.captures.http2_streams import Stream
from l7meter.captures.qpack import LONGEST, Opener

MAX_HELD = 16 << 20  # octets of a connection that came before others; receivers allow some MiB
PIECE = 256  # octets that a held piece is counted for besides its own
MAX_OPEN = 10_000  # streams, one for each direction; servers allow some 100 at once
DATA, HEADERS, SETTINGS = 0, 1, 4  # frames
CONTROL, ENCODER = 0, 2  # kinds of unidirectional streams (RFC 9114 6.2, RFC 9204 4.2)
UNIDIRECTIONAL = 2  # bit of a stream's number (RFC 9000 2.1)
VERSION = "3"


@dataclass
class _Flow:
    """One side of a QUIC stream, put in order, and the frame that it is in the midst of."""

    place: int = 0
    final: int | None = None
    held: dict[int, tuple[bytes, Moment]] = field(default_factory=dict)
    kind: int | None = None  # of a unidirectional stream
    rest: bytes = b""  # of a number or frame that is not whole yet
    frame: Frame | None = None
    section: bytearray = field(default_factory=bytearray)

    @property
    def over(self) -> bool:
        """All of it went by, to its end."""
        return self.final is not None and self.place >= self.final


class Http3:
    """HTTP/3 on one QUIC connection.

    A message's size is that of its HEADERS and DATA frames with their headers; its body's that of
    the content of DATA. Everything else on any stream is `overhead`. After `end`, `problem` says
    why the connection cannot be taken for wholly read: octets of a stream are missing, or are no
    HTTP/3.
    """

    def __init__(self) -> None:
        self.overhead = 0
        self.problem: str | None = None
        self._flows: dict[tuple[Side, int], _Flow] = {}
        self._streams: dict[int, Stream] = {}
        self._over: set[int] = set()
        self._openers = (Opener(), Opener())
        self._held = 0
        self._done: list[Exchange] = []

    def data(self, side: Side, number: int, offset: int, octets: bytes, fin: bool, at: Moment) -> None:  # fmt: skip
        """Take octets of a stream, in any order, perhaps again."""
        if self.problem or number in self._over:
            return
        flow = self._flows.setdefault((side, number), _Flow())
        if len(self._flows) > MAX_OPEN:
            self._fail(f"more than {MAX_OPEN} streams are open")
        if fin:
            flow.final = offset + len(octets)
        for piece, moment in self._in_order(flow, offset, octets, at):
            if number & UNIDIRECTIONAL:
                self._unidirectional(side, flow, piece)
            else:
                self._message(side, number, flow, piece, moment)
        if not number & UNIDIRECTIONAL and flow.over:
            self._ended(side, number, flow)

    def end(self) -> list[Exchange]:
        """All exchanges, at the end of the connection."""
        if any(flow.held for flow in self._flows.values()):
            self._fail("octets of a stream were not captured")
        for number in list(self._streams):
            self._hand_out(number)
        return self._done

    def _in_order(
        self, flow: _Flow, offset: int, octets: bytes, at: Moment
    ) -> Iterator[tuple[bytes, Moment]]:
        if offset > flow.place:
            before, _ = flow.held.get(offset, (b"", at))
            if len(octets) > len(before):
                flow.held[offset] = octets, at
                self._held += len(octets) - len(before) + (0 if before else PIECE)
            if self._held > MAX_HELD:
                self._fail(f"more than {MAX_HELD >> 20} MiB came before octets in front of them")
            return
        if new := octets[flow.place - offset :]:
            flow.place += len(new)
            yield new, at
        while flow.held and (first := min(flow.held)) <= flow.place:
            octets, moment = flow.held.pop(first)
            self._held -= len(octets) + PIECE
            if new := octets[flow.place - first :]:
                flow.place += len(new)
                yield new, max(moment, at)

    # Unidirectional streams

    def _unidirectional(self, side: Side, flow: _Flow, octets: bytes) -> None:
        self.overhead += len(octets)
        if flow.kind not in (None, CONTROL, ENCODER):
            return
        flow.rest += octets
        if flow.kind is None:
            if (kind := varint(flow.rest)) is None:
                return
            flow.kind, flow.rest = kind[0], flow.rest[kind[1] :]
        if flow.kind == ENCODER:
            octets, flow.rest = flow.rest, b""
            for number, fields in self._openers[side].instructions(octets):
                self._fields(side, number, fields)
                if (waited := self._flows.get((side, number))) and waited.over:
                    self._ended(side, number, waited)
        elif flow.kind == CONTROL and not flow.section:
            self._settings(side, flow)
        else:
            flow.rest = b""

    def _settings(self, side: Side, flow: _Flow) -> None:
        """SETTINGS come first (RFC 9114 6.2.1); they bind the other side's field compression."""
        head = frame_head(flow.rest)
        if head is None:
            return
        kind, length, size = head
        if kind != SETTINGS or length > LONGEST:
            self._fail("a control stream does not begin with SETTINGS")
        elif len(flow.rest) >= size + length:
            numbers = list(_numbers(flow.rest[size : size + length]))
            self._openers[side.other].allow(dict(zip(numbers[::2], numbers[1::2], strict=False)))
            flow.section, flow.rest = bytearray(b"\1"), b""

    # Streams of messages

    def _message(self, side: Side, number: int, flow: _Flow, octets: bytes, at: Moment) -> None:
        stream = self._streams.get(number)
        if stream is None:
            stream = self._streams[number] = Stream(Exchange())
        octets = flow.rest + octets
        flow.rest = b""
        here = 0
        while here < len(octets) and not self.problem:
            if flow.frame is None:
                head = frame_head(octets[here : here + 16])
                if head is None:
                    flow.rest = octets[here:]
                    return
                kind, length, size = head
                flow.frame = Frame(length, kind, 0, number, at)
                here += size
                if kind == DATA and not stream.headed[side] and not self._openers[side].waits(number):  # fmt: skip
                    self._fail("a message does not begin with HEADERS")
                self._count(side, stream, flow.frame, size, at)
            frame = flow.frame
            payload = octets[here : here + frame.length - frame.position]
            here += len(payload)
            frame.position += len(payload)
            self._count(side, stream, frame, len(payload), at)
            self._payload(side, stream, flow, frame, payload)
            if frame.position == frame.length:
                flow.frame = None

    def _count(self, side: Side, stream: Stream, frame: Frame, size: int, at: Moment) -> None:
        if frame.kind in (DATA, HEADERS):
            stream.count(side, Part(frame, size, b""), at)
        else:
            self.overhead += size

    def _payload(
        self, side: Side, stream: Stream, flow: _Flow, frame: Frame, payload: bytes
    ) -> None:
        if frame.kind == DATA:
            stream.content(side, len(payload))
        elif frame.kind == HEADERS:
            flow.section += payload
            if len(flow.section) > LONGEST:
                self._fail(f"a field section is longer than {LONGEST >> 10} KiB")
            elif frame.position == frame.length:
                section, flow.section = bytes(flow.section), bytearray()
                for number, fields in self._openers[side].section(frame.stream, section):
                    self._fields(side, number, fields)

    def _fields(self, side: Side, number: int, fields: Fields | None) -> None:
        stream = self._streams.get(number)
        if fields is None:
            self._fail("a field section cannot be read")
        elif stream:
            stream.fields(side, fields)
            exchange = stream.exchange
            exchange.version = exchange.version and VERSION
            exchange.response_version = exchange.response_version and VERSION

    def _ended(self, side: Side, number: int, flow: _Flow) -> None:
        """The side's message is whole, unless a frame is not, or fields wait for instructions."""
        stream = self._streams.get(number)
        if stream is None or self._openers[side].waits(number):
            return
        if flow.frame is None and not flow.rest and not stream.ended[side]:
            stream.end(side)
        if all((f := self._flows.get((s, number))) and f.over for s in Side) and not any(
            opener.waits(number) for opener in self._openers
        ):
            self._hand_out(number)
            self._over.add(number)
            for each in Side:
                self._flows.pop((each, number), None)

    def _hand_out(self, number: int) -> None:
        stream = self._streams.pop(number)
        if any(opener.waits(number) for opener in self._openers):
            self._fail("a field section waits for instructions that did not come")
        self._done.append(stream.exchange)

    def _fail(self, problem: str) -> None:
        self.problem = self.problem or problem


def varint(octets: bytes) -> tuple[int, int] | None:
    """A number and its own octets (RFC 9000 16); None where it is not whole."""
    size = 1 << (octets[0] >> 6) if octets else 1
    if len(octets) < size:
        return None
    return int.from_bytes(octets[:size], "big") & ((1 << (8 * size - 2)) - 1), size


def frame_head(octets: bytes) -> tuple[int, int, int] | None:
    """Type and length of a frame, and the octets of both (RFC 9114 7.1)."""
    kind = varint(octets)
    length = varint(octets[kind[1] :]) if kind else None
    return (kind[0], length[0], kind[1] + length[1]) if kind and length else None


def _numbers(octets: bytes) -> Iterator[int]:
    while octets and (number := varint(octets)):
        yield number[0]
        octets = octets[number[1] :]
