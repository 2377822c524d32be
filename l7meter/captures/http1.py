"""HTTP/1.x on one connection: octets of both sides in, exchanges out (RFC 9112)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from l7meter.captures.base import Moment, Side
from l7meter.captures.exchange import Exchange, Message
from l7meter.captures.heads import (
    NOTHING,
    Framing,
    framing,
    looks_like_request,
    looks_like_response,
)
from l7meter.captures.http1_message import Reader
from l7meter.captures.pairing import Pairing

__all__ = ["Conversation", "Exchange", "looks_like_request", "looks_like_response"]

MAX_HELD = 64 << 10  # octets of a side that wait for the other; a server's first flight is 15 KiB


@dataclass(slots=True)
class _Event:
    """Octets of a side from `place` on, or else a gap, or the close."""

    at: Moment
    octets: bytes = b""
    place: int = 0
    gap: int = 0
    clean: bool = False


class Conversation:
    """HTTP/1.x on one connection; with `midstream`, both sides look for a start line first.

    Each side's octets come in order. What needs the other side waits for it, within `MAX_HELD`: a
    response for its request, since captures may have the two in another order and a response to
    HEAD is framed in its own way; what follows a CONNECT or Upgrade request, for its response.
    A response does not wait where requests may be lost: after a gap or close of their side.

    Conservation: of each side, octets given to `data` == message sizes of all exchanges +
    `remainder` + octets returned. It holds after `end`; before, some may still be held.
    Gaps are the exchanges' missing octets, those in `missing`, and those returned by `gap`.
    """

    def __init__(self, midstream: bool = False) -> None:
        self.switched: str | None = None  # "connect", "websocket", "h2c", ...: what follows
        self.asked: Exchange | None = None  # whose request switched, to be answered by what follows
        self._readers = (
            Reader(Side.ORIG, self._request_begun, self._request_over, midstream),
            Reader(Side.RESP, self._response_begun, self._response_over, midstream),
        )
        self._events: tuple[deque[_Event], deque[_Event]] = (deque(), deque())
        self._held = [0, 0]  # octets of events
        self._patient = [True, True]
        self._beyond: tuple[list[bytes], list[bytes]] = ([], [])  # octets after a switch
        self._dropped = [0, 0]
        self._pairing = Pairing(self._done)
        self._done_exchanges: list[Exchange] = []
        self._asking: Exchange | None = None  # whose request is under way
        self._answering: Exchange | None = None  # whose response is under way
        self._early: Exchange | None = None  # answered while its request is under way
        self._may_switch: Exchange | None = None

    @property
    def remainder(self) -> list[int]:
        """Octets that belong to no message, [orig, resp]."""
        return [self._readers[side].remainder + self._dropped[side] for side in Side]

    @property
    def missing(self) -> list[int]:
        """Octets of gaps outside of messages, [orig, resp]."""
        return [reader.missing for reader in self._readers]

    @property
    def idle(self) -> bool:
        """Whether both sides stand between messages, and nothing is open or was lost."""
        return (
            all(reader.idle and not (reader.seeking or reader.closed) for reader in self._readers)
            and not (self._events[0] or self._events[1] or self._pairing.waiting)
            and self._may_switch is None
            and self._early is None
            and self.switched is None
        )

    def expects(self, side: Side) -> int:
        """Octets to come of a side that are content: `data` will not look at them."""
        return 0 if self._events[side] else self._readers[side].content_left

    def data(self, side: Side, octets: bytes, at: Moment) -> bytes:
        """Take the next octets of a side; returns those that are no HTTP/1.x any more."""
        reader = self._readers[side]
        if octets:
            self._patient[side.other] = True
        if octets and not self._events[side] and reader.content_left >= len(octets):
            reader.take(octets, 0, at)  # within content: nothing waits for it, but for its end
            if reader.idle:
                self._run(side)
        elif octets:
            self._held[side] += len(octets)
            self._put(side, _Event(at, octets))
        return self.late(side)

    def late(self, side: Side) -> bytes:
        """Octets of a side that waited and turned out to follow a switch; `data` gives them, too."""
        octets = b"".join(self._beyond[side])
        self._beyond[side].clear()
        return octets

    def gap(self, side: Side, size: int, at: Moment) -> int:
        """Octets that were sent but not captured; returns how many of them follow a switch."""
        if size <= 0:
            return 0
        if self.switched and self._readers[side].idle and not self._events[side]:
            return size
        self._put(side, _Event(at, gap=size))
        return 0

    def close(self, side: Side, at: Moment, clean: bool) -> None:
        """The side sends no more: after a FIN (clean), a RST, or the end of the capture."""
        self._put(side, _Event(at, clean=clean))

    def finished(self) -> list[Exchange]:
        """Exchanges that are over, in the order of their requests; each is given once."""
        done, self._done_exchanges = self._done_exchanges, []
        return done

    def end(self) -> list[Exchange]:
        """The rest of the exchanges, at the end of the connection."""
        self._patient[Side.ORIG] = False
        for side in Side:
            self.close(side, Moment(0, 0), clean=False)
        for side in Side:
            self._dropped[side] += len(self.late(side))
        self._done_exchanges += self._pairing.waiting
        self._pairing.waiting.clear()
        return self.finished()

    # Whose turn it is

    def _put(self, side: Side, event: _Event) -> None:
        self._events[side].append(event)
        self._run(side)
        if self._held[side] > MAX_HELD:
            self._patient[side] = False
            self._run(side)

    def _run(self, side: Side) -> None:
        """Let both sides go on; the other one first, as if this side's octets came one by one."""
        while self._advance(side.other) or self._advance(side):
            pass

    def _advance(self, side: Side) -> bool:
        """Go one step on with a side; false if it waits for the other, or for more."""
        events, reader = self._events[side], self._readers[side]
        if not events:
            return False
        event = events[0]
        if event.gap:
            reader.skip(event.gap)
        elif not event.octets:
            reader.close(event.clean)
        elif not self._take(side, reader, event):
            return False
        elif event.place < len(event.octets):
            return True
        events.popleft()
        return True

    def _take(self, side: Side, reader: Reader, event: _Event) -> bool:
        """Take some of the octets; false if they have to wait."""
        place = event.place
        if reader.idle and not reader.closed:
            if self.switched:
                self._beyond[side].append(event.octets[place:])
                event.place = len(event.octets)
                self._held[side] -= event.place - place
                return True
            if self._waits(side, reader):
                return False
            if side is Side.RESP:
                waiting = self._pairing.waiting
                reader.bare = bool(waiting) and waiting[0].version == "0.9"
        event.place = reader.take(event.octets, place, event.at)
        self._held[side] -= event.place - place
        return True

    def _waits(self, side: Side, reader: Reader) -> bool:
        if reader.seeking or not self._patient[side]:
            return False
        other = self._readers[side.other]
        if other.seeking or other.closed:
            return False
        return self._may_switch is not None if side is Side.ORIG else not self._pairing.waiting

    # Requests

    def _request_begun(self, message: Message) -> Framing:
        exchange = self._asking = Exchange(
            request_fields=message.fields,
            request_start=message.start,
            request_head_size=message.head_size,
        )
        if message.request:
            exchange.method, exchange.target, exchange.version = message.request
        how, problems = framing(message.fields, exchange.version, response=False)
        exchange.say(*message.problems, *problems)
        if message.head_whole and (exchange.method == "CONNECT" or "upgrade" in message.fields):
            self._may_switch = exchange
        self._pairing.asked(exchange, message)
        return how

    def _request_over(self, message: Message) -> None:
        exchange, self._asking = self._asking, None
        assert exchange is not None
        exchange.request_end = message.end
        exchange.request_size = message.size
        exchange.request_body_size = message.body_size
        exchange.request_missing = message.missing
        exchange.request_complete = message.complete
        exchange.say(*message.problems)
        if exchange is self._early:
            self._early = None
            self._done_exchanges.append(exchange)

    def _done(self, exchange: Exchange) -> None:
        if exchange is self._may_switch:
            self._may_switch = None
        if exchange is self._asking:
            self._early = exchange
        else:
            self._done_exchanges.append(exchange)

    # Responses

    def _response_begun(self, message: Message) -> Framing:
        exchange = self._pairing.answers(message)
        if exchange is None:
            exchange = Exchange(response_start=message.start)
            self._pairing.waiting.appendleft(exchange)
        self._answering = exchange
        exchange.response_start = exchange.response_start or message.start
        status = message.status.status if message.status else None
        if status is not None and 100 <= status < 200 and status != 101:
            exchange.interim += 1
            return NOTHING
        self._pairing.answered()
        exchange.status = status
        exchange.response_version = message.status.version if message.status else "0.9"
        exchange.response_fields = message.fields
        how, problems = framing(message.fields, exchange.response_version, response=True)
        if message.head_whole and self._switches(exchange):
            return NOTHING
        if exchange is self._may_switch:
            self._may_switch = None
        if exchange.method == "HEAD" or status in (204, 304):
            return NOTHING
        exchange.say(*problems)
        return how

    def _switches(self, exchange: Exchange) -> bool:
        """Whether the response changes the protocol (RFC 9110 7.8, 9.3.6)."""
        status = exchange.status or 0
        if exchange.method == "CONNECT" and 200 <= status < 300:
            self.switched = "connect"
        elif status == 101:
            asked, agreed = exchange.request_fields, exchange.response_fields
            token = agreed.get("upgrade") or asked.get("upgrade") or "unknown"
            self.switched = token.partition(",")[0].strip().lower()
            self.asked = exchange
        else:
            return False
        self._readers[Side.ORIG].leave()
        return True

    def _response_over(self, message: Message) -> None:
        exchange, self._answering = self._answering, None
        assert exchange is not None
        exchange.response_end = message.end
        exchange.response_size += message.size
        exchange.response_body_size += message.body_size
        exchange.response_missing += message.missing
        exchange.say(*message.problems)
        if exchange.response_version is None:  # an interim response
            return
        exchange.complete = message.complete
        self._pairing.ended(message.end)
        self._done(exchange)
