"""What is spoken on a connection: told by its first octets, and followed from there."""

from __future__ import annotations

from l7meter.captures.base import Moment, Side
from l7meter.captures.exchange import Exchange
from l7meter.captures.http1 import Conversation, looks_like_request, looks_like_response
from l7meter.captures.http1_message import ENDLESS
from l7meter.captures.http2 import Http2
from l7meter.captures.tcp import Piece
from l7meter.captures.tls import Tls, looks_like_tls

TELLING = 8  # octets of a side that tell what is spoken
PREFACE = b"PRI * HTTP/2.0"
LOOK = 64 << 10  # octets in which TLS is sought in the midst; two records of a side have 33 KiB
START_LINE = len("G / HTTP/1.1\n")  # octets of the shortest one
_CLIENT_HELLO, _SERVER_HELLO = b"\x01", b"\x02"  # in the sixth octet


def says_client(start: bytes) -> bool | None:
    """Whether these first octets of a side are a client's; None where they do not tell."""
    if looks_like_tls(start):
        return {_CLIENT_HELLO: True, _SERVER_HELLO: False}.get(start[5:6])
    if looks_like_response(start):
        return False
    return True if looks_like_request(start) else None


class Speech:
    """Octets in order of both sides in, exchanges out; `tls` and `tunnel` where it stays closed.

    Octets given == those of all exchanges + `overhead` + `hidden` + `remainder`, all of both sides.
    """

    def __init__(self) -> None:
        self.told = False
        self.from_start = False  # the handshake was seen: no side begins in the midst
        self.tls: Tls | None = None
        self.tunnel: list[int] | None = None  # octets by side
        self.tunnel_from: Moment | None = None
        self.missing = 0  # octets, of no exchange
        self._octets = [0, 0]
        self._left = [0, 0]
        self._early: list[tuple[Side, Piece]] = []
        self._http: Conversation | Http2 | None = None
        self._before: Conversation | None = None  # that was upgraded to HTTP/2
        self._perhaps: Tls | None = None  # beside HTTP/1.x, in the midst
        self._perhaps_missing = 0  # octets

    @property
    def idle(self) -> bool:
        """Whether HTTP/1.x is spoken, and no exchange is under way."""
        return isinstance(self._http, Conversation) and self._http.idle

    @property
    def overhead(self) -> int:
        """Octets of HTTP/2 between its messages."""
        return sum(self._http.overhead) if isinstance(self._http, Http2) else 0

    @property
    def hidden(self) -> int:
        """Octets of TLS or of a tunnel."""
        return sum(self._octets) if self.tls else sum(self.tunnel or ())

    @property
    def remainder(self) -> list[int]:
        """Octets by side that are nothing of all this."""
        if self.tls:
            return [0, 0]
        parts = [self._left, *(http.remainder for http in (self._before, self._http) if http)]
        return [sum(part[side] for part in parts) for side in Side]

    @property
    def octets(self) -> list[int]:
        """All octets by side."""
        return self._octets

    def piece(self, side: Side, piece: Piece) -> None:
        """Take the next piece of a side."""
        self._octets[side] += len(piece.octets)
        if self.told:
            self._spoken(side, piece)
            return
        self._early.append((side, piece))
        if piece.missing or sum(len(p.octets) for s, p in self._early if s is side) >= TELLING:
            self.tell()

    def close(self, side: Side, at: Moment, *, clean: bool) -> None:
        """A side sends no more: after a FIN (clean), a RST, or the end of the capture."""
        self.tell()
        if self._http:
            self._http.close(side, at, clean)

    def finished(self) -> list[Exchange]:
        """Exchanges that are over; each is given once."""
        return self._http.finished() if self._http else []

    def end(self) -> list[Exchange]:
        """The rest of the exchanges."""
        rest: list[Exchange] = []
        for http in (self._before, self._http):
            if http:
                rest += [*http.finished(), *http.end()]
        return rest

    def expects(self, side: Side) -> int:
        """Octets to come of a side that are content, whatever they are."""
        if self.tls:
            return self.tls.expects(side)
        if self.tunnel is not None or self._http is None:
            return ENDLESS
        if isinstance(self._http, Http2) or self._http.switched:
            return 0
        return self._http.expects(side)

    def tell(self) -> None:
        """Tell what is spoken by what there is; then let it be spoken."""
        if self.told:
            return
        self.told = True
        starts = [b"".join(p.octets for s, p in self._early if s is side) for side in Side]
        whole = self.from_start and not any(p.missing for _, p in self._early)
        if any(looks_like_tls(start) for start in starts):
            self.tls = Tls()
        elif starts[Side.ORIG].startswith(PREFACE):
            self._http = Http2()
        elif looks_like_request(starts[Side.ORIG]) or looks_like_response(starts[Side.RESP]):
            self._http = Conversation()
        elif not whole and self._early:
            self._http, self._perhaps = Conversation(midstream=True), Tls(midstream=True)
        for side, piece in self._early:
            self._spoken(side, piece)
        self._early.clear()

    def _spoken(self, side: Side, piece: Piece) -> None:
        if self.tls:
            self.missing += piece.missing
            if piece.missing:
                self.tls.gap(side, piece.missing, piece.at)
            else:
                self.tls.data(side, piece.octets, piece.at)
        elif self.tunnel is not None:
            self.tunnel[side] += len(piece.octets)
            self.missing += piece.missing
        elif isinstance(self._http, Conversation):
            self._converse(self._http, side, piece)
        elif self._http and piece.missing:
            self._http.gap(side, piece.missing, piece.at)
        elif self._http:
            self._http.data(side, piece.octets, piece.at)
        else:
            self._left[side] += len(piece.octets)
            self.missing += piece.missing
        if self._perhaps:
            self._look(self._perhaps, side, piece)

    def _look(self, tls: Tls, side: Side, piece: Piece) -> None:
        """It is TLS if two records in a row are seen, and no start line of HTTP/1.x was."""
        self._perhaps_missing += piece.missing
        if piece.missing:
            tls.gap(side, piece.missing, piece.at)
        else:
            tls.data(side, piece.octets, piece.at)
        in_messages = sum(self._octets) - sum(self.remainder)  # or held: it may begin one
        if any(tls.records) and in_messages < START_LINE:
            self.tls, self._http, self.missing = tls, None, self._perhaps_missing
        if self.tls or sum(self._octets) > LOOK:
            self._perhaps = None

    def _converse(self, http: Conversation, side: Side, piece: Piece) -> None:
        if piece.missing:
            if beyond := http.gap(side, piece.missing, piece.at):
                self._switch(http, side, Piece(b"", beyond, piece.at))
            return
        rests = [(side, http.data(side, piece.octets, piece.at))]
        rests.append((side.other, http.late(side.other)))
        for of, rest in rests:
            if rest:
                self._switch(http, of, Piece(rest, 0, piece.at))

    def _switch(self, http: Conversation, side: Side, piece: Piece) -> None:
        """The protocol was switched: the first octets of what follows, or more of them."""
        if self._http is http and http.switched == "h2c":
            self._before, self._http = http, Http2(upgraded=True)
        elif self._http is http and self.tunnel is None:
            self.tunnel, self.tunnel_from = [0, 0], piece.at
        self._spoken(side, piece)
