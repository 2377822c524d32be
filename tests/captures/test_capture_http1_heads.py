"""First octets, start lines and fields."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l7meter.captures.base import Side
from l7meter.captures.heads import (
    RequestLine,
    StatusLine,
    framing,
    may_begin,
    read_fields,
    request_line,
    status_line,
)
from l7meter.captures.http1 import looks_like_request, looks_like_response
from l7meter.captures.resync import REQUEST, STATUS

LINES = st.text("GET /H.TP10aü \t\r2", max_size=24).map(lambda line: line.encode() + b"\n")


@pytest.mark.parametrize(
    ("octets", "request_", "response"),
    [
        (b"GET / HTTP/1.1\r\n", True, False),
        (b"\r\nPROPFIND /dav HTTP/1.0\n", True, False),
        (b"GET /old\r\n", True, False),
        (b"CONNECT example.org:443 HT", True, False),
        (b"OPTIONS * HTTP/1.1\r\n", True, False),
        (b"PO", True, False),
        (b"HTTP/1.1 200 OK\r\n", False, True),
        (b"HTTP/1.0 4", False, True),
        (b"H", True, True),
        (b"HTTP/2 200\r\n", False, False),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", False, False),
        (b"SSH-2.0-OpenSSH_9.6 Debian\r\n", False, False),
        (b"EHLO example.org\r\n", False, False),
        (b"INVITE sip:a@example.org SIP/2.0\r\n", False, False),
        (b"220 example.org ESMTP\r\n", False, False),
        (b"\x16\x03\x01\x02\0", False, False),
        (b"", False, False),
    ],
)
def test_first_octets_tell_http(octets: bytes, request_: bool, response: bool) -> None:
    assert looks_like_request(octets) is request_
    assert looks_like_response(octets) is response


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"GET /a HTTP/1.1\r\n", RequestLine("GET", "/a", "1.1")),
        (b"get  /a b \xff HTTP/1.0 \n", RequestLine("get", "/a b \\xff", "1.0")),
        (b"GET / HTTP/2.0\r\n", RequestLine("GET", "/", "2.0")),
        (b"GET /a\r\n", RequestLine("GET", "/a", "0.9")),
        (b"GET\r\n", None),
        (b"GET /a b\r\n", None),
        (b"HEAD /a\r\n", None),
        (b"GET HTTP/1.1\r\n", None),
        (b"PRI * HTTP/2.0\r\n", None),
    ],
)
def test_request_line(line: bytes, said: RequestLine | None) -> None:
    assert request_line(line) == said


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"HTTP/1.1 200 OK\r\n", StatusLine("1.1", 200)),
        (b"HTTP/1.0  304\n", StatusLine("1.0", 304)),
        (b"HTTP/1.1 2000 OK\r\n", None),
        (b"HTTP/1.1 20\r\n", None),
        (b"ICY 200 OK\r\n", None),
    ],
)
def test_status_line(line: bytes, said: StatusLine | None) -> None:
    assert status_line(line) == said


@settings(max_examples=300, deadline=None, derandomize=True)
@given(LINES, st.sampled_from(Side))
def test_a_strict_start_line_is_one_by_the_lenient_rules(line: bytes, side: Side) -> None:
    read = request_line if side is Side.ORIG else status_line
    start = REQUEST if side is Side.ORIG else STATUS
    for each in (line, b"GET /" + line, b"HTTP/1." + line, b"G " + line[:-1] + b" HTTP/1.1\r\n"):
        strict = start.fullmatch(each)
        assert not strict or (read(each) and may_begin(side, each))
        if may_begin(side, each):
            assert all(may_begin(side, each[:size]) for size in range(len(each)) if size)


def test_white_space_before_the_first_field_is_passed_over() -> None:
    assert read_fields(b" GET / HTTP/1.1\r\nA: b\r\n") == (
        {"a": "b"},
        ["white space before the first field"],
    )


def test_the_old_coding_identity_is_none() -> None:
    fields = {"transfer-encoding": "identity", "content-length": "7"}
    how, problems = framing(fields, "1.1", response=True)
    assert (how.length, how.chunked, problems) == (7, False, [])


def test_chunked_in_http_1_0_is_read_and_said() -> None:
    how, problems = framing({"transfer-encoding": "chunked"}, "1.0", response=True)
    assert how.chunked
    assert problems == ["Transfer-Encoding in HTTP/1.0"]
