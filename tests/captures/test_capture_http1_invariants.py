"""Whatever the octets, gaps and cuts: every octet is counted once, and the cuts do not matter."""

from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from l7meter.captures import http1
from l7meter.captures.base import Moment, Side
from l7meter.captures.http1 import Conversation, Exchange

# pieces of HTTP that meet in every wrong order
REQUESTS = [
    b"GET /a HTTP/1.1\r\nHost: example.org\r\n\r\n",
    b"HEAD /h HTTP/1.1\r\n\r\n",
    b"POST /p HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
    b"POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: 1\r\n\r\n",
    b"POST /p HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
    b"CONNECT example.org:443 HTTP/1.1\r\n\r\n",
    b"GET /w HTTP/1.1\nUpgrade: websocket\n\n",
    b"GET /old\r\n",
    b"GET /cut HTTP/1.1\r\nHos",
]
RESPONSES = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
    b"HTTP/1.1 204 No Content\n\n",
    b"HTTP/1.0 200 OK\r\n\r\nto the close\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nwiki\r\n00\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
    b"HTTP/1.1 206 ",
]
RUBBISH = [
    b"\r\n",
    b"\n",
    b"\0\xff",
    b" x",
    b"0\r\n\r\n",
    b"HTTP/1.1 ",
    b"HTTP/1.1 200",
    b"GET ",
    b"a line\n",
]

ORIG = st.sampled_from(REQUESTS + RUBBISH) | st.binary(max_size=6)
RESP = st.sampled_from(RESPONSES + RUBBISH) | st.binary(max_size=6)
GAP = st.integers(1, 12)
CLOSE = st.booleans()
EVENTS = st.lists(
    st.tuples(st.just(Side.ORIG), ORIG | ORIG | ORIG | GAP | CLOSE)
    | st.tuples(st.just(Side.RESP), RESP | RESP | RESP | GAP | CLOSE),
    max_size=12,
)
Event = tuple[Side, bytes | int | bool]


def run(
    events: list[Event], midstream: bool, cuts: list[int] | None = None
) -> tuple[list[Exchange], Conversation, list[int], list[int]]:
    """The exchanges, the conversation, and by side the octets and gaps that follow a switch."""
    conversation = Conversation(midstream)
    exchanges: list[Exchange] = []
    returned, passed = [0, 0], [0, 0]
    turn = 0
    for number, (side, what) in enumerate(events, 1):
        at = Moment(number * 1000, number)
        if isinstance(what, bool):
            conversation.close(side, at, clean=what)
        elif isinstance(what, int):
            passed[side] += conversation.gap(side, what, at)
        else:
            while what:
                size = cuts[turn % len(cuts)] if cuts else len(what)
                turn += 1
                returned[side] += len(conversation.data(side, what[:size], at))
                what = what[size:]
        exchanges += conversation.finished()
    exchanges += conversation.end()
    return exchanges, conversation, returned, passed


def given_octets(events: list[Event], side: Side) -> int:
    return sum(len(what) for who, what in events if who is side and isinstance(what, bytes))


def given_gaps(events: list[Event], side: Side) -> int:
    return sum(what for who, what in events if who is side and type(what) is int)


@pytest.fixture(autouse=True, scope="module")
def _short_patience():
    patched = pytest.MonkeyPatch()
    patched.setattr(http1, "MAX_HELD", 40)
    yield
    patched.undo()


@settings(max_examples=1200, deadline=None, derandomize=True)
@given(EVENTS, st.booleans())
def test_every_octet_and_every_gap_is_counted_once(events: list[Event], midstream: bool) -> None:
    exchanges, conversation, returned, passed = run(events, midstream)
    sizes = [
        sum(one.request_size for one in exchanges),
        sum(one.response_size for one in exchanges),
    ]
    missing = [
        sum(one.request_missing for one in exchanges),
        sum(one.response_missing for one in exchanges),
    ]
    for side in Side:
        whole = sizes[side] + conversation.remainder[side] + returned[side]
        assert whole == given_octets(events, side)
        assert missing[side] + conversation.missing[side] + passed[side] == given_gaps(events, side)
    assert returned == [0, 0] or conversation.switched
    for one in exchanges:
        assert one.request_start or one.response_start
        assert one.request_body_size <= one.request_size
        assert one.response_body_size <= one.response_size
        assert not (one.complete and one.response_missing and not one.interim)
    assert conversation.end() == conversation.finished() == []


@settings(max_examples=1200, deadline=None, derandomize=True)
@given(EVENTS, st.booleans(), st.lists(st.integers(1, 30), min_size=1, max_size=5))
@example([(Side.ORIG, REQUESTS[0] * 2), (Side.RESP, RESPONSES[0] * 3)], False, [1])
def test_the_cuts_of_the_octets_do_not_matter(
    events: list[Event], midstream: bool, cuts: list[int]
) -> None:
    whole = run(events, midstream)
    for each in ([1], cuts):
        cut = run(events, midstream, each)
        assert cut[0] == whole[0]
        assert cut[1].remainder == whole[1].remainder
        assert cut[1].switched == whole[1].switched
        assert cut[2:] == whole[2:]


def test_the_invariants_look_at_all_of_an_exchange() -> None:
    assert {"request_missing", "complete", "problem"} <= {each.name for each in fields(Exchange)}
