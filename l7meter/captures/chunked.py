"""Content in the chunked transfer coding (RFC 9112 7.1), measured and not kept."""

from __future__ import annotations

import re

from l7meter.captures.heads import MAX_HEAD

MAX_LINE = 16 << 10  # octets of a chunk's size and extensions; servers refuse more than 4 to 16 KiB
MAX_DIGITS = 15  # significant hexadecimal digits of a size, 60 bits

BAD_SIZE = "a chunk's size is not a number"
TOO_LONG = "a chunk is longer than its size"
LONG_TRAILERS = "trailers are longer than 256 KiB"

_SIZE = re.compile(rb"([0-9A-Fa-f]+)[ \t]*(?:;[^\r\n]*)?\r?\n")


class Chunked:
    """Follows chunks and trailers up to their end, `over`, or to a `problem`.

    `body_size` counts octets of content. After a problem, `inside` says that it lies within a line.
    """

    def __init__(self) -> None:
        self.body_size = 0
        self.over = False
        self.problem: str | None = None
        self.inside = False
        self._line = bytearray()
        self._left = 0  # octets of the chunk to come
        self._trailers = 0  # octets
        self._step = self._size

    @property
    def content_left(self) -> int:
        """Octets of the chunk to come."""
        return self._left if self._step == self._content else 0

    def take(self, octets: bytes, place: int) -> int:
        """Take octets from `place` on, up to the end or a problem; returns the place reached."""
        while place < len(octets) and not (self.over or self.problem):
            place = self._step(octets, place)
        return place

    def skip(self, size: int) -> int:
        """Pass a gap; returns how many octets of it are surely content of this chunk."""
        if self._step != self._content:
            return 0
        inside = min(size, self._left)
        self._left -= inside
        if not self._left:
            self._step = self._end
        return inside

    def _size(self, octets: bytes, place: int) -> int:
        place, ended = self._read_line(octets, place, MAX_LINE - len(self._line))
        if ended or len(self._line) == MAX_LINE:
            said = _SIZE.fullmatch(bytes(self._line))
            digits = said[1].lstrip(b"0") if said else b""
            self._line.clear()
            if not said or len(digits) > MAX_DIGITS:
                self.problem, self.inside = BAD_SIZE, not ended
            self._left = int(digits[:MAX_DIGITS] or b"0", 16)
            self._step = self._content if self._left else self._trailer
        return place

    def _content(self, octets: bytes, place: int) -> int:
        size = min(len(octets) - place, self._left)
        self.body_size += size
        self._left -= size
        if not self._left:
            self._step = self._end
        return place + size

    def _end(self, octets: bytes, place: int) -> int:
        if octets[place] not in (b"\n" if self._line else b"\r\n"):
            self.problem = TOO_LONG
            return place
        place, ended = self._read_line(octets, place, 1)
        if ended:
            self._line.clear()
            self._step = self._size
        return place

    def _trailer(self, octets: bytes, place: int) -> int:
        end, ended = self._read_line(octets, place, MAX_HEAD - self._trailers)
        self._trailers += end - place
        line = bytes(self._line) if ended else b""
        if line in (b"\n", b"\r\n"):
            self.over = True
        elif self._trailers == MAX_HEAD:
            self.problem, self.inside = LONG_TRAILERS, not ended
        elif ended:
            self._line.clear()
        return end

    def _read_line(self, octets: bytes, place: int, room: int) -> tuple[int, bool]:
        stop = min(len(octets), place + room)
        end = octets.find(b"\n", place, stop) + 1
        self._line += octets[place : end or stop]
        return end or stop, end > 0
