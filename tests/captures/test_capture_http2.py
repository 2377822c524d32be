"""HTTP/2 in the clear: exchanges by stream, and where every octet goes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hpack import Encoder
from hypothesis import given, settings
from hypothesis import strategies as st

from l7meter.captures.base import Moment, Side
from l7meter.captures.exchange import Exchange
from l7meter.captures.http2 import LOST, MAX_STREAMS, Http2
from l7meter.captures.http2_frames import PREFACE, Kind

ORIG, RESP = Side
AT = Moment(1_700_000_000_000_000_000, 1)
DATA = Path(__file__).parents[1] / "data" / "captures"
END_STREAM, END_HEADERS, PADDED, PRIORITY = 1, 4, 8, 32
REQUEST = [(":method", "GET"), (":scheme", "http"), (":path", "/a"), (":authority", "example.org")]


def frame(kind, flags, stream, payload=b""):
    return (
        len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload
    )


def headers(stream, fields, flags=END_HEADERS, encoder=None):
    return frame(Kind.HEADERS, flags, stream, (encoder or Encoder()).encode(fields))


def request(stream, flags=END_HEADERS | END_STREAM):
    return headers(stream, REQUEST, flags)


def response(stream, status="200", flags=END_HEADERS):
    return headers(stream, [(":status", status), ("content-type", "text/plain")], flags)


def content(stream, octets, flags=0):
    return frame(Kind.DATA, flags, stream, octets)


ASKED = Exchange(method="GET", target="/", request_fields={"user-agent": "a/1"})


def read(events, upgraded=None):
    """Octets, or the number of octets that are missing, by side."""
    http, exchanges, sizes = Http2(upgraded), [], [0, 0]
    for side, event in events:
        if isinstance(event, int):
            http.gap(side, event, AT)
        else:
            http.data(side, event, AT)
            sizes[side] += len(event)
        exchanges += http.finished()
    exchanges += http.end()
    found = [sum(x.request_size for x in exchanges), sum(x.response_size for x in exchanges)]
    assert sizes == [
        a + b + c for a, b, c in zip(found, http.overhead, http.remainder, strict=True)
    ]
    return http, exchanges


def recorded(name):
    """A recorded connection as octets by side; what is HTTP/1.1 in front of an upgrade is left out."""
    events = []
    for line in (DATA / name).read_text().splitlines():
        if not line.startswith("#"):
            side, octets = line.split()
            _, _, rest = bytes.fromhex(octets).rpartition(b"Upgrade: h2c\r\n\r\n")
            if not octets.startswith(b"GET /".hex()):
                events.append((Side(side == "<"), rest))
    return events


@pytest.mark.parametrize(
    ("name", "method", "status", "upload", "download", "bytes_sent"),
    [  # the last is nginx's own $bytes_sent
        ("h2c-get.hex", "GET", 200, 0, 1000, 1126),
        ("h2c-head.hex", "HEAD", 200, 0, 0, 117),
        ("h2c-post.hex", "POST", 200, 2000, 3, 69),
    ],
)
def test_curl_and_nginx(name, method, status, upload, download, bytes_sent):
    http, (exchange,) = read(recorded(name))
    assert (exchange.method, exchange.version, exchange.status) == (method, "2", status)
    assert exchange.request_fields["host"] == "example.org"
    assert (exchange.request_body_size, exchange.response_body_size) == (upload, download)
    assert exchange.response_size == bytes_sent
    assert exchange.complete
    assert exchange.request_complete
    assert exchange.problem is None
    assert http.remainder == [0, 0]


def test_an_upgrade_of_curl_and_caddy():
    http, (first, second) = read(recorded("h2c-upgrade.hex"), upgraded=ASKED)
    assert (first.method, first.target, first.version) == ("GET", "/", "2")
    assert first.request_fields == ASKED.request_fields
    assert (first.request_size, first.status, first.response_body_size) == (0, 200, 1000)
    assert (second.target, second.status, second.response_body_size) == ("/index.html", 200, 6)
    assert first.complete
    assert http.remainder == [0, 0]


@pytest.mark.parametrize("name", ["h2c-get.hex", "h2c-post.hex", "h2c-upgrade.hex"])
def test_a_recorded_connection_octet_by_octet(name):
    events = recorded(name)
    octets = [(side, bytes([octet])) for side, event in events for octet in event]
    upgraded = ASKED if "upgrade" in name else None
    assert read(octets, upgraded)[1] == read(events, upgraded)[1]


def test_streams_interleave_and_end_in_their_own_order():
    _, (third, first) = read([
        (ORIG, PREFACE + frame(4, 0, 0) + request(1) + request(3)),
        (RESP, frame(4, 0, 0) + response(1) + content(1, b"aaa") + response(3, "404")),
        (RESP, content(3, b"", END_STREAM) + content(1, b"bb", END_STREAM)),
    ])  # fmt: skip
    assert (third.status, third.response_body_size, third.complete) == (404, 0, True)
    assert (first.status, first.response_body_size, first.complete) == (200, 5, True)


def test_size_and_body_size():
    head = response(1)
    padded = content(1, b"\3" + b"body" + bytes(3), PADDED | END_STREAM)
    http, (exchange,) = read(
        [(ORIG, PREFACE + request(1)), (RESP, frame(6, 0, 0, bytes(8)) + head + padded)]
    )
    assert exchange.request_size == exchange.request_head_size == len(request(1))
    assert exchange.response_size == len(head) + len(padded)
    assert exchange.response_body_size == 4
    assert http.overhead == [len(PREFACE), 17]


def test_padding_priority_and_continuation():
    block = Encoder().encode(REQUEST)
    whole = b"\2" + bytes(5) + block[:3] + bytes(2)
    _, (exchange,) = read([
        (ORIG, frame(Kind.HEADERS, PADDED | PRIORITY | END_STREAM, 1, whole)),
        (ORIG, frame(Kind.CONTINUATION, 0, 1, block[3:5])),
        (ORIG, frame(Kind.CONTINUATION, END_HEADERS, 1, block[5:])),
    ])  # fmt: skip
    assert (exchange.method, exchange.target) == ("GET", "/a")
    assert exchange.request_complete
    assert exchange.request_size == 27 + len(block) + 8


def test_interim_responses_and_trailers():
    trailers = headers(1, [("x-sum", "1")], END_HEADERS | END_STREAM)
    octets = response(1, "103") + response(1) + content(1, b"b") + trailers
    _, (exchange,) = read([(ORIG, request(1)), (RESP, octets)])
    assert (exchange.status, exchange.interim, exchange.complete) == (200, 1, True)
    assert exchange.response_size == len(octets)
    assert exchange.response_fields == {"content-type": "text/plain"}


def test_repeated_fields_are_joined_and_crumbs_of_a_cookie_are_one():
    fields = [*REQUEST, ("accept", "a"), ("accept", "b"), ("cookie", "c=1"), ("cookie", "d=2")]
    _, (exchange,) = read([(ORIG, headers(1, fields))])
    assert exchange.request_fields == {
        "accept": "a, b",
        "cookie": "c=1; d=2",
        "host": "example.org",
    }


def test_a_response_whose_client_cancelled_counts_what_is_still_sent():
    _, (exchange,) = read([
        (ORIG, request(1)),
        (RESP, response(1) + content(1, b"aaa")),
        (ORIG, frame(Kind.RST_STREAM, 0, 1, b"\0\0\0\10")),
        (RESP, content(1, b"bbb")),
    ])  # fmt: skip
    assert not exchange.complete
    assert exchange.problem == "the client reset the stream (error code 8)"
    assert exchange.response_body_size == 6


def test_a_reset_exchange_ends_where_the_server_answers_what_was_asked_later():
    """Else the octets of its packets would be those of the exchange after it."""
    http, over = Http2(), []
    for side, octets in [
        (ORIG, request(1) + request(3)),
        (RESP, response(1) + content(1, b"aaa")),
        (ORIG, frame(Kind.RST_STREAM, 0, 1, b"\0\0\0\10")),
        (RESP, response(3) + content(3, b"b") + content(1, b"aaa")),  # it may not know yet
        (ORIG, request(5)),
        (RESP, content(1, b"aaa") + content(3, b"b")),
        (RESP, response(5)),
        (RESP, content(5, b"c", END_STREAM)),
    ]:
        http.data(side, octets, AT)
        over.append([exchange.response_body_size for exchange in http.finished()])
    assert over == [[], [], [], [], [], [], [9], [1]]
    assert [exchange.response_body_size for exchange in http.end()] == [2]
    assert http.remainder == [0, 0]


def test_a_server_that_has_answered_stops_the_upload():
    _, (exchange,) = read([
        (ORIG, request(1, END_HEADERS) + content(1, b"uploa")),
        (RESP, response(1, "413", END_HEADERS | END_STREAM) + frame(Kind.RST_STREAM, 0, 1, bytes(4))),
        (ORIG, content(1, b"d")),
    ])  # fmt: skip
    assert (exchange.status, exchange.complete, exchange.request_complete) == (413, True, False)
    assert exchange.request_body_size == 6


def test_a_pushed_exchange():
    promise = frame(
        Kind.PUSH_PROMISE, END_HEADERS, 1, (2).to_bytes(4, "big") + Encoder().encode(REQUEST)
    )
    http, (asked, pushed) = read([
        (ORIG, request(1)),
        (RESP, promise + response(1, "200", END_HEADERS | END_STREAM)),
        (RESP, response(2) + content(2, b"pushed", END_STREAM)),
    ])  # fmt: skip
    assert (asked.complete, asked.response_body_size) == (True, 0)
    assert (pushed.target, pushed.request_size, pushed.response_body_size) == ("/a", 0, 6)
    assert pushed.complete
    assert http.overhead == [0, len(promise)]


def test_frames_on_a_stream_that_is_over_are_remainder():
    late = content(1, b"late") + response(1)
    http, (exchange,) = read([
        (ORIG, request(1)),
        (RESP, response(1, "200", END_HEADERS | END_STREAM) + late),
    ])  # fmt: skip
    assert exchange.complete
    assert http.remainder == [0, len(late)]


def test_a_gap_inside_of_data():
    sent = content(1, bytes(100), END_STREAM)
    _, (exchange, after) = read([
        (ORIG, request(1) + request(3)),
        (RESP, response(1) + sent[:19]), (RESP, 80), (RESP, sent[99:]),
        (RESP, response(3, "304", END_HEADERS | END_STREAM)),
    ])  # fmt: skip
    assert (exchange.response_body_size, exchange.response_missing) == (20, 80)
    assert not exchange.complete
    assert (after.status, after.complete) == (304, True)


def test_a_gap_elsewhere_ends_the_side():
    http, exchanges = read([
        (ORIG, request(1) + request(3)),
        (RESP, response(1) + content(1, b"a", END_STREAM)), (RESP, 5), (RESP, response(3)),
        (ORIG, request(5)),
    ])  # fmt: skip
    assert [(x.status, x.problem) for x in exchanges] == [(200, None), (None, LOST), (None, None)]
    assert http.remainder == [0, len(response(3))]


def test_responses_whose_requests_are_lost():
    _, exchanges = read([
        (ORIG, 50), (RESP, response(3) + content(3, b"a", END_STREAM)), (RESP, response(5)),
    ])  # fmt: skip
    assert [(x.method, x.status, x.complete) for x in exchanges] == [
        (None, 200, True),
        (None, 200, False),
    ]


def test_a_response_before_its_request_in_the_capture():
    events = [(ORIG, request(1)), (RESP, response(1) + content(1, b"a", END_STREAM))]
    assert read(events[::-1])[1] == read(events)[1]


def test_a_side_that_closes_ends_its_messages():
    http = Http2()
    http.data(ORIG, request(1), AT)
    http.data(RESP, response(1) + content(1, b"a"), AT)
    http.close(RESP, AT, clean=True)
    (exchange,) = http.finished()
    assert (exchange.status, exchange.response_body_size, exchange.complete) == (200, 1, False)


def test_a_field_section_bomb():
    encoder = Encoder()
    first = headers(1, [*REQUEST, ("x", "y" * 3000)], encoder=encoder)
    bomb = frame(Kind.HEADERS, END_HEADERS, 3, b"\xbe" * 10_000)  # the same field again and again
    http, exchanges = read([(ORIG, first + bomb + request(5))])
    assert [x.problem for x in exchanges] == [
        "a field section cannot be read (OversizedHeaderListError)"
    ] * 2
    assert http.remainder == [len(request(5)), 0]


def test_a_field_section_that_never_ends():
    part = frame(Kind.CONTINUATION, 0, 1, bytes(16_000))
    http, (exchange,) = read([(ORIG, headers(1, REQUEST, 0)), *[(ORIG, part)] * 20])
    assert exchange.problem == "a field section is longer than 256 KiB"
    assert http.remainder[ORIG] >= 3 * len(part)


def test_more_streams_than_are_held():
    octets = b"".join(request(n, END_HEADERS) for n in range(1, 2 * MAX_STREAMS + 4, 2))
    _, exchanges = read([(ORIG, octets)])
    assert len(exchanges) == MAX_STREAMS + 2
    assert [x.problem is None for x in exchanges[:3]] == [False, False, True]


FRAMES = st.one_of(
    st.builds(request, st.integers(0, 6), st.sampled_from([0, 4, 5])),
    st.builds(response, st.integers(0, 6), st.sampled_from(["103", "200", "x"]), st.sampled_from([4, 5])),
    st.builds(content, st.integers(0, 6), st.binary(max_size=12), st.sampled_from([0, 1, 8, 9])),
    st.builds(frame, st.integers(0, 10), st.sampled_from([0, 1, 4, 8, 12]), st.integers(0, 6), st.binary(max_size=12)),
    st.binary(max_size=12),
    st.integers(1, 12),
)  # fmt: skip


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(st.sampled_from(Side), FRAMES), max_size=12),
    st.integers(1, 20),
    st.booleans(),
)
def test_octets_are_conserved_however_they_are_split(events, size, preface):
    if preface:
        events.insert(0, (ORIG, PREFACE))
    pieces = []
    for side, event in events:
        if isinstance(event, int):
            pieces.append((side, event))
        else:
            pieces += [(side, event[at : at + size]) for at in range(0, len(event), size)]
    whole, exchanges = read(events)
    split, again = read(pieces)
    assert again == exchanges
    assert (split.overhead, split.remainder) == (whole.overhead, whole.remainder)
    assert all(not x.complete or x.response_missing == 0 for x in exchanges)
