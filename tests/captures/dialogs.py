"""TCP conversations made from HTTP exchanges, damaged as wanted, as the octets of a capture.

An exchange is turns of octets; `conversation` cuts the turns into segments and adds what TCP adds;
damages are functions from segments to segments; `capture` writes conversations down, mixed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from packets import (
    ACK,
    FIN,
    PSH,
    RST,
    START,
    SYN,
    TCP,
    ethernet,
    ipv4,
    ipv4_fragments,
    ipv6,
    ipv6_fragments,
    pcap,
    tcp,
)

CLIENT, SERVER = 0, 1
MSS = 1448  # octets of payload in a packet of 1500 with TCP timestamps
BAIT = b"GET /bait HTTP/1.1\r\n\r\nHTTP/1.1 200 OK\r\n\r\n0\r\n\r\n\x16\x03\x01"  # as content
Turn = tuple[int, bytes]  # who speaks


class Made(NamedTuple):
    """An exchange as it was made; sizes in octets. `last` says what the connection is after it."""

    method: str
    target: str
    status: int
    turns: tuple[Turn, ...]
    request_body: int = 0
    response_body: int = 0
    last: str = ""  # "", "close" (ends the response), "tunnel"

    def __repr__(self) -> str:
        return f"<{self.method} {self.status} {self.size(CLIENT)} {self.size(SERVER)}>"

    def size(self, side: int) -> int:
        return sum(len(octets) for who, octets in self.turns if who == side)


class Sent(NamedTuple):
    """A segment; `side` sent it."""

    side: int
    seq: int
    ack: int
    flags: int
    payload: bytes = b""

    def __repr__(self) -> str:
        return f"<{self.side} {self.seq}+{len(self.payload)} {self.flags:#x} {self.ack}>"


class Path(NamedTuple):
    """How a conversation's segments are wrapped."""

    port: int = 40000  # the client's
    six: bool = False
    tags: tuple[int, ...] = ()
    fragment: int | None = None  # octets, a multiple of 8


# Exchanges


def content(size: int) -> bytes:
    return (BAIT * (size // len(BAIT) + 1))[:size]


def _head(line: str, *fields: str) -> bytes:
    return "\r\n".join([line, *fields, "", ""]).encode()


def _chunked(size: int, chunk: int) -> bytes:
    octets = content(size)
    pieces = [octets[place : place + chunk] for place in range(0, size, chunk)]
    return b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in pieces) + b"0\r\n\r\n"


def _request(method: str, target: str, body: int = 0, *fields: str) -> bytes:
    length = [f"Content-Length: {body}"] if body else []
    host = "Host: example.org"
    return _head(f"{method} {target} HTTP/1.1", host, *length, *fields) + content(body)


def exchange(kind: str, target: str, size: int, body: int = 0) -> Made:
    """An exchange of a kind (one of KINDS) with `size` octets in answer to `body` octets."""
    length = f"Content-Length: {size}"
    method, status, sent, last = "POST" if body else "GET", 200, size, ""
    ask = _request(method, target, body)
    if kind == "length":
        answer = _head("HTTP/1.1 200 OK", length) + content(size)
    elif kind == "chunked":
        answer = _head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + _chunked(size, 1000)
    elif kind == "head":
        method, sent, body = "HEAD", 0, 0
        ask, answer = _request(method, target), _head("HTTP/1.1 200 OK", length)
    elif kind in ("204", "304"):
        status, sent = int(kind), 0
        answer = _head(f"HTTP/1.1 {kind} Nothing", *([length] if kind == "304" else []))
    elif kind == "hints":
        answer = _head("HTTP/1.1 103 Early Hints", "Link: </a>") * 2
        answer += _head("HTTP/1.1 200 OK", length) + content(size)
    elif kind == "upload":
        ask = _head(f"PUT {target} HTTP/1.1", "Host: example.org", "Transfer-Encoding: chunked")
        method, status, ask, body = "PUT", 201, ask + _chunked(size, 700), size
        answer, sent = _head("HTTP/1.1 201 Created", "Content-Length: 2") + b"ok", 2
    elif kind == "close":
        answer, last = _head("HTTP/1.1 200 OK", "Connection: close") + content(size), "close"
    elif kind == "connect":
        method, target, sent, body, last = "CONNECT", "example.org:443", 0, 0, "tunnel"
        ask, answer = _request(method, target), _head("HTTP/1.1 200 Established")
    else:
        upgrade = ("Connection: upgrade", "Upgrade: websocket")
        status, sent, last = 101, 0, "tunnel"
        ask = _request(method, target, body, *upgrade)
        answer = _head("HTTP/1.1 101 Switching Protocols", *upgrade)
    return Made(method, target, status, ((CLIENT, ask), (SERVER, answer)), body, sent, last)


def expecting(target: str, size: int) -> Made:
    """An upload that waits for 100 (Continue)."""
    ask = _request("PUT", target, size, "Expect: 100-continue")
    head, body = ask[: len(ask) - size], ask[len(ask) - size :]
    go_on, answer = _head("HTTP/1.1 100 Continue"), _head("HTTP/1.1 204 No Content")
    turns = ((CLIENT, head), (SERVER, go_on), (CLIENT, body), (SERVER, answer))
    return Made("PUT", target, 204, turns, size)


MIDDLE = ("length", "chunked", "head", "204", "304", "hints", "upload")
LAST = ("close", "connect", "websocket")


def pipelined(exchanges: Iterable[Made]) -> list[Turn]:
    """All requests at once, then all responses."""
    turns = [turn for each in exchanges for turn in each.turns]
    return [(side, b"".join(o for who, o in turns if who == side)) for side in (CLIENT, SERVER)]


# Conversations


def conversation(
    turns: Iterable[Turn],
    *,
    mss: Sequence[int] = (MSS,),
    isn: tuple[int, int] = (1000, 2000),
    acknowledge: int = 2,
    ending: str = "fin",
) -> list[Sent]:
    """The segments of a whole connection; `mss` are the sizes of the cuts, in turn.

    The listener acknowledges every so many segments (0: never by itself); `ending` is "fin", "rst"
    or anything else for a connection that is still open.
    """
    at = list(isn)  # of each side, the next sequence number
    segments: list[Sent] = []

    def send(side: int, flags: int, payload: bytes = b"") -> None:
        ack = at[1 - side] % 2**32 if flags & ACK else 0
        segments.append(Sent(side, at[side] % 2**32, ack, flags, payload))
        at[side] += len(payload) + bool(flags & (SYN | FIN))

    send(CLIENT, SYN)
    send(SERVER, SYN | ACK)
    send(CLIENT, ACK)
    count = 0
    for side, octets in turns:
        place = 0
        while place < len(octets):
            payload = octets[place : place + mss[count % len(mss)]]
            send(side, PSH | ACK, payload)
            place, count = place + len(payload), count + 1
            if acknowledge and count % acknowledge == 0:
                send(1 - side, ACK)
    if ending == "fin":
        send(SERVER, FIN | ACK)
        send(CLIENT, FIN | ACK)
        send(SERVER, ACK)
    elif ending == "rst":
        send(CLIENT, RST | ACK)
    return segments


# Damages


def swapped(segments: Sequence[Sent], places: Iterable[int]) -> list[Sent]:
    """Neighbours change places; resets, after which nothing counts, do not."""
    result = list(segments)
    for place in places:
        pair = [place % len(result), (place + 1) % len(result)]
        if pair[0] < pair[1] and not any(result[each].flags & RST for each in pair):
            result[pair[0]], result[pair[1]] = result[pair[1]], result[pair[0]]
    return result


def late(segments: Sequence[Sent], places: Iterable[tuple[int, int]]) -> list[Sent]:
    """Segments of content overtaken by up to so many that follow, of the same turn."""
    result = list(segments)
    for start, by in places:
        place = start % len(result)
        one = result[place]
        for _ in range(by if one.payload and not one.flags & (SYN | FIN | RST) else 0):
            following = result[place + 1] if place + 1 < len(result) else one._replace(flags=RST)
            turns = following.payload and following.side != one.side
            if turns or following.flags & (SYN | FIN | RST):
                break
            result[place : place + 2] = [following, one]
            place += 1
    return result


def honest(segments: Sequence[Sent]) -> list[Sent]:
    """With acknowledgements of what had come without a hole, as a receiver beside the capture has it."""
    result: list[Sent] = []
    come: tuple[dict[int, int], dict[int, int]] = ({}, {})  # starts to ends, of each side
    following: list[int | None] = [None, None]
    for each in segments:
        ack = following[1 - each.side]
        result.append(each._replace(ack=ack) if each.flags & ACK and ack is not None else each)
        size = len(each.payload) + bool(each.flags & (SYN | FIN))
        if following[each.side] is None:
            following[each.side] = each.seq
        come[each.side][each.seq] = (each.seq + size) % 2**32
        while (end := come[each.side].pop(following[each.side] or 0, None)) is not None:
            following[each.side] = end
    return result


def lost(segments: Sequence[Sent], places: Iterable[int]) -> list[Sent]:
    """Segments that the capture missed."""
    gone = {place % len(segments) for place in places}
    return [each for place, each in enumerate(segments) if place not in gone]


def sent_again(segments: Sequence[Sent], places: Iterable[tuple[int, int, int]]) -> list[Sent]:
    """Data come again, from so many octets before a segment to so many behind it."""
    starts = {s.side: (s.seq + 1) % 2**32 for s in segments if s.flags & SYN}
    data = [(place, s) for place, s in enumerate(segments) if s.payload]
    streams = {side: b"".join(s.payload for _, s in data if s.side == side) for side in starts}
    added: dict[int, list[Sent]] = {}
    for number, before, behind in places if data else ():
        place, segment = data[number % len(data)]
        octets = streams[segment.side]
        first = (segment.seq - starts[segment.side]) % 2**32
        begin = max(first - before, 0)
        payload = octets[begin : min(first + len(segment.payload) + behind, begin + MSS)]
        again = segment._replace(seq=(segment.seq - first + begin) % 2**32, payload=payload)
        added.setdefault(place, []).append(again)
    return [s for place, each in enumerate(segments) for s in (each, *added.get(place, ()))]


def copied(segments: Sequence[Sent], places: Iterable[tuple[int, int]]) -> list[Sent]:
    """Segments with data come again, so many places later, with other octets: the first count."""
    result = list(segments)
    for place, after in places:
        each = result[place % len(result)]
        if each.payload:
            result.insert(place % len(result) + 1 + after, each._replace(payload=b"?" * len(each.payload)))  # fmt: skip
    return result


# Captures


def wrapped(segments: Iterable[Sent], path: Path) -> list[bytes]:
    """The Ethernet frames of segments; each packet has an identification of its own."""
    return [
        ethernet(packet, tags=path.tags)
        for number, sent in enumerate(segments)
        for packet in _packets(sent, path, (path.port * 4096 + number) % 2**16)
    ]


def _packets(sent: Sent, path: Path, ident: int) -> list[bytes]:
    ports = (path.port, 80) if sent.side == CLIENT else (80, path.port)
    octets = tcp(*ports, sent.seq, sent.ack, sent.flags, sent.payload)
    ends = ("2001:db8::1", "2001:db8::2") if path.six else ("192.0.2.1", "192.0.2.2")
    source, destination = ends if sent.side == CLIENT else ends[::-1]
    if path.fragment and len(octets) > path.fragment:
        cut = ipv6_fragments if path.six else ipv4_fragments
        return cut(source, destination, TCP, octets, path.fragment, ident)
    return [(ipv6 if path.six else ipv4)(source, destination, TCP, octets)]


def mixed(parts: Sequence[Sequence[bytes]], order: Sequence[int]) -> list[bytes]:
    """All frames, those of each part in order; `order` says in turn from which part the next is."""
    places, result = [0] * len(parts), []
    while open_parts := [n for n, part in enumerate(parts) if places[n] < len(part)]:
        part = open_parts[order[len(result) % len(order)] % len(open_parts)]
        result.append(parts[part][places[part]])
        places[part] += 1
    return result


def capture(
    octets: Iterable[bytes], *, snap: int | None = None, step: int = 1000, after: int = 0
) -> bytes:
    """A capture of these frames, one every `step` ns from `after` ns on, cut to `snap` octets."""
    times = ((START + after + number * step, frame) for number, frame in enumerate(octets))
    return pcap([(time, frame[:snap], len(frame)) for time, frame in times], ns=True)
