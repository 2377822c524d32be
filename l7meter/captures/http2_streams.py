"""A stream of HTTP/2: one exchange under way (RFC 9113 5)."""

from __future__ import annotations

from dataclasses import dataclass, field

from l7meter.captures.base import Moment, Side
from l7meter.captures.exchange import Exchange
from l7meter.captures.http2_fields import Fields, put_request, put_response, size_of, status_of
from l7meter.captures.http2_frames import Part

SENDER = ("client", "server")


@dataclass
class Stream:
    """An exchange, and how far each side has come; pairs are by side."""

    exchange: Exchange
    headed: list[bool] = field(default_factory=lambda: [False, False])
    ended: list[bool] = field(default_factory=lambda: [False, False])
    reset: bool = False
    kept: int = 0  # octets of fields

    def count(self, side: Side, part: Part, at: Moment) -> None:
        """Add octets to the message of a side."""
        exchange = self.exchange
        if side == Side.ORIG:
            exchange.request_size += part.size
            if not self.headed[side]:
                exchange.request_head_size += part.size
            exchange.request_start = exchange.request_start or part.frame.start
            exchange.request_end = at
        else:
            exchange.response_size += part.size
            exchange.response_start = exchange.response_start or part.frame.start
            exchange.response_end = at

    def content(self, side: Side, size: int) -> None:
        """Add octets to the content of a side."""
        if side == Side.ORIG:
            self.exchange.request_body_size += size
        else:
            self.exchange.response_body_size += size

    def miss(self, side: Side, size: int) -> None:
        """Add octets that were not captured."""
        if side == Side.ORIG:
            self.exchange.request_missing += size
        else:
            self.exchange.response_missing += size

    def fields(self, side: Side, fields: Fields) -> None:
        """Take a head; interim responses (RFC 9110 15.2) and trailers say nothing here."""
        if self.headed[side]:
            return
        if side == Side.ORIG:
            put_request(self.exchange, fields)
        else:
            status = status_of(fields)
            if status is not None and status < 200:
                self.exchange.interim += 1
                return
            put_response(self.exchange, fields)
        self.headed[side] = True
        self.kept += size_of(fields)

    def promised(self, start: Moment, end: Moment, fields: Fields) -> None:
        """Take the request that the server thought of (RFC 9113 8.4)."""
        self.fields(Side.ORIG, fields)
        self.exchange.request_start, self.exchange.request_end = start, end
        self.exchange.request_complete = self.ended[Side.ORIG] = True

    def end(self, side: Side) -> None:
        """The side has sent its whole message."""
        whole = self.headed[side] and not self.ended[side] and not self.reset
        self.ended[side] = True
        if side == Side.ORIG:
            self.exchange.request_complete = whole and not self.exchange.request_missing
        else:
            self.exchange.complete = whole and not self.exchange.response_missing

    def stop(self, side: Side, code: int) -> None:
        """The side reset the stream."""
        self.reset = self.ended[side] = True
        self.exchange.say(f"the {SENDER[side]} reset the stream (error code {code})")
