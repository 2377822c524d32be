"""What is spoken on a connection: told by its first octets, and followed from there.

A client's octets that are no HTTP wait for the server's: it may refuse them in HTTP, TLS as well. So do
a server's that may begin HTTP/2, which it may do at once, for the client's.
"""

from __future__ import annotations

from l7meter.captures.base import Moment, Side
from l7meter.captures.dialog import Dialog
from l7meter.captures.exchange import Exchange
from l7meter.captures.http1 import Conversation, looks_like_request, looks_like_response
from l7meter.captures.http1_message import ENDLESS
from l7meter.captures.http2 import Http2
from l7meter.captures.http2_frames import looks_like_http2, looks_like_settings
from l7meter.captures.proxied import looks_proxied, proxied, waits
from l7meter.captures.tcp import Piece
from l7meter.captures.tls import Tls, looks_like_tls

TELLING = 8  # octets of a side that tell what is spoken
LOOK = 64 << 10  # octets in which TLS is sought in the midst; two records of a side have 33 KiB
UNANSWERED = 16 << 10  # octets of a client that wait for the server to tell
START_LINE = len("G / HTTP/1.1\n")  # octets of the shortest one
_CONTENT = bytes(1 << 20)  # stands for content, of which only the size matters
_CLIENT_HELLO, _SERVER_HELLO = b"\x01", b"\x02"  # in the sixth octet


def says_client(start: bytes) -> bool | None:
    """Whether these first octets of a side are a client's; None where they do not tell."""
    if looks_like_tls(start):
        return {_CLIENT_HELLO: True, _SERVER_HELLO: False}.get(start[5:6])
    if looks_like_response(start):
        return False
    return True if looks_like_request(start) or looks_proxied(start) else None


class Speech:
    """Octets in order of both sides in, exchanges out; `tls` and `tunnel` where it stays closed.

    `client` is whom a load balancer's header names, an address. Octets given == those of all exchanges + `overhead` + `hidden` + `remainder`, all of both sides.
    """

    def __init__(self) -> None:
        self.told = False
        self.from_start = False  # the handshake was seen: no side begins in the midst
        self.tls: Tls | None = None
        self.client: str | None = None
        self.octets = [0, 0]  # by side, without a load balancer's header
        self._header = 0  # octets of it
        self._missing = 0  # octets, of TLS or of nothing
        self._left = [0, 0]
        self._early: list[tuple[Side, Piece]] = []
        self._early_close: tuple[Moment, bool] | None = None  # of the client's side
        self._dialog: Dialog | None = None
        self._perhaps: Tls | None = None  # beside HTTP/1.x, in the midst
        self._perhaps_missing = 0  # octets

    @property
    def idle(self) -> bool:
        """Whether HTTP/1.x is spoken, and no exchange is under way."""
        return self._dialog is not None and self._dialog.idle

    @property
    def tunnel(self) -> list[int] | None:
        """Octets by side behind CONNECT or Upgrade, if there is such a thing."""
        return self._dialog.tunnel if self._dialog else None

    @property
    def tunnel_from(self) -> Moment | None:
        """When the tunnel began."""
        return self._dialog.tunnel_from if self._dialog else None

    @property
    def missing(self) -> int:
        """Octets that were not captured, of no exchange."""
        return self._missing + (self._dialog.missing if self._dialog else 0)

    @property
    def overhead(self) -> int:
        """Octets of a load balancer's header, and of HTTP/2 between its messages."""
        return self._header + (sum(self._dialog.overhead) if self._dialog else 0)

    @property
    def hidden(self) -> int:
        """Octets of TLS or of a tunnel."""
        return sum(self.octets) if self.tls else sum(self.tunnel or ())

    @property
    def remainder(self) -> list[int]:
        """Octets by side that are nothing of all this."""
        if self.tls:
            return [0, 0]
        return self._dialog.remainder if self._dialog else self._left

    def piece(self, side: Side, piece: Piece) -> None:
        """Take the next piece of a side."""
        self.octets[side] += len(piece.octets)
        if self.told:
            self._spoken(side, piece)
            return
        self._early.append((side, piece))
        if piece.missing or self._tells(side):
            self.tell()

    def _start(self, side: Side) -> bytes:
        return b"".join(piece.octets for of, piece in self._early if of is side)

    def _tells(self, side: Side) -> bool:
        """Whether the first octets of a side say enough; a load balancer's are put away."""
        start = self._start(side)
        if side is Side.ORIG and not self._header:
            if waits(start):
                return False
            if header := proxied(start):
                self._header, self.client = header
                self.octets[side] -= header.size
                at = self._early[-1][1].at
                start = start[header.size :]
                self._early = [each for each in self._early if each[0] is not side]
                self._early += [(side, Piece(start, 0, at))] if start else []
        if len(start) < TELLING:
            return False
        told = looks_like_request(start) or looks_like_http2(start)
        silent = self.from_start and not self._start(side.other)
        open_ = side is Side.ORIG or looks_like_settings(start)
        return told or not (silent and open_) or len(start) > UNANSWERED

    def content(self, side: Side, size: int, at: Moment) -> None:
        """So many of the next octets of a side are the content that it `expects`."""
        if self.tls:
            self.octets[side] += size
            self.tls.passed(side, size)
            return
        for start in range(0, size, len(_CONTENT)):
            self.piece(side, Piece(_CONTENT[: size - start], 0, at))

    def asks(self, octets: bytes) -> bool:
        """Whether these next octets of the client begin an exchange of HTTP/1.x, and none is under way.

        Not where a load balancer named the client, which its exchanges have to say.
        """
        if self.client:
            return False
        if not self.told and not self._early and looks_like_request(octets):
            self.told, self._dialog = True, Dialog(Conversation())
        return self.idle

    def close(self, side: Side, at: Moment, *, clean: bool) -> None:
        """A side sends no more: after a FIN (clean), a RST, or the end of the capture."""
        if side is Side.ORIG and not (self.told or self._start(Side.RESP)) and self.from_start:
            self._early_close = at, clean
            return
        self.tell()
        if self._dialog:
            self._dialog.close(side, at, clean=clean)

    def finished(self) -> list[Exchange]:
        """Exchanges that are over; each is given once."""
        return self._dialog.finished() if self._dialog else []

    def end(self) -> list[Exchange]:
        """The rest of the exchanges."""
        return self._dialog.end() if self._dialog else []

    def expects(self, side: Side) -> int:
        """Octets to come of a side that are content, whatever they are."""
        if self.tls:
            return self.tls.expects(side)
        return self._dialog.expects(side) if self._dialog else ENDLESS

    def tell(self) -> None:
        """Tell what is spoken by what there is; then let it be spoken."""
        if self.told:
            return
        self.told = True
        starts = [b"".join(p.octets for s, p in self._early if s is side) for side in Side]
        whole = self.from_start and not any(p.missing for _, p in self._early)
        answered = looks_like_response(starts[Side.RESP])
        if not answered and any(looks_like_tls(start) for start in starts):
            self.tls = Tls()
        elif looks_like_http2(starts[Side.ORIG]):
            self._dialog = Dialog(Http2())
        elif looks_like_request(starts[Side.ORIG]) or answered:
            self._dialog = Dialog(Conversation())
        elif not whole and self._early:
            self._dialog = Dialog(Conversation(midstream=True))
            self._perhaps = Tls(midstream=True)
        for side, piece in self._early:
            self._spoken(side, piece)
        self._early.clear()
        if self._early_close and self._dialog:
            self._dialog.close(Side.ORIG, self._early_close[0], clean=self._early_close[1])

    def _spoken(self, side: Side, piece: Piece) -> None:
        listener = self.tls or self._dialog
        if listener and piece.missing:
            listener.gap(side, piece.missing, piece.at)
        elif listener:
            listener.data(side, piece.octets, piece.at)
        else:
            self._left[side] += len(piece.octets)
        if self.tls or not self._dialog:
            self._missing += piece.missing
        if self._perhaps:
            self._look(self._perhaps, side, piece)

    def _look(self, tls: Tls, side: Side, piece: Piece) -> None:
        """It is TLS if two records in a row are seen, and no start line of HTTP/1.x was."""
        self._perhaps_missing += piece.missing
        if piece.missing:
            tls.gap(side, piece.missing, piece.at)
        else:
            tls.data(side, piece.octets, piece.at)
        in_messages = sum(self.octets) - sum(self.remainder)  # or held: it may begin one
        if any(tls.records) and in_messages < START_LINE:
            self.tls, self._dialog, self._missing = tls, None, self._perhaps_missing
        if self.tls or sum(self.octets) > LOOK:
            self._perhaps = None
