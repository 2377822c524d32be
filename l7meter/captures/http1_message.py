"""The messages that one side of an HTTP/1.x connection sends, cut by their framing (RFC 9112)."""

from __future__ import annotations

import re
from collections.abc import Callable

from l7meter.captures.base import Moment, Side
from l7meter.captures.chunked import Chunked
from l7meter.captures.exchange import Message
from l7meter.captures.heads import (
    MAX_HEAD,
    TO_THE_CLOSE,
    Framing,
    read_fields,
    request_line,
    status_line,
    wrong_after,
)
from l7meter.captures.resync import Seeker

LONG_HEAD = "head is longer than 256 KiB"
CUT_HEAD = "head is cut short"

ENDLESS = 1 << 62  # octets: up to the close
_END = re.compile(rb"\n\r?\n")
_EMPTY = re.compile(rb"[\r\n]*")


class Reader:
    """Cuts the octets of one side into messages; the owner says how each is framed.

    `begun` is called with the head of a message and returns its framing; `over` is called at the
    end of each. While `seeking`, octets are passed over up to the next line that is strictly a
    start line. Empty lines before a start line (RFC 9112 2.2), and all that is passed over, count
    in `remainder`; gaps outside of messages in `missing`.
    """

    def __init__(
        self,
        side: Side,
        begun: Callable[[Message], Framing],
        over: Callable[[Message], None],
        seeking: bool = False,
    ) -> None:
        self.side = side
        self.seeking = seeking
        self.closed = False
        self.bare = False  # the next message is a response of HTTP/0.9, unless it says otherwise
        self.remainder = 0
        self.missing = 0
        self._begun = begun
        self._over = over
        self._message: Message | None = None
        self._chunked = Chunked()
        self._left: int | None = 0  # octets of content to come; None: up to the close
        self._held = bytearray()  # a start line or head that is not whole yet
        self._since = Moment(0, 0)  # of the first octet held
        self._seeker = Seeker(side)
        self.take = self._start  # octets, from a place on, of one message at most; the next place

    @property
    def idle(self) -> bool:
        """Whether it stands between messages."""
        return self._message is None and not self._held and not self._seeker.held

    @property
    def content_left(self) -> int:
        """Octets to come that are content, whatever they are."""
        if self.take == self._content:
            return ENDLESS if self._left is None else self._left
        return self._chunked.content_left if self.take == self._chunks else 0

    def skip(self, size: int) -> None:
        """Pass a gap: a body whose length is known goes on behind it, all else ends there."""
        message = self._message
        if message is None:
            self.missing += size
            self.leave()
            self._lose()
            return
        inside = self._skipped(size)
        message.missing += inside
        if self.take == self._content and self._left == 0:
            self._end(message, True)
            if size > inside:
                self.skip(size - inside)
        elif size > inside:
            message.missing += size - inside
            self._break_off(message)

    def _skipped(self, size: int) -> int:
        if self.take == self._chunks:
            return self._chunked.skip(size)
        if self.take != self._content:
            return 0
        if self._left is None:
            return size
        inside = min(size, self._left)
        self._left -= inside
        return inside

    def close(self, clean: bool) -> None:
        """Nothing more comes: after a FIN (clean), a RST, or the end of the capture."""
        if self.closed:
            return
        if self.bare and not self.seeking and self._held and self._message is None:
            self._begin_bare(bytes(self._held), self._since)
        message = self._message
        if message is None:
            self.leave()
        elif self.take == self._content and self._left is None:
            self._end(message, clean)
        else:
            self._break_off(message)
        self.closed = True
        self.take = self._ignored

    def leave(self) -> None:
        """Count what may have become a start line as remainder."""
        if self._message is None:
            self.remainder += len(self._held) + len(self._seeker.held)
            self._held.clear()
            self._seeker.clear()

    def _start(self, octets: bytes, place: int, at: Moment) -> int:
        """Take a start line, or what stands before one."""
        if self.seeking:
            return self._seek(octets, place, at)
        if not self._held:
            begin = self._blank(octets, place)
            if begin > place:
                self.remainder += begin - place
                return begin
            self._since = at
        stop = min(len(octets), place + MAX_HEAD - len(self._held))
        end = octets.find(b"\n", place, stop) + 1
        before = len(self._held)
        self._held += octets[place : end or stop]
        wrong = wrong_after(self.side, self._held)
        if wrong is None and (self._begin(at) if end else len(self._held) < MAX_HEAD):
            return end or stop
        line = bytes(self._held[:wrong])
        self._held.clear()
        if self.bare:
            self._begin_bare(line, at)
        else:
            self._lose()
            self._reread(line[:before], self._since)
            self._reread(line[before:], at)
        return place + len(line) - before

    def _reread(self, octets: bytes, at: Moment) -> None:
        """Seek a start line within a line, or part of one, that is none itself."""
        place = 0
        while place < len(octets):
            place = self._seek(octets, place, at)

    def _lose(self, inside: bool = False) -> None:
        """Seek the next start line, from within a line or from its start."""
        self.seeking = True
        self._seeker.inside = inside

    def _seek(self, octets: bytes, place: int, at: Moment) -> int:
        seeker = self._seeker
        before = len(seeker.held)
        end = seeker.take(octets, place, at)
        self.remainder += end - place + before - len(seeker.held)
        if seeker.found:
            self._held[:], self._since = seeker.held, seeker.since
            seeker.clear()
            self._begin(at)
        return end

    def _blank(self, octets: bytes, place: int) -> int:
        empty = None if self.bare else _EMPTY.match(octets, place)
        return empty.end() if empty else place

    def _begin(self, at: Moment) -> bool:
        """Begin a message if the line held is a start line."""
        line = bytes(self._held)
        message = Message(self._since, at, found=self.seeking)
        if self.side is Side.ORIG:
            message.request = request_line(line)
        else:
            message.status = status_line(line)
        if message.request is None and message.status is None:
            return False
        self.seeking = False
        self._message = message
        self.take = self._head
        if message.request and message.request.version == "0.9":
            self._head_ended(message)
        return True

    def _begin_bare(self, start: bytes, at: Moment) -> None:
        self._message = message = Message(self._since, at, head_whole=True)
        message.size = message.body_size = len(start)
        self._held.clear()
        self._begun(message)
        self._frame(message, TO_THE_CLOSE)

    def _head(self, octets: bytes, place: int, at: Moment) -> int:
        """Take fields up to the empty line."""
        message = self._current
        message.end = at
        stop = min(len(octets), place + MAX_HEAD - len(self._held))
        tail = bytes(self._held[-2:])
        across = _END.search(tail + octets[place : min(stop, place + 2)])
        inside = None if across else _END.search(octets, place, stop)
        if across:
            stop = place + across.end() - len(tail)
        elif inside:
            stop = inside.end()
        self._held += octets[place:stop]
        if across or inside:
            self._head_ended(message)
        elif len(self._held) == MAX_HEAD:
            message.problems.append(LONG_HEAD)
            self._break_off(message, inside=not self._held.endswith(b"\n"))
        return stop

    def _head_ended(self, message: Message, whole: bool = True) -> None:
        message.head_whole = whole
        message.head_size = message.size = len(self._held)
        head = bytes(self._held)
        self._held.clear()
        lines = head[head.find(b"\n") + 1 : head.rfind(b"\n") + 1]  # a line cut short is none
        message.fields, problems = read_fields(lines)
        message.problems += problems
        framing = self._begun(message)
        if whole:
            self._frame(message, framing)

    def _frame(self, message: Message, framing: Framing) -> None:
        self._left = framing.length
        if not framing.known:
            self._end(message, False)
            self._lose()
        elif framing.chunked:
            self._chunked = Chunked()
            self.take = self._chunks
        elif framing.length == 0:
            self._end(message, True)
        else:
            self.take = self._content

    def _content(self, octets: bytes, place: int, at: Moment) -> int:
        """Take content without a look at it."""
        message = self._current
        size = len(octets) - place
        if self._left is not None:
            size = min(size, self._left)
            self._left -= size
        message.size += size
        message.body_size += size
        message.end = at
        if self._left == 0:
            self._end(message, True)
        return place + size

    def _chunks(self, octets: bytes, place: int, at: Moment) -> int:
        message, chunked = self._current, self._chunked
        end = chunked.take(octets, place)
        if end > place:
            message.size += end - place
            message.end = at
        message.body_size = chunked.body_size
        if chunked.over:
            self._end(message, True)
        elif chunked.problem:
            message.problems.append(chunked.problem)
            self._break_off(message, chunked.inside)
        return end

    def _break_off(self, message: Message, inside: bool = False) -> None:
        """End the message here, unfinished, and seek the next, from within a line or its start."""
        if self.take == self._head:
            if LONG_HEAD not in message.problems:
                message.problems.append(CUT_HEAD)
            self._head_ended(message, whole=False)
        self._end(message, False)
        self._lose(inside)

    def _end(self, message: Message, whole: bool) -> None:
        message.complete = whole and not message.missing
        self._message = None
        self.take = self._start
        self._over(message)

    def _ignored(self, octets: bytes, place: int, at: Moment) -> int:
        self.remainder += len(octets) - place
        return len(octets)

    @property
    def _current(self) -> Message:
        assert self._message is not None
        return self._message
