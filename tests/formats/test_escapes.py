"""What nginx and Apache escape comes back as the client sent it.

The writers below are models of `ngx_http_log_escape` and `ap_escape_logitem`, made from their
documentation: nginx writes `"`, `\\`, octets below 0x20 and above 0x7E as `\\xHH`; Apache puts a
backslash before `"` and `\\`, has names for some controls, and writes `\\xhh` for the others and for
what is not printable ASCII.
"""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from l7meter.formats import Options, Segment, by_name, parse
from l7meter.formats.text import MISSING
from l7meter.sources import Block

NAMED = {8: b"\\b", 9: b"\\t", 10: b"\\n", 11: b"\\v", 13: b"\\r", 34: b'\\"', 92: b"\\\\"}


def nginx(octets: bytes) -> bytes:
    return b"".join(
        b"\\x%02X" % octet if octet in b'"\\' or not 0x20 <= octet <= 0x7E else bytes((octet,))
        for octet in octets
    )


def apache(octets: bytes) -> bytes:
    return b"".join(
        NAMED.get(octet, bytes((octet,)) if 0x20 <= octet <= 0x7E else b"\\x%02x" % octet)
        for octet in octets
    )


def agents(escaped: list[bytes]) -> list[str | None]:
    head = b'192.0.2.7 - - [02/Jan/2024:03:04:05 +0000] "GET /a HTTP/1.1" 200 5 "-" "'
    data = b"".join(head + value + b'"\n' for value in escaped)
    parsed = parse(by_name("combined"), Segment(Block(data, 1)), Options())
    assert parsed.records.height == len(escaped)
    return parsed.records["user_agent_original"].to_list()


each_server = pytest.mark.parametrize("escape", [nginx, apache])


@each_server
@settings(max_examples=80, deadline=None, derandomize=True)
@given(values=st.lists(st.text(max_size=30), min_size=1, max_size=8))
@example(values=["\\", "\\\\", '\\"', '"', "\\x22", "\\\\x22", "\\n", "\n\r\t\x0b\x08\x00\x7f"])
@example(values=["é" * 9, "\u2028", "😀", "\x02\x01", '" "', "é\\xc3\\xa9"])
def test_escaped_text_comes_back_as_sent(escape, values: list[str]) -> None:
    said = [None if value in MISSING and value != '"-"' else value for value in values]
    assert agents([escape(value.encode()) for value in values]) == said


@each_server
@settings(max_examples=80, deadline=None, derandomize=True)
@given(value=st.binary(max_size=30))
def test_octets_that_are_no_text_stay_escaped(escape, value: bytes) -> None:
    (agent,) = agents([escape(value)])
    if agent is not None:
        assert agent == value.decode("utf-8", "backslashreplace")
