"""What is spoken inside of a TLS connection, from its opened records: HTTP/1.x, HTTP/2, a tunnel."""

from __future__ import annotations

from l7meter.captures.base import Moment, Side
from l7meter.captures.dialog import Dialog
from l7meter.captures.exchange import Exchange
from l7meter.captures.http1 import Conversation, looks_like_request
from l7meter.captures.http2 import Http2
from l7meter.captures.http2_frames import looks_like_http2

TELLING = 14  # octets of the client that tell what is spoken: so much of HTTP/2's preface does
MAX_EARLY = 64 << 10  # octets of the server before that; HTTP/2 servers send some 100


class Plain:
    """Opened octets of both sides in, exchanges out.

    After `end`, of each side: octets given == messages of the exchanges + `overhead` + `remainder`
    + `tunnel`. `spoken` tells whether they are HTTP at all.
    """

    def __init__(self) -> None:
        self.spoken = True
        self._dialog: Dialog | None = None
        self._early: list[tuple[Side, bytes, Moment]] = []
        self._exchanges: list[Exchange] = []

    @property
    def tunnel(self) -> list[int]:
        """Octets behind CONNECT or Upgrade, by side."""
        return (self._dialog and self._dialog.tunnel) or [0, 0]

    @property
    def tunnel_from(self) -> Moment | None:
        """When the tunnel began."""
        return self._dialog.tunnel_from if self._dialog else None

    @property
    def remainder(self) -> list[int]:
        """Octets that belong to no message, by side."""
        return self._dialog.remainder if self._dialog else [0, 0]

    @property
    def overhead(self) -> list[int]:
        """Octets of HTTP/2 between the messages, by side."""
        return self._dialog.overhead if self._dialog else [0, 0]

    def data(self, side: Side, octets: bytes, at: Moment) -> None:
        """Take the next octets of a side."""
        if self._dialog:
            self._dialog.data(side, octets, at)
            self._exchanges += self._dialog.finished()
        elif self.spoken:
            self._early.append((side, octets, at))
            self._tell(enough=TELLING)

    def end(self, clean: list[bool], at: Moment) -> list[Exchange]:
        """All exchanges; `clean` says of which side the connection's end was seen."""
        self._tell(enough=1)
        if self._dialog:
            for side in Side:
                self._dialog.close(side, at, clean=clean[side])
            self._exchanges += self._dialog.end()
        return self._exchanges

    def _tell(self, enough: int) -> None:
        if self._dialog or not self.spoken:
            return
        start = b"".join(octets for side, octets, _ in self._early if side is Side.ORIG)
        if len(start) < enough:
            self.spoken = sum(len(octets) for _, octets, _ in self._early) <= MAX_EARLY
        elif looks_like_http2(start):
            self._dialog = Dialog(Http2())
        elif looks_like_request(start):
            self._dialog = Dialog(Conversation())
        else:
            self.spoken = False
        early, self._early = self._early, []
        if self._dialog:
            for each in early:
                self.data(*each)
        elif self.spoken:
            self._early = early
