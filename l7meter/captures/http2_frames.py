"""One side of an HTTP/2 connection as frames (RFC 9113 4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from l7meter.captures.base import Moment

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"  # RFC 9113 3.4
_TELLING = 8, 14  # octets of it, at least and at most, that tell HTTP/2: up to the version
HEADER = 9  # octets: length, type, flags, stream
END_STREAM, END_HEADERS, PADDED, PRIORITY = 0x1, 0x4, 0x8, 0x20


def looks_like_http2(octets: bytes) -> bool:
    """Whether the first octets that a client sent begin the preface of HTTP/2."""
    least, most = _TELLING
    return len(octets) >= least and PREFACE[:most].startswith(octets[:most])


def looks_like_settings(octets: bytes) -> bool:
    """Whether the first octets that a server sent, 8 or more, begin its preface: a SETTINGS frame."""
    length, kind, rest = octets[:3], octets[3:4], octets[4:9]
    return kind == b"\4" and int.from_bytes(length, "big") % 6 == 0 and not any(rest)


class Kind(IntEnum):
    """Types of frames that need a look (RFC 9113 6)."""

    DATA = 0
    HEADERS = 1
    RST_STREAM = 3
    PUSH_PROMISE = 5
    CONTINUATION = 9


@dataclass
class Frame:
    """A frame under way: `position` is how much of its payload has gone by, captured or not."""

    length: int
    kind: int
    flags: int
    stream: int
    start: Moment
    position: int = 0


class Part(NamedTuple):
    """The next octets of a frame: its header (then `payload` is empty), or a piece of its payload."""

    frame: Frame
    size: int
    payload: bytes


class Frames:
    """The framing of one side. Once lost it is not found again: what follows is `remainder`.

    Octets given == the sizes of the parts + `preface` + `remainder`.
    """

    def __init__(self, client: bool) -> None:
        self.preface = 0  # octets of the client's preface that was seen
        self.lost = False
        self._skipped = 0
        self._held = b""  # of a header, or of the preface
        self._held_at: Moment | None = None
        self._frame: Frame | None = None
        self._expects_preface = client

    @property
    def remainder(self) -> int:
        """Octets that are (still) no frame."""
        return self._skipped + len(self._held)

    def data(self, octets: bytes, at: Moment) -> Iterator[Part]:
        """Take the next octets."""
        begun = self._held_at or at
        if self._held:
            octets, self._held, self._held_at = self._held + octets, b"", None
        here = 0
        while here < len(octets) and not self.lost:
            if frame := self._frame:
                payload = octets[here : here + frame.length - frame.position]
                here += len(payload)
                self._pass(frame, len(payload))
                yield Part(frame, len(payload), payload)
                continue
            if self._expects_preface and self._preface_at_start(octets):
                if len(octets) < len(PREFACE):
                    break
                here = self.preface = len(PREFACE)
                self._expects_preface = False
                continue
            self._expects_preface = False
            if len(octets) - here < HEADER:
                break
            frame = self._frame = Frame(
                int.from_bytes(octets[here : here + 3], "big"),
                octets[here + 3],
                octets[here + 4],
                int.from_bytes(octets[here + 5 : here + 9], "big") & 0x7FFFFFFF,
                begun if here == 0 else at,
            )
            here += HEADER
            self._pass(frame, 0)
            yield Part(frame, HEADER, b"")
        if self.lost:
            self._skipped += len(octets) - here
        elif here < len(octets):
            self._held = octets[here:]
            self._held_at = begun if here == 0 else at

    def gap(self, size: int) -> Frame | None:
        """Octets that were not captured: the DATA frame they lie in, or None and the framing is lost.

        Of a padded frame the padding's length comes first and has to be there.
        """
        frame = self._frame
        inside = (
            frame is not None
            and frame.kind == Kind.DATA
            and (frame.position > 0 or not frame.flags & PADDED)
            and size <= frame.length - frame.position
        )
        if frame is None or not inside:
            self.lose()
            return None
        self._pass(frame, size)
        return frame

    def lose(self) -> None:
        """Take nothing for a frame any more."""
        self._skipped += len(self._held)
        self._held = b""
        self._frame = None
        self.lost = True

    def _preface_at_start(self, octets: bytes) -> bool:
        size = min(len(octets), len(PREFACE))
        return octets[:size] == PREFACE[:size]

    def _pass(self, frame: Frame, size: int) -> None:
        frame.position += size
        if frame.position == frame.length:
            self._frame = None
