"""Field sections of HTTP/3, opened as an onlooker (RFC 9204); ls-qpack does the work."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

from l7meter.captures.http2_fields import MAX_FIELDS, Fields, size_of

MAX_TABLE_CAPACITY, MAX_BLOCKED_STREAMS = 1, 7  # settings (RFC 9204 5)
LARGEST_TABLE = 64 << 10  # octets; what browsers allow servers
LONGEST = 16 << 10  # octets of a section as sent, for each may stand for a table's worth
MOST_BLOCKED = 1000  # streams; browsers allow 100
MOST_WAITING = 1 << 20  # octets of sections behind one that waits

Opened = tuple[int, Fields | None]  # stream, its fields; None where they cannot be read


class Opener:
    """The compression state of one side, which the other side's settings bind.

    A section that refers to instructions still to come waits for them.
    """

    def __init__(self) -> None:
        self._settings: dict[int, int] = {}
        self._decoder: Any = None
        self._waiting: dict[int, deque[bytes]] = {}  # behind the section that waits
        self._behind = 0

    def allow(self, settings: dict[int, int]) -> None:
        """What the other side allows; said before this side makes use of it."""
        self._settings = self._settings or settings

    def waits(self, number: int) -> bool:
        """Whether a section of the stream waits for instructions."""
        return number in self._waiting

    def section(self, number: int, octets: bytes) -> Iterator[Opened]:
        """Open a section of a stream; gives nothing where it waits."""
        from pylsqpack import DecompressionFailed, StreamBlocked

        if (behind := self._waiting.get(number)) is not None:
            behind.append(octets)
            self._behind += len(octets)
            if self._behind > MOST_WAITING:
                yield number, None
            return
        try:
            yield number, _within(self._ready().feed_header(number, octets)[1])
        except StreamBlocked:
            self._waiting[number] = deque()
        except (DecompressionFailed, ValueError):
            yield number, None

    def instructions(self, octets: bytes) -> Iterator[Opened]:
        """Take octets of the encoder stream; gives the sections that waited for them."""
        from pylsqpack import DecompressionFailed, EncoderStreamError

        try:
            for number in self._ready().feed_encoder(octets):
                behind = self._waiting.pop(number, ())
                yield number, _within(self._decoder.resume_header(number)[1])
                for section in behind:
                    self._behind -= len(section)
                    yield from self.section(number, section)
        except (EncoderStreamError, DecompressionFailed, ValueError):
            yield -1, None

    def _ready(self) -> Any:
        from pylsqpack import Decoder

        if self._decoder is None:
            capacity = min(self._settings.get(MAX_TABLE_CAPACITY, 0), LARGEST_TABLE)
            blocked = min(self._settings.get(MAX_BLOCKED_STREAMS, 0), MOST_BLOCKED)
            self._decoder = Decoder(capacity, blocked)
        return self._decoder


def _within(fields: Fields) -> Fields | None:
    return fields if size_of(fields) <= MAX_FIELDS else None
