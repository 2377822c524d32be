"""HTTP/2 in the clear (RFC 9113): one exchange a stream."""

from __future__ import annotations

from l7meter.captures.base import Moment, Side
from l7meter.captures.exchange import Exchange
from l7meter.captures.http2_fields import Fields, FieldsError, Opener, Section
from l7meter.captures.http2_frames import END_HEADERS, END_STREAM, PADDED, Frame, Frames, Kind, Part
from l7meter.captures.http2_streams import Stream

MAX_STREAMS = 1000  # open at once; servers allow 100 to 250
MAX_KEPT = 16 << 20  # octets of the fields of the streams that are open at once
LOST = "octets were not captured, and HTTP/2 cannot be read on after them"


class _Direction:
    """What one side is in the midst of."""

    def __init__(self, side: Side) -> None:
        self.frames = Frames(client=side == Side.ORIG)
        self.opener = Opener()
        self.section: Section | None = None
        self.stream: Stream | None = None  # of the message frame under way
        self.padding = 0  # of the DATA frame under way
        self.error = 0  # code of the RST_STREAM frame under way
        self.overhead = 0
        self.remainder = 0
        self.over = False  # nothing more will come: closed or lost


class Http2:
    """HTTP/2 in the clear on one connection, after the preface or an h2c upgrade.

    A message's size is that of its HEADERS, CONTINUATION and DATA frames, with their headers of 9
    octets; its body's that of its DATA without padding. All other frames and the preface are
    `overhead`. Frames on streams that are over, and all octets of a side after a gap outside of
    DATA or an error in the framing, are `remainder`: the compression state is lost with the first
    field section. Of each side, `[orig, resp]`: octets given == sizes of the messages + `overhead`
    + `remainder`.

    A pushed exchange has the request that the server promised, of size 0 for the client did not
    send it. A reset exchange is given out when the other side stops, too: at the latest when the server
    answers what was asked after the client's reset, which it had read by then; or at the end.
    The response on stream 1 is that to the HTTP/1.1 request that asked for h2c, if one did (RFC 7540
    section 3.2): of `upgraded` it has what was asked, but no octets.
    """

    def __init__(self, upgraded: Exchange | None = None) -> None:
        self._directions = [_Direction(side) for side in Side]
        self._streams: dict[int, Stream] = {}
        self._finished: list[Exchange] = []
        self._highest = [0, 0]  # stream number opened, by side
        self._given_up: dict[
            int, int
        ] = {}  # by the client: stream, and the highest one at that time
        if upgraded:
            stream = self._open(Side.ORIG, 1)
            stream.ended[Side.ORIG] = True
            stream.exchange.method, stream.exchange.target = upgraded.method, upgraded.target
            stream.exchange.request_fields, stream.exchange.version = upgraded.request_fields, "2"

    @property
    def overhead(self) -> list[int]:
        """Octets between the messages: frames of the connection, and the preface."""
        return [d.overhead + d.frames.preface for d in self._directions]

    @property
    def remainder(self) -> list[int]:
        """Octets that belong to no message and no other frame."""
        return [d.remainder + d.frames.remainder for d in self._directions]

    def data(self, side: Side, octets: bytes, at: Moment) -> None:
        """Take the next octets of a side."""
        for part in self._directions[side].frames.data(octets, at):
            try:
                self._part(side, part, at)
            except FieldsError as error:
                self._lose(side, str(error))

    def gap(self, side: Side, size: int, at: Moment) -> None:
        """Octets that were sent but not captured; only inside of DATA can the side be read on."""
        direction = self._directions[side]
        if size <= 0 or direction.frames.lost:
            return
        frame = direction.frames.gap(size)
        if frame is None:
            self._lose(side, LOST)
            return
        if stream := direction.stream:
            stream.miss(side, size)
        if frame.position == frame.length:
            self._frame_ends(side, frame, at)

    def close(self, side: Side, at: Moment, clean: bool) -> None:
        """The side sends no more: FIN (clean), or RST or the capture's end."""
        self._directions[side].over = True
        for number in list(self._streams):
            self._hand_out_if_over(number)

    def finished(self) -> list[Exchange]:
        """Exchanges that are over, in the order in which they ended; each is given once."""
        finished, self._finished = self._finished, []
        return finished

    def end(self) -> list[Exchange]:
        """All that are left, at the end of the connection."""
        for number in list(self._streams):
            self._hand_out(number)
        return self.finished()

    # Frames

    def _part(self, side: Side, part: Part, at: Moment) -> None:
        direction, frame = self._directions[side], part.frame
        if not part.payload and not self._frame_begins(side, frame):
            direction.remainder += part.size
            raise FieldsError("a frame is out of place")
        if frame.kind not in (Kind.DATA, Kind.HEADERS, Kind.CONTINUATION) or (
            direction.section and direction.section.opener.kind == Kind.PUSH_PROMISE
        ):
            direction.overhead += part.size
        elif stream := direction.stream:
            stream.count(side, part, at)
        else:
            direction.remainder += part.size
        if direction.section:
            direction.section.add(part.payload)
        elif frame.kind == Kind.DATA and part.payload and direction.stream:
            self._content(side, part, direction.stream)
        elif frame.kind == Kind.RST_STREAM and frame.position <= 4:
            code = int.from_bytes(part.payload, "big")
            direction.error = (direction.error << 8 * len(part.payload)) | code
        if frame.position == frame.length:
            self._frame_ends(side, frame, at)

    def _frame_begins(self, side: Side, frame: Frame) -> bool:
        """Whether the frame can be there: field sections are not interrupted (RFC 9113 4.3)."""
        direction = self._directions[side]
        if direction.section or frame.kind == Kind.CONTINUATION:
            section = direction.section
            same = section is not None and section.opener.stream == frame.stream
            return same and frame.kind == Kind.CONTINUATION
        direction.padding = direction.error = 0
        if side == Side.RESP and frame.stream % 2:
            for number, highest in list(self._given_up.items()):
                if frame.stream > highest:
                    self._hand_out(number)
        if frame.kind == Kind.DATA:
            direction.stream = self._streams.get(frame.stream)
        elif frame.kind == Kind.HEADERS:
            direction.stream = self._streams.get(frame.stream) or self._opened_by(
                side, frame.stream
            )
            direction.section = Section(frame)
        elif frame.kind == Kind.PUSH_PROMISE:
            direction.stream, direction.section = None, Section(frame)
        return True

    def _frame_ends(self, side: Side, frame: Frame, at: Moment) -> None:
        direction = self._directions[side]
        if section := direction.section:
            if frame is section.opener:
                section.opened()
            if not frame.flags & END_HEADERS:
                return
            direction.section = None
            self._fields(side, section, direction.opener.open(section), at)
            frame = section.opener
        if frame.kind == Kind.RST_STREAM:
            if stream := self._streams.get(frame.stream):
                stream.stop(side, direction.error)
                if side == Side.ORIG:
                    self._given_up[frame.stream] = self._highest[side]
                self._hand_out_if_over(frame.stream)
        elif frame.kind in (Kind.DATA, Kind.HEADERS):
            if frame.flags & END_STREAM and direction.stream:
                direction.stream.end(side)
                self._hand_out_if_over(frame.stream)
            direction.stream = None

    def _content(self, side: Side, part: Part, stream: Stream) -> None:
        """Count the octets of DATA that are no padding (RFC 9113 6.1)."""
        direction, frame = self._directions[side], part.frame
        begin, padded = frame.position - part.size, bool(frame.flags & PADDED)
        if padded and begin == 0:
            direction.padding = part.payload[0]
        end = min(frame.position, frame.length - direction.padding)
        size = max(end - max(begin, int(padded)), 0)
        stream.content(side, size)

    def _fields(self, side: Side, section: Section, fields: Fields, at: Moment) -> None:
        stream = self._directions[side].stream
        if section.opener.kind == Kind.PUSH_PROMISE:
            if side == Side.ORIG or section.promised <= self._highest[side]:
                raise FieldsError("a stream is promised twice, or by the client")
            stream = self._open(side, section.promised)
            stream.promised(section.opener.start, at, fields)
        elif stream is not None:
            stream.fields(side, fields)
        if sum(one.kept for one in self._streams.values()) > MAX_KEPT:
            raise FieldsError(f"fields of open streams are more than {MAX_KEPT >> 20} MiB")

    # Streams

    def _opened_by(self, side: Side, number: int) -> Stream | None:
        """A stream that HEADERS open; None where it is over, or was not promised.

        A response whose request was not seen opens one, too.
        """
        if number % 2 == 0 or number <= self._highest[Side.ORIG]:
            return None
        return self._open(side if side == Side.ORIG else None, number)

    def _open(self, opener: Side | None, number: int) -> Stream:
        if opener is not None:
            self._highest[opener] = number
        if len(self._streams) >= MAX_STREAMS:
            resets = (n for n, stream in self._streams.items() if stream.reset)
            oldest = next(resets, next(iter(self._streams)))
            self._streams[oldest].exchange.say(f"more than {MAX_STREAMS} streams are open")
            self._hand_out(oldest)
        stream = self._streams[number] = Stream(Exchange())
        return stream

    def _lose(self, side: Side, problem: str) -> None:
        direction = self._directions[side]
        direction.frames.lose()
        direction.over = True
        direction.stream = direction.section = None
        for number, stream in list(self._streams.items()):
            if not stream.ended[side]:
                stream.exchange.say(problem)
            self._hand_out_if_over(number)

    def _hand_out_if_over(self, number: int) -> None:
        ended = self._streams[number].ended
        if all(ended[side] or self._directions[side].over for side in Side):
            self._hand_out(number)

    def _hand_out(self, number: int) -> None:
        stream = self._streams.pop(number)
        self._given_up.pop(number, None)
        for direction in self._directions:
            if direction.stream is stream:
                direction.stream = None
        self._finished.append(stream.exchange)
