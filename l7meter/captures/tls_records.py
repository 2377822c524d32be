"""One side of a TLS connection as records (RFC 8446 5.1); in step, or looking for the step."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

APPLICATION_DATA = 23
HEADER = 5  # octets: type, version, length
MAX_BODY = (1 << 14) + 2048  # octets (RFC 5246 6.2.3)
MAX_BODY_RESYNC = (1 << 14) + 256  # octets (RFC 8446 5.2): what TLS of today sends
START = re.compile(rb"[\x14-\x18]\x03[\x00-\x04]", re.DOTALL)  # types 20-24, versions 3.0-3.4


class Piece(NamedTuple):
    """Octets of a record's body: its type, its length, and the place of the octets in it."""

    kind: int
    length: int
    position: int
    octets: bytes


def plausible_header(octets: bytes, limit: int = MAX_BODY) -> bool:
    """Whether the first five octets can be the header of a record."""
    return START.match(octets) is not None and int.from_bytes(octets[3:5], "big") <= limit


class Records:
    """The record layer of one side.

    `count` is the number of headers seen, `bodies` the octets seen behind them, `other` the
    octets that are (still) neither. After a gap, or a header that is none, the step is found at
    the next two plausible headers of which the first leads to the second; a last record on its own
    is therefore not found.
    """

    def __init__(self, in_step: bool = True) -> None:
        self.count = 0
        self.bodies = 0
        self._in_step = in_step
        self._held = b""  # part of a header, or the octets from a candidate on
        self._skipped = 0
        self._kind = self._length = self._position = 0

    @property
    def left(self) -> int:
        """Octets to come of the body of an application_data record."""
        inside = self._kind == APPLICATION_DATA and not self._held
        return self._length - self._position if inside else 0

    @property
    def other(self) -> int:
        """Octets that belong to no record."""
        return self._skipped + len(self._held)

    def passed(self, size: int) -> tuple[int, int]:
        """So many octets of those `left` went by: the length of their body, and their place in it."""
        place = self._position
        self._position += size
        self.bodies += size
        return self._length, place

    def data(self, octets: bytes) -> Iterator[Piece]:
        """Take the next octets; give those that are bodies."""
        if self._held:
            octets, self._held = self._held + octets, b""
        at = 0
        while at < len(octets):
            if self._position < self._length:
                body = octets[at : at + self._length - self._position]
                yield Piece(self._kind, self._length, self._position, body)
                self._position += len(body)
                self.bodies += len(body)
                at += len(body)
            elif not self._in_step:
                at = self._look_for_step(octets, at)
                if not self._in_step:
                    return
            elif len(octets) - at < HEADER:
                self._held = octets[at:]
                return
            elif plausible_header(octets[at : at + HEADER]):
                self._kind = octets[at]
                self._length = int.from_bytes(octets[at + 3 : at + HEADER], "big")
                self._position = 0
                self.count += 1
                at += HEADER
            else:
                self._in_step = False

    def gap(self, size: int) -> None:
        """Octets that were not captured: the step holds where they end inside a body or with it."""
        left = self._length - self._position
        if left and size <= left:
            self._position += size
            return
        self._position = self._length
        self._in_step = False
        self._skipped += len(self._held)
        self._held = b""

    def _look_for_step(self, octets: bytes, at: int) -> int:
        """The place of a header that leads to another one; what may become one is held."""
        while found := START.search(octets, at):
            start = found.start()
            self._skipped += start - at
            at = start
            header = octets[at : at + HEADER]
            end = at + HEADER + int.from_bytes(header[3:], "big")
            undecided = len(header) < HEADER or len(octets) - end < HEADER
            if len(header) < HEADER or plausible_header(header, MAX_BODY_RESYNC):
                if undecided:
                    self._held = octets[at:]
                    return len(octets)
                if plausible_header(octets[end : end + HEADER], MAX_BODY_RESYNC):
                    self._in_step = True
                    return at
            self._skipped += 1
            at += 1
        keep = max(at, len(octets) - 2)  # the first two octets of a header, perhaps
        self._skipped += keep - at
        self._held = octets[keep:]
        return len(octets)
