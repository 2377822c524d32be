"""Where HTTP/1.x goes on after octets were lost: the next line that is strictly a start line."""

from __future__ import annotations

import re

from l7meter.captures.base import Moment, Side
from l7meter.captures.heads import MAX_HEAD, MAX_METHOD, TOKEN, beginning, may_begin

MAX_REASON = 128  # octets of a reason phrase; the longest registered one has 31

_REQUEST = TOKEN + rb"{1,%d} [\x21-\x7e\x80-\xff]+ HTTP/1\.[0-9]\r?\n" % MAX_METHOD
_STATUS = [*"HTTP/1", r"\.", "[0-9]", " ", *["[0-9]"] * 3]
_REASON = rf"(?: [^\r\n]{{0,{MAX_REASON}}})?\r"

REQUEST = re.compile(_REQUEST)
NEXT_REQUEST = re.compile(rb"\n(?=" + _REQUEST + rb")")
STATUS = re.compile(("".join(_STATUS) + _REASON + r"\n").encode())
STATUS_BEGINS = beginning(_STATUS, _REASON + r"?\Z")
MAX_STATUS = len("HTTP/1.1 200 ") + MAX_REASON + len("\r\n")


class Seeker:
    """Passes octets over up to a start line, which is then `held`, and `found` is true.

    A request line is sought at the start of lines, and so are the first octets. A status line is
    sought everywhere, with CR and LF, for content seldom ends with a line. Until then, octets that
    may begin a start line are held.
    """

    def __init__(self, side: Side) -> None:
        self.held = bytearray()
        self._moments: list[tuple[int, Moment]] = []  # of the octets held, from a place on
        self.found = False
        self.inside = False  # of a line that is passed over
        self._seek = self._seek_request if side is Side.ORIG else self._seek_status

    @property
    def since(self) -> Moment:
        """The moment of the first octet held."""
        return self._moments[0][1]

    def clear(self) -> None:
        """Begin anew, at the start of a line."""
        self.held.clear()
        self.found = self.inside = False

    def take(self, octets: bytes, place: int, at: Moment) -> int:
        """Pass over, or hold, some of the octets from `place`; returns the next place."""
        if not self.held:
            self._moments = [(0, at)]
        elif self._moments[-1][1] != at:
            self._moments.append((len(self.held), at))
        return self._seek(octets, place)

    def _seek_request(self, octets: bytes, place: int) -> int:
        if self.inside:
            end = octets.find(b"\n", place) + 1
            self.inside = not end
            return end or len(octets)
        if not self.held and not REQUEST.match(octets, place):
            following = NEXT_REQUEST.search(octets, place)
            begin = following.end() if following else octets.rfind(b"\n", place) + 1
            if begin > place:
                return begin
        stop = min(len(octets), place + MAX_HEAD - len(self.held))
        end = octets.find(b"\n", place, stop) + 1
        self.held += octets[place : end or stop]
        self.found = REQUEST.fullmatch(self.held) is not None if end else False
        possible = not end and len(self.held) < MAX_HEAD and may_begin(Side.ORIG, self.held)
        if not self.found and not possible:
            self.held.clear()
            self.inside = not end
        return end or stop

    def _seek_status(self, octets: bytes, place: int) -> int:
        if not self.held:
            line = STATUS.search(octets, place)
            if line:
                self.held += line[0]
                self.found = True
                return line.end()
            begins = STATUS_BEGINS.search(octets, max(place, len(octets) - MAX_STATUS))
            self.held += octets[begins.start() :] if begins else b""
            return len(octets)
        before = len(self.held)
        self.held += octets[place : place + MAX_STATUS]
        line = STATUS.search(self.held) or STATUS_BEGINS.search(self.held)
        begin, end = line.span() if line else (len(self.held), len(self.held))
        moments = [(max(0, first - begin), at) for first, at in self._moments]
        while len(moments) > 1 and not moments[1][0]:
            del moments[0]
        self._moments = moments
        self.found = self.held.endswith(b"\n", begin, end)
        self.held[:] = self.held[begin:end]
        return place + end - before
