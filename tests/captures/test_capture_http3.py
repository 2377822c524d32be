"""HTTP/3 by the STREAM frames of a connection, and what is spoken inside of TLS."""

from __future__ import annotations

import pytest
from hpack import Encoder as Hpack
from hypothesis import given, settings
from hypothesis import strategies as st

from l7meter.captures.base import Moment, Side
from l7meter.captures.http2_frames import PREFACE
from l7meter.captures.http3 import Http3, frame_head, varint
from l7meter.captures.plain import MAX_EARLY, Plain

pylsqpack = pytest.importorskip("pylsqpack")

ORIG, RESP = Side
AT = Moment(1_700_000_000_000_000_000, 1)
REQUEST = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"example.org"), (b":path", b"/a")]  # fmt: skip
OK = [(b":status", b"200"), (b"content-type", b"text/plain")]
HEADERS, DATA, SETTINGS, GREASE = 1, 0, 4, 0x21


def number(value):
    """RFC 9000 16."""
    for size, top in ((1, 6), (2, 14), (4, 30), (8, 62)):
        if value < 1 << top:
            return (value | (size.bit_length() - 1) << (8 * size - 2)).to_bytes(size, "big")
    raise ValueError(value)


def frame(kind, payload):
    return number(kind) + number(len(payload)) + payload


def section(fields, stream=0):
    return frame(HEADERS, pylsqpack.Encoder().encode(stream, fields)[1])


def control(capacity=0, blocked=0):
    return b"\0" + frame(SETTINGS, number(1) + number(capacity) + number(7) + number(blocked))


def told(http, *frames):
    for side, stream, offset, octets, fin in frames:
        http.data(side, stream, offset, octets, fin, AT)
    return http.end()


def test_a_response_with_an_interim_one_content_in_two_frames_and_trailers():
    asked = section(REQUEST)
    interim, head = section([(b":status", b"103")]), section(OK)
    content = frame(DATA, b"hello ") + frame(GREASE, b"xyz") + frame(DATA, b"you")
    trailers = section([(b"x-checksum", b"1")])
    answer = interim + head + content + trailers
    http = Http3()
    (one,) = told(http, (ORIG, 0, 0, asked, True), (RESP, 0, 0, answer, True))
    assert http.problem is None
    assert (one.method, one.target, one.version, one.status) == ("GET", "/a", "3", 200)
    assert one.request_fields["host"] == "example.org"
    assert (one.interim, one.complete, one.request_complete) == (1, True, True)
    assert (one.request_size, one.request_body_size) == (len(asked), 0)
    assert http.overhead == 2 + 3
    assert (one.response_size, one.response_body_size) == (len(answer) - 5, 9)


def test_a_section_waits_for_instructions_that_come_late():
    encoder = pylsqpack.Encoder()
    first = encoder.apply_settings(4096, 16)
    fields = [*REQUEST, (b"user-agent", b"example/1.0")]
    sections = []
    instructions = b"\2" + first
    for stream in (0, 4, 8):
        more, encoded = encoder.encode(stream, fields)
        instructions += more
        sections.append((ORIG, stream, 0, frame(HEADERS, encoded), True))
    answers = [(RESP, stream, 0, section(OK), True) for stream in (0, 4, 8)]
    http = Http3()
    settings = (RESP, 3, 0, control(4096, 16), False)
    late = (ORIG, 2, 0, instructions, False)
    exchanges = told(http, settings, *sections, *answers, late)
    assert http.problem is None
    assert len(instructions) > 1 + len(first)  # there is something to wait for
    assert [one.request_fields["user-agent"] for one in exchanges] == ["example/1.0"] * 3
    assert all(one.complete and one.request_complete for one in exchanges)

    without = Http3()
    told(without, settings, *sections, *answers)
    assert without.problem == "a field section waits for instructions that did not come"


def test_a_reset_response_is_not_complete():
    http = Http3()
    answer = section(OK) + frame(DATA, bytes(100))[:50]
    (one,) = told(http, (ORIG, 0, 0, section(REQUEST), True), (RESP, 0, 0, answer, False))
    assert (one.complete, one.response_size) == (False, len(answer))
    assert http.problem is None


@pytest.mark.parametrize(
    ("octets", "offset", "problem"),
    [
        (section(REQUEST), 1, "octets of a stream were not captured"),
        (frame(DATA, b"a"), 0, "a message does not begin with HEADERS"),
        (frame(HEADERS, b"\0\0\xff\xff\xff\xff\xff"), 0, "a field section cannot be read"),
        (frame(HEADERS, bytes(20_000)), 0, "a field section is longer than 16 KiB"),
    ],
)
def test_what_is_no_http3_is_told(octets, offset, problem):
    http = Http3()
    told(http, (ORIG, 0, offset, octets, True))
    assert http.problem == problem


SESSION = [
    (ORIG, 2, control()), (RESP, 3, control()),
    (ORIG, 0, section(REQUEST)), (RESP, 0, section(OK) + frame(DATA, bytes(300))),
    (ORIG, 4, section(REQUEST) + frame(DATA, bytes(70))), (RESP, 4, section(OK)),
]  # fmt: skip


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(3, 50), st.randoms(use_true_random=False), st.booleans())
def test_order_and_repetition_change_nothing(size, random, twice):
    pieces = [
        (side, stream, at, octets[at : at + size], at + size >= len(octets))
        for side, stream, octets in SESSION
        for at in range(0, len(octets), size)
    ]
    pieces *= 1 + twice
    random.shuffle(pieces)
    http = Http3()
    exchanges = told(http, *pieces)
    assert http.problem is None
    assert sorted(
        (one.request_body_size, one.response_body_size, one.complete) for one in exchanges
    ) == [(0, 300, True), (70, 0, True)]
    given_octets = sum(len(octets) for _, _, octets in SESSION)
    sizes = sum(one.request_size + one.response_size for one in exchanges)
    assert given_octets == sizes + http.overhead


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(Side), st.integers(0, 7), st.integers(0, 40), st.binary(max_size=40), st.booleans()
        ),
        max_size=12,
    )
)  # fmt: skip
def test_any_octets_are_read_without_an_error(frames):
    http = Http3()
    told(http, *frames)
    assert http.overhead <= sum(len(octets) for _, _, _, octets, _ in frames)


@pytest.mark.parametrize(
    ("octets", "expected"), [("25", 37), ("7bbd", 15293), ("9d7f3e7d", 494878333), ("c2197c5eff14e88c", 151288809941952652)]
)  # fmt: skip
def test_numbers_of_rfc_9000_appendix_a(octets, expected):
    assert varint(bytes.fromhex(octets)) == (expected, len(octets) // 2)
    assert varint(bytes.fromhex(octets)[:-1]) is None
    assert frame_head(b"\0" + bytes.fromhex(octets)) == (0, expected, 1 + len(octets) // 2)


# Inside of TLS


def spoken(*pieces):
    plain = Plain()
    for side, octets in pieces:
        plain.data(side, octets, AT)
    return plain, plain.end([True, True], AT)


def test_a_server_of_http2_may_speak_first():
    server_settings = b"\0\0\0\4\0\0\0\0\0"
    head = Hpack().encode([(":method", "GET"), (":path", "/a"), (":scheme", "https"), (":authority", "example.org")])  # fmt: skip
    asked = len(head).to_bytes(3, "big") + b"\1\5\0\0\0\1" + head
    plain, (one,) = spoken((RESP, server_settings), (ORIG, PREFACE[:10]), (ORIG, PREFACE[10:]), (ORIG, asked))  # fmt: skip
    assert plain.spoken
    assert (one.target, one.version, one.request_size) == ("/a", "2", len(asked))
    assert plain.overhead == [len(PREFACE), len(server_settings)]


def test_what_follows_an_upgrade_is_a_tunnel():
    asked = b"GET /chat HTTP/1.1\r\nHost: example.org\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
    answer = (
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
    )
    plain, (one,) = spoken((ORIG, asked), (RESP, answer + b"12"), (ORIG, b"345"), (RESP, b"6"))
    assert one.status == 101
    assert plain.tunnel == [3, 3]
    assert plain.tunnel_from == AT
    assert (one.request_size, one.response_size) == (len(asked), len(answer))


def test_a_short_request_is_told_at_the_end():
    plain, (one,) = spoken((ORIG, b"GET /\r\n"), (RESP, b"hello"))
    assert plain.spoken
    assert (one.version, one.response_size) == ("0.9", 5)


@pytest.mark.parametrize(
    "pieces",
    [
        [(ORIG, b"\x16\x03\x01 something else")],
        [(RESP, b"220 mail.example.org ESMTP\r\n"), (ORIG, b"EHLO example.org\r\n")],
        [(RESP, bytes(MAX_EARLY + 1))],
    ],
)
def test_what_is_no_http_is_told(pieces):
    plain, exchanges = spoken(*pieces)
    assert not plain.spoken
    assert exchanges == []
