"""The exact path and the columnar path give the same records, whatever the capture holds."""

from __future__ import annotations

from typing import Any

import pytest
from dialogs import (
    CLIENT,
    LAST,
    MIDDLE,
    MSS,
    SERVER,
    Made,
    Path,
    Sent,
    capture,
    conversation,
    copied,
    exchange,
    expecting,
    honest,
    late,
    lost,
    mixed,
    pipelined,
    sent_again,
    swapped,
    wrapped,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from judging import FILES, hold_at_most, judged, records, sample
from packets import ACK, FIN, RST, SYN, URG

from l7meter.captures.connection import Connection
from l7meter.captures.exact import Exact, Packet
from l7meter.captures.pcap import HEADER
from l7meter.captures.run import Run
from l7meter.captures.settled import Settled
from l7meter.captures.tcp import PATIENCE

ISN = st.sampled_from([0, 5000, 2**31 - 700, 2**32 - 1, 2**32 - 3000])
SIZES = st.sampled_from([0, 1, 9, 999, 1000, MSS - 1, MSS, 3 * MSS, 4 * MSS + 1, 30_000])
LARGE = st.sampled_from([MSS, MSS, 9000])  # a cut that keeps the packets few
CUTS = LARGE.map(lambda large: [large]) | st.tuples(
    st.lists(st.sampled_from([1, 7, 100, 536, MSS]), max_size=3), LARGE
).map(lambda both: [*both[0], both[1]])
PLACES = st.lists(st.integers(0, 60), max_size=4)
LATE = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 12)), max_size=4)
AGAIN = st.tuples(st.integers(0, 40), st.integers(0, 2000), st.integers(0, 2000))
WINDOWS = st.sampled_from([1, 2000, 9000, 50_000, None])
SHORT = st.integers(2, 4)  # a run of one may be a FIN
STEPS = st.sampled_from([0, 1000, 1000, 10**7, 7 * 10**9, 70 * 10**9, 1000 * 10**9])


@st.composite
def exchanges(draw: st.DrawFn) -> list[list[Made]]:
    """Exchanges of a connection; those of one list are sent at once."""
    target = draw(st.sampled_from(["/a", "/b?c=d", "/" + "e" * 200]))
    middle = st.builds(exchange, st.sampled_from(MIDDLE), st.just(target), SIZES, SIZES)
    groups: list[list[Made]] = draw(st.lists(st.lists(middle, min_size=1, max_size=3), max_size=4))
    if draw(st.booleans()):
        groups.append([expecting(target, draw(SIZES) + 1)])
    if draw(st.booleans()) or not groups:
        last = st.sampled_from(LAST)
        groups.append([draw(st.builds(exchange, last, st.just(target), SIZES))])
    return groups


@st.composite
def kept_alive(draw: st.DrawFn) -> list[list[Made]]:
    """Plain exchanges one after the other, as most connections are."""
    kinds = st.sampled_from([*["length"] * 4, "head", "304", "204", "chunked"])
    sizes = st.sampled_from([0, 1, MSS, 9000])
    one = st.builds(exchange, kinds, st.sampled_from(["/a", "/b"]), sizes)
    return [[each] for each in draw(st.lists(one, min_size=2, max_size=12))]


def turns_of(groups: list[list[Made]], beyond: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """What both sides say, and what follows a tunnel's opening."""
    turns = []
    for group in groups:
        turns += pipelined(group) if len(group) > 1 else list(group[0].turns)
    return turns + (beyond if groups and groups[-1][-1].last == "tunnel" else [])


BEYOND = st.lists(
    st.tuples(st.sampled_from([CLIENT, SERVER]), st.integers(1, 5000).map(bytes)), max_size=3
)
WRAPPING = st.fixed_dictionaries(
    {
        "six": st.booleans(),
        "tags": st.sampled_from([(), (), (5,), (5, 6)]),
        "fragment": st.sampled_from([None, None, None, 512, 1000]),
    }
)


@st.composite
def whole(draw: st.DrawFn) -> tuple[list[list[Made]], str, int, list[Sent]]:
    """A connection of which nothing was lost: exchanges, ending, octets in a tunnel, segments."""
    groups, beyond = draw(exchanges() | kept_alive()), draw(BEYOND)
    tunnel = sum(len(o) for _, o in beyond) if groups[-1][-1].last == "tunnel" else 0
    ending = draw(st.sampled_from(["fin", "rst", "open"]))
    segments = conversation(
        turns_of(groups, beyond),
        mss=draw(CUTS),
        isn=(draw(ISN), draw(ISN)),
        acknowledge=draw(st.integers(0, 3)),
        ending=ending,
    )
    segments = sent_again(segments, draw(st.lists(AGAIN, max_size=3)))
    return groups, ending, tunnel, swapped(segments, draw(PLACES))


def expected(groups: list[list[Made]], ending: str) -> list[dict[str, Any]]:
    return [
        {
            "request_method": one.method,
            "url_original": one.target,
            "response_status_code": one.status,
            "request_size": one.size(CLIENT),
            "request_body_size": one.request_body,
            "response_size": one.size(SERVER),
            "response_body_size": one.response_body,
            "missing_bytes": 0,
            "complete": one.last != "close" or ending == "fin",
        }
        for group in groups
        for one in group
    ]


KEY = ["request_method", "url_original", "response_status_code", "request_size", "response_size"]


def told(row: dict[str, Any]) -> list[str]:
    return [str(row[name]) for name in KEY]


@settings(max_examples=120, deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(whole(), WRAPPING), min_size=1, max_size=3),
    st.lists(st.integers(0, 5), min_size=1, max_size=6),
    WINDOWS,
    SHORT,
)
def test_what_was_said_is_in_the_records_exactly(
    connections: list[tuple[Any, dict[str, Any]]], order: list[int], window: int | None, short: int
) -> None:
    parts = [
        wrapped(made[3], Path(40000 + number, **wrapping))
        for number, (made, wrapping) in enumerate(connections)
    ]
    frame = judged(capture(mixed(parts, order)), window, short)
    for number, ((groups, ending, tunnel, _), _) in enumerate(connections):
        rows = [row for row in frame.to_dicts() if row["client_port"] == 40000 + number]
        found = [row for row in rows if row["exchange_kind"] == "http"]
        names = expected(groups, ending)[0].keys()
        found = [{name: row[name] for name in names} for row in found]
        assert sorted(found, key=told) == sorted(expected(groups, ending), key=told)
        rest = [row for row in rows if row["exchange_kind"] != "http"]
        assert {row["exchange_kind"] for row in rest} <= {"tunnel"}
        assert sum(row["request_size"] + row["response_size"] for row in rest) == tunnel


TLS = [
    (CLIENT, b"\x16\x03\x01\0\x05\x01\0\0\x01\0"),
    (SERVER, b"\x16\x03\x03\0\x05\x02\0\0\x01\0" + b"\x14\x03\x03\0\x01\x01"),
    (CLIENT, b"\x17\x03\x03\x01\x00" + bytes(256)),
    (SERVER, (b"\x17\x03\x03\x40\x00" + bytes(0x4000)) * 2 + b"\x17\x03\x03\x00\x09" + bytes(9)),
    (CLIENT, b"\x15\x03\x03\0\x02\x01\0"),
]
HTTP2 = [
    (CLIENT, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\x04\0\0\0\0\0"),
    (SERVER, b"\0\0\0\x04\0\0\0\0\0" + b"\0\0\0\x04\x01\0\0\0\0"),
    (CLIENT, b"\0\0\x03\x01\x05\0\0\0\x01\x82\x84\x86"),
    (SERVER, b"\0\0\x01\x01\x04\0\0\0\x01\x88" + (b"\0\x20\0\0\0\0\0\0\x01" + bytes(8192)) * 2),
    (CLIENT, b"\0\0\x04\x08\0\0\0\0\0\0\0\x20\0" + b"\0\0\x03\x01\x05\0\0\0\x03\x82\x84\x86"),
    (SERVER, b"\0\0\0\0\x01\0\0\0\x01" + b"\0\0\x01\x01\x05\0\0\0\x03\x89"),
]
OTHER = [(SERVER, b"220 ready\r\n"), (CLIENT, b"HELO x\r\n"), (SERVER, b"250 yes\r\n" * 2000)]
GARBAGE = st.lists(
    st.tuples(st.sampled_from([CLIENT, SERVER]), st.binary(min_size=1, max_size=30)), max_size=5
)
REFUSED = [
    (CLIENT, b"GET HTTP/1.1\r\n\r\n"),
    (SERVER, b"HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n"),
]
DIALOGS = (
    st.builds(turns_of, exchanges(), BEYOND)
    | st.builds(turns_of, kept_alive(), st.just([]))
    | st.sampled_from([TLS, HTTP2, OTHER, REFUSED, [TLS[0], REFUSED[1]]])
    | GARBAGE
)
BALANCED = st.sampled_from([b"PROXY TCP4 203.0.113.7 192.0.2.2 40000 80\r\n", b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"])  # fmt: skip


def balanced(turns: list[tuple[int, bytes]], header: bytes, apart: bool) -> list[tuple[int, bytes]]:
    """The same as a load balancer begins it, in a segment of its own or before the first octets."""
    if apart or not turns or turns[0][0] != CLIENT:
        return [(CLIENT, header), *turns]
    return [(CLIENT, header + turns[0][1]), *turns[1:]]


ANY = DIALOGS | st.builds(balanced, DIALOGS, BALANCED, st.booleans())


@st.composite
def damaged(draw: st.DrawFn) -> list[Sent]:
    """Segments of a connection, many of which the capture may lack."""
    segments = conversation(
        draw(ANY),
        mss=draw(CUTS),
        isn=(draw(ISN), draw(ISN)),
        acknowledge=draw(st.integers(0, 3)),
        ending=draw(st.sampled_from(["fin", "rst", "open"])),
    )
    segments = sent_again(late(segments, draw(LATE)), draw(st.lists(AGAIN, max_size=3)))
    segments = lost(swapped(segments, draw(PLACES)), draw(PLACES))
    kind = draw(
        st.sampled_from(["", "", "", "midstream", "one side", "no acks", "from the middle"])
    )
    if kind == "midstream":
        segments = [each for each in segments if not each.flags & SYN]
    elif kind == "one side":
        side = draw(st.sampled_from([CLIENT, SERVER]))
        segments = [each for each in segments if each.side == side]
    elif kind == "no acks":
        segments = [each for each in segments if each.payload or each.flags & (SYN | FIN)]
    elif kind == "from the middle":
        segments = segments[draw(st.integers(0, 30)) :]
    if draw(st.integers(0, 5)) == 0:  # some acknowledge what they like
        odd = draw(st.integers(0, 2**32 - 1))
        place = draw(st.integers(0, 40))
        segments[place:] = [each._replace(ack=odd) for each in segments[place : place + 1]] + (
            segments[place + 1 :]
        )
    return segments


@settings(max_examples=250, deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(damaged(), WRAPPING), min_size=1, max_size=3),
    st.booleans(),
    st.lists(st.integers(0, 5), min_size=1, max_size=6),
    st.sampled_from([None, None, None, 54, 60, 96, 512]),
    STEPS,
    WINDOWS,
    SHORT,
)
def test_both_paths_agree_on_damaged_captures(
    connections: list[tuple[list[Sent], dict[str, Any]]],
    same_ports: bool,
    order: list[int],
    snap: int | None,
    step: int,
    window: int | None,
    short: int,
) -> None:
    parts = [
        wrapped(segments, Path(40000 + number * (not same_ports), **wrapping))
        for number, (segments, wrapping) in enumerate(connections)
    ]
    if same_ports:
        parts = [[frame for part in parts for frame in part]]
    judged(capture(mixed(parts, order), snap=snap, step=step), window, short)


@st.composite
def stragglers(draw: st.DrawFn, end: list[Sent]) -> list[Sent]:
    """What still comes on a connection after its end, which these segments are."""
    last = {each.side: each for each in end}
    beyond = {side: (each.seq + bool(each.flags & FIN)) % 2**32 for side, each in last.items()}
    made = []
    for kind in draw(st.lists(st.sampled_from(["ack", "fin", "rst", "data", "old", "syn"]), max_size=4)):  # fmt: skip
        side = draw(st.sampled_from([CLIENT, SERVER]))
        seq, ack = beyond[side], beyond[1 - side]
        if kind == "syn":
            isn = draw(st.sampled_from([seq, seq + 9000])) % 2**32
            turns = [turn for group in draw(kept_alive()) for turn in group[0].turns]
            made += conversation(turns, isn=(isn, 77), ending=draw(st.sampled_from(["fin", "open"])))  # fmt: skip
        else:
            flags = {"fin": FIN | ACK, "rst": RST}.get(kind, ACK)
            octets = bytes(draw(st.sampled_from([1, 900]))) if kind in ("data", "old") else b""
            behind = 700 if kind == "old" else kind == "fin"
            made.append(Sent(side, (seq - behind) % 2**32, ack, flags, octets))
    return made


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.data(), st.tuples(ISN, ISN), st.sampled_from([1000, 59 * 10**9, 61 * 10**9]), WINDOWS)
def test_both_paths_agree_on_what_comes_late(
    data: st.DataObject, isn: tuple[int, int], pause: int, window: int | None
) -> None:
    parts = []
    for port in range(40000, 40000 + data.draw(st.integers(1, 3))):
        turns = [turn for group in data.draw(kept_alive()) for turn in group[0].turns]
        segments = conversation(turns, isn=isn, acknowledge=data.draw(st.integers(0, 3)))
        late = data.draw(stragglers(segments[-3:]))
        parts.append([wrapped(each, Path(port)) for each in (segments, late)])
    first, later = (mixed([part[half] for part in parts], [0, 1, 0, 2]) for half in (0, 1))
    octets = capture(first) + capture(later, after=len(first) * 1000 + pause)[HEADER:]
    judged(octets, window, steady=False)


@st.composite
def with_holes(draw: st.DrawFn) -> list[Sent]:
    """Long answers, of which segments come late, again or not at all."""
    sizes = draw(st.lists(st.sampled_from([9000, 120_000, 120_000]), min_size=1, max_size=2))
    kinds = ["length"] * len(sizes[1:]) + [draw(st.sampled_from(["length", "close"]))]
    turns = [t for kind, size in zip(kinds, sizes, strict=True) for t in exchange(kind, "/", size).turns]  # fmt: skip
    acknowledge, isn = draw(st.integers(0, 3)), draw(ISN)
    segments = conversation(turns, isn=(isn, isn), acknowledge=acknowledge)
    places = st.integers(4, 90) | st.integers(-40, -3)
    delayed = st.tuples(places, st.integers(1, 12) | st.integers(33, 70))
    segments = late(segments, draw(st.lists(delayed, min_size=1, max_size=6)))
    again = st.tuples(st.integers(0, 200), st.integers(0, 2000), st.integers(0, 2000))
    segments = sent_again(segments, draw(st.lists(again, max_size=1)))
    segments = copied(segments, draw(st.lists(st.tuples(places, st.integers(0, 60)), max_size=3)))
    early = draw(st.sampled_from([0, 0, 1, 4]))  # places by which the FIN is
    segments.insert(len(segments) - 3 - early, segments.pop(len(segments) - 3))
    kind = draw(st.sampled_from(["honest", "honest", "ahead", "ahead", "one side", "lost"]))
    if kind == "one side":
        return [each for each in segments if each.side == SERVER]
    if kind == "lost":
        segments = lost(segments, draw(PLACES))
    return segments if kind == "ahead" else honest(segments)


@settings(max_examples=250, deadline=None, derandomize=True)
@given(
    with_holes(),
    st.sampled_from([2000, 9000, 30_000, None]),
    st.sampled_from([(4096, 16 << 20), (4096, 16 << 20), (20, 16 << 20), (4096, 20_000)]),
)
def test_both_paths_agree_where_holes_outlast_windows(
    segments: list[Sent], window: int | None, limits: tuple[int, int]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        hold_at_most(patch, *limits)
        judged(capture(wrapped(segments, Path())), window)


@pytest.mark.parametrize("window", [None, 3000])
@pytest.mark.parametrize("name", FILES)
def test_both_paths_agree_on_the_samples(name: str, window: int | None) -> None:
    judged(sample(name), window)


@pytest.mark.parametrize(
    "said", [b"Sun", b"Sun, 06 Nov 1994 08:49:37 GMT\rX", b"Sun, 06 Nov 1994 08:49:37 GMT+", b""]
)
def test_a_date_is_left_out_of_a_head_only_where_it_is_one(said: bytes) -> None:
    """Heads recur but for their date: what stands where the rest of a short one would, counts."""
    ask = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"
    size = 29 - len(said) - len("\r\nContent-Type: ")
    kinds = [kind * max(size, 1) for kind in (b"a", b"b", b"a")]
    turns = []
    for kind in kinds:
        head = b"HTTP/1.1 200 OK\r\nDate: %b\r\nContent-Type: %b\r\nContent-Length: 3\r\n\r\n"
        turns += [(CLIENT, ask), (SERVER, head % (said, kind) + b"yes")]
    frame = judged(capture(wrapped(conversation(turns), Path())))
    assert frame["content_type"].to_list() == [kind.decode() for kind in kinds]


@pytest.mark.parametrize("shortcut", ["run", "skip", "mended", "held"])
def test_the_shortcuts_are_taken(shortcut: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else this file would compare the exact path with itself."""
    taken = []
    method = getattr(Connection, "skip" if shortcut == "skip" else "run")

    def counted(self: Connection, run: Run, *rest: Any) -> Any:
        kind = "held" if run.held else "run" if run.data.tolist() == run.came.tolist() else "mended"
        if kind == ("run" if shortcut == "skip" else shortcut):
            taken.append(len(run.data))
        return method(self, run, *rest)

    monkeypatch.setattr(Connection, method.__name__, counted)
    small = exchange("length", "/", 100)
    large = exchange("close" if shortcut in ("run", "mended") else "length", "/", 200_000)
    turns = [turn for one in (*[small] * 60, large) for turn in one.turns]
    segments = conversation(turns, acknowledge=0, ending="open")
    if shortcut == "mended":
        segments = late(segments, [(-100, 7), (-50, 3), (-20, 12)])
    elif shortcut == "held":
        segments = late(segments, [(-100, 70)])
    frame = judged(capture(wrapped(segments, Path())), 50_000 if shortcut == "held" else None)
    assert frame.height == 61
    assert max(taken) > (20 if shortcut == "held" else 100)


def test_few_packets_are_looked_at_singly_where_some_are_not_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The program that captured was too slow for some: a hole is given up after PATIENCE packets."""
    singly = []
    segment = Exact.segment

    def counted(self: Exact, packet: Packet) -> Any:
        singly.append(packet)
        return segment(self, packet)

    turns = [turn for _ in range(3) for turn in exchange("length", "/", 600_000).turns]
    whole, holes = conversation(turns, ending="open"), range(60, 1800, 120)
    octets = capture(wrapped(lost(whole, holes), Path()))
    frame = judged(octets)
    assert frame["missing_bytes"].sum() == sum(len(whole[place].payload) for place in holes) > 0
    monkeypatch.setattr(Exact, "segment", counted)
    records(octets, "columnar")
    assert len(singly) < len(holes) * (PATIENCE + 8)


@st.composite
def nearly_whole(draw: st.DrawFn) -> tuple[list[Sent], list[int]]:
    """A connection in perfect order but for one segment or pause, and the pauses before segments."""
    kinds = st.sampled_from(["length", "length", "head", "304"])
    made = [draw(st.builds(exchange, kinds, st.just("/a"), st.sampled_from([0, 1, 4000]))) for _ in range(draw(st.integers(1, 4)))]  # fmt: skip
    turns = [turn for one in made for turn in one.turns]
    segments = conversation(turns, isn=(draw(ISN), draw(ISN)), acknowledge=draw(st.integers(0, 2)))
    place = draw(st.integers(0, len(segments) - 1) | st.integers(-4, 3)) % len(segments)
    one, pauses = segments[place], [1000] * len(segments)
    kind = draw(st.sampled_from(["gone", "again", "moved", "seq", "ack", "flags", "side", "octet", "pause", "sooner"]))  # fmt: skip
    if kind == "gone":
        del segments[place]
    elif kind in ("again", "moved"):
        if kind == "moved":
            del segments[place]
        segments.insert(draw(st.integers(0, len(segments))), one)
    elif kind in ("pause", "sooner"):
        pauses[place] = draw(st.sampled_from([59 * 10**9, 61 * 10**9, 1000 * 10**9]))
        pauses[place] = -1500 if kind == "sooner" else pauses[place]
    else:
        change = draw(st.sampled_from([-1000, -1, 1, 1000, 2**31, 2**30 + 5]))
        segments[place] = {
            "seq": one._replace(seq=(one.seq + change) % 2**32),
            "ack": one._replace(ack=(one.ack + change) % 2**32),
            "flags": one._replace(
                flags=one.flags ^ draw(st.sampled_from([FIN, SYN, RST, ACK, URG]))
            ),
            "side": one._replace(side=1 - one.side),
            "octet": one._replace(payload=one.payload + b"x"),
        }[kind]
    return segments, pauses


@settings(max_examples=600, deadline=None, derandomize=True)
@given(st.lists(nearly_whole(), min_size=1, max_size=2), WINDOWS)
def test_both_paths_agree_on_what_is_nearly_whole(
    connections: list[tuple[list[Sent], list[int]]], window: int | None
) -> None:
    octets, at = capture([]), 0
    for port, (segments, pauses) in enumerate(connections, 40000):
        for frame, pause in zip(wrapped(segments, Path(port)), [*pauses, 1000], strict=False):
            at += pause
            octets += capture([frame], after=at)[HEADER:]
    judged(octets, window, steady=False)


def test_whole_connections_are_taken_by_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else nothing here would have seen them; one that a packet comes late to is one again."""
    settled: list[int] = []
    revived: list[Connection | None] = []
    settle, again = Settled.settle, Settled.again

    def counted(self: Settled, view: Any, lane: Any, made: Any, ends: Any) -> Any:
        settled.append(len(ends))
        return settle(self, view, lane, made, ends)

    def watched(self: Settled, pair: Any) -> Connection | None:
        revived.append(again(self, pair))
        return revived[-1]

    monkeypatch.setattr(Settled, "settle", counted)
    monkeypatch.setattr(Settled, "again", watched)
    turns = [turn for _ in range(20) for turn in exchange("length", "/", 100).turns]
    parts = [wrapped(conversation(turns), Path(port)) for port in (40000, 40001)]
    frames = mixed(parts, [0, 1])
    window = sum(map(len, frames)) + 17 * len(frames)
    frame = judged(capture([*frames, *[parts[0][-1]] * 3]), window)
    assert (settled, sum(map(bool, revived))) == ([2], 1)
    assert frame.height == 40
