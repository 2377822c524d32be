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
    exchange,
    expecting,
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
from judging import FILES, judged, sample
from packets import FIN, SYN

from l7meter.captures.connection import Connection
from l7meter.captures.run import Run

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
DIALOGS = (
    st.builds(turns_of, exchanges(), BEYOND)
    | st.builds(turns_of, kept_alive(), st.just([]))
    | st.sampled_from([TLS, HTTP2, OTHER])
    | GARBAGE
)


@st.composite
def damaged(draw: st.DrawFn) -> list[Sent]:
    """Segments of a connection, many of which the capture may lack."""
    segments = conversation(
        draw(DIALOGS),
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


@pytest.mark.parametrize("window", [None, 3000])
@pytest.mark.parametrize("name", FILES)
def test_both_paths_agree_on_the_samples(name: str, window: int | None) -> None:
    judged(sample(name), window)


@pytest.mark.parametrize("shortcut", ["run", "skip", "mended"])
def test_the_shortcuts_are_taken(shortcut: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else this file would compare the exact path with itself."""
    taken = []
    method = getattr(Connection, "skip" if shortcut == "skip" else "run")

    def counted(self: Connection, run: Run, *rest: Any) -> Any:
        ordered = run.data.tolist() == run.came.tolist()
        if ordered == (shortcut != "mended"):
            taken.append(len(run.data))
        return method(self, run, *rest)

    monkeypatch.setattr(Connection, method.__name__, counted)
    small = exchange("length", "/", 100)
    large = exchange("close" if shortcut == "run" else "length", "/", 200_000)
    turns = [turn for one in (*[small] * 60, large) for turn in one.turns]
    segments = conversation(turns, acknowledge=0)
    if shortcut == "mended":
        segments = late(segments, [(-100, 7), (-50, 3), (-20, 12)])
    frame = judged(capture(wrapped(segments, Path())))
    assert frame.height == 61
    assert max(taken) > 100
