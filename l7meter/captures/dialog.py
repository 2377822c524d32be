"""HTTP in the clear on a connection: /1.x or /2, and what it is switched to."""

from __future__ import annotations

from l7meter.captures.base import Moment, Side
from l7meter.captures.exchange import Exchange
from l7meter.captures.http1 import Conversation
from l7meter.captures.http1_message import ENDLESS
from l7meter.captures.http2 import Http2


class Dialog:
    """Octets in order of both sides in, exchanges out; a `tunnel` behind CONNECT or Upgrade.

    After `end`, of each side: octets given == messages of the exchanges + `overhead` + `remainder`
    + `tunnel`. `missing` are octets of gaps in the tunnel.
    """

    def __init__(self, http: Conversation | Http2) -> None:
        self.tunnel: list[int] | None = None  # octets by side
        self.tunnel_from: Moment | None = None
        self.missing = 0
        self._http = http
        self._before: Conversation | None = None  # that was upgraded to HTTP/2

    @property
    def idle(self) -> bool:
        """Whether HTTP/1.x is spoken, and no exchange is under way."""
        return isinstance(self._http, Conversation) and self._http.idle

    @property
    def overhead(self) -> list[int]:
        """Octets of HTTP/2 between its messages, by side."""
        return self._http.overhead if isinstance(self._http, Http2) else [0, 0]

    @property
    def remainder(self) -> list[int]:
        """Octets that belong to no message, by side."""
        parts = [http.remainder for http in (self._before, self._http) if http]
        return [sum(part[side] for part in parts) for side in Side]

    def expects(self, side: Side) -> int:
        """Octets to come of a side that are content, whatever they are."""
        if self.tunnel is not None:
            return ENDLESS
        if isinstance(self._http, Http2) or self._http.switched:
            return 0
        return self._http.expects(side)

    def data(self, side: Side, octets: bytes, at: Moment) -> None:
        """Take the next octets of a side."""
        if self.tunnel is not None:
            self.tunnel[side] += len(octets)
        elif isinstance(self._http, Http2):
            self._http.data(side, octets, at)
        else:
            rest = self._http.data(side, octets, at)
            late = self._http.late(side.other)
            for of, beyond in ((side, rest), (side.other, late)):
                if beyond:
                    self._switch(at)
                    self.data(of, beyond, at)

    def gap(self, side: Side, size: int, at: Moment) -> None:
        """Octets that were sent but not captured."""
        if self.tunnel is not None:
            self.missing += size
        elif isinstance(self._http, Http2):
            self._http.gap(side, size, at)
        elif beyond := self._http.gap(side, size, at):
            self._switch(at)
            self.gap(side, beyond, at)

    def close(self, side: Side, at: Moment, *, clean: bool) -> None:
        """A side sends no more: after a FIN (clean), a RST, or the end of the capture."""
        self._http.close(side, at, clean)

    def finished(self) -> list[Exchange]:
        """Exchanges that are over; each is given once."""
        return self._http.finished()

    def end(self) -> list[Exchange]:
        """The rest of the exchanges."""
        rest: list[Exchange] = []
        for http in (self._before, self._http):
            if http:
                rest += [*http.finished(), *http.end()]
        return rest

    def _switch(self, at: Moment) -> None:
        """What follows is of another protocol; once."""
        if self.tunnel is None and isinstance(self._http, Conversation):
            if self._http.switched == "h2c":
                self._before, self._http = self._http, Http2(self._http.asked)
            else:
                self.tunnel, self.tunnel_from = [0, 0], at
