"""Which request a response answers (RFC 9112 9.3.2), also after octets were lost.

In order, as long as nothing was passed over. Once it was (a gap, a capture that began in the midst,
a broken message), a response answers only requests that began before it did. After a gap among the
responses it answers the latest of these: a client that does not pipeline sends a request when the
one before is answered. If the connection was seen to pipeline, it answers the first request sent
since the last response ended, or else the first of all. Requests so passed over stay unanswered.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from l7meter.captures.base import Moment
from l7meter.captures.exchange import Exchange, Message

MAX_WAITING = 10_000  # requests; servers read some hundreds ahead
MAX_WAITING_OCTETS = 16 << 20  # of their heads

LOST_RESPONSE = "its response was lost in a gap"
TOO_MANY = "too many requests wait for a response"


class Pairing:
    """Requests that wait for their final responses, in order; `given_up` is told of the others."""

    def __init__(self, given_up: Callable[[Exchange], None]) -> None:
        self.waiting: deque[Exchange] = deque()
        self._octets = 0
        self._given_up = given_up
        self._forgotten = 0  # waiting requests beyond the limits, which will be answered first
        self._by_time = False  # octets were passed over: a response follows its request in time
        self._lost = False  # responses may have been lost since the two were last in step
        self._pipelines = False
        self._ended: Moment | None = None  # the last final response

    def asked(self, exchange: Exchange, message: Message) -> None:
        """A request begins."""
        self._by_time |= message.found
        self.waiting.append(exchange)
        self._octets += exchange.request_head_size
        while len(self.waiting) > MAX_WAITING or self._octets > MAX_WAITING_OCTETS:
            self._forgotten += 1
            self._give_up(TOO_MANY)

    def answers(self, message: Message) -> Exchange | None:
        """The exchange that the response belongs to, None if its request was not seen.

        It stays the first that waits until it is `answered`: the response may be an interim one.
        """
        if message.found:
            self._by_time = self._lost = True
            self._forgotten = 0
        waiting = self.waiting
        if waiting and waiting[0].request_start is None:  # has had its interim response
            return waiting[0]
        if self._forgotten:
            self._forgotten -= 1
            return None
        if self._lost:
            for _ in range(self._passed_over(message.start)):
                self._give_up(LOST_RESPONSE)
        elif len(waiting) > 1 and _before(waiting[1], message.start):
            self._pipelines = True
        if not waiting or (self._by_time and not _before(waiting[0], message.start)):
            self._lost = False
            return None
        self._lost &= len(waiting) > 1 and _before(waiting[1], message.start)
        return waiting[0]

    def answered(self) -> None:
        """The final response to the first that waits has begun."""
        self._octets -= self.waiting.popleft().request_head_size

    def ended(self, at: Moment) -> None:
        """A final response has ended."""
        self._ended = at

    def _passed_over(self, start: Moment) -> int:
        """How many waiting requests lost their responses, if one starts then."""
        waiting, ended = self.waiting, self._ended
        count = 0
        if not self._pipelines:
            while count + 1 < len(waiting) and _before(waiting[count + 1], start):
                count += 1
        elif ended and waiting and not _before(waiting[-1], ended):
            while _before(waiting[count], ended):
                count += 1
            if not _before(waiting[count], start):
                count = 0
        return count

    def _give_up(self, problem: str) -> None:
        exchange = self.waiting.popleft()
        self._octets -= exchange.request_head_size
        exchange.say(problem)
        self._given_up(exchange)


def _before(exchange: Exchange, moment: Moment) -> bool:
    """Whether the request began before, or in the same packet."""
    return exchange.request_start is None or exchange.request_start <= moment
