"""The fast path and the exact path of a format string give the same records, whatever the lines."""

from __future__ import annotations

import re
from dataclasses import replace

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l7meter.formats import Format, Options, Segment, parse
from l7meter.formats.catalog import from_log_format
from l7meter.formats.logformat import LogFormatReader
from l7meter.sources import Block

FORMATS = {
    "combined": '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"',
    "main": '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" "$http_x_forwarded_for"',
    "combinedio": '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i" %I %O',
    "vhost": '%v:%p %h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"',
    "host-and-target": "$remote_addr [$time_local] $request_method $host$request_uri $server_protocol $status $bytes_sent",
    "upstream": '$remote_addr [$time_local] "$request" $status $bytes_sent rt=$request_time uct="$upstream_connect_time"',
    "time-first": '$msec $remote_addr "$request" $status $body_bytes_sent',
    "tabs": "$time_iso8601\t$remote_addr\t$request\t$status\t$bytes_sent\t$http_user_agent",
    "all-quoted": '"$time_iso8601" "$remote_addr" "$request" "$status" "$bytes_sent" "$http_user_agent"',
    "agent-last-unquoted": '$remote_addr [$time_local] "$request" $status $bytes_sent $http_user_agent',
}
USUAL = {
    "$time_local": "02/Jan/2024:03:04:05 +0000",
    "%t": "[02/Jan/2024:03:04:05 +0000]",
    "$time_iso8601": "2024-01-02T03:04:05+00:00",
    "$msec": "1704161045.250",
    "$request": "GET /a HTTP/1.1",
    "%r": "GET /a HTTP/1.1",
}
PIECES = [
    *"ab/ \"\\'-[]:?%x019.\t\r\x00\x01\x02\x0b\x1c\x7f\x85",
    *(
        "é",
        "\u2028",
        "\ufeff",
        "😀",
        '\\"',
        "\\\\",
        "\\x22",
        " - ",
        '" ',
        '" "',
        '] "',
        '\\\\"',
        "\n",
    ),
    *(" HTTP/1.1", "GET / HTTP/1.1", "200", "2001:db8::1", "[02/Jan/2024:03:04:05 +0000]"),
]
ANY = st.lists(st.sampled_from(PIECES), max_size=8).map("".join)


def lines_of(text: str) -> st.SearchStrategy[str]:
    """Lines in a format, some of their values anything, some of them cut short."""
    parts = re.split(r"(\$\w+|%>?(?:\{[^}]*\})?[A-Za-z])", text)
    values = [
        st.one_of(st.just(USUAL.get(part, "17")), st.just(USUAL.get(part, "17")), ANY)
        if place % 2
        else st.just(part)
        for place, part in enumerate(parts)
    ]
    line = st.tuples(*values).map("".join)
    cut = st.builds(lambda whole, end: whole[:end], line, st.integers(0, 60))
    return st.one_of(line, line, line, cut, ANY)


def both(text: str) -> tuple[Format, Format]:
    (fast,) = from_log_format(text)
    assert isinstance(fast.reader, LogFormatReader)
    return fast, replace(fast, reader=LogFormatReader(fast.reader.items, fast=False))


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in FORMATS.items()])
@settings(max_examples=30, deadline=None, derandomize=True)
@given(data=st.data())
def test_fast_path_gives_what_the_exact_path_gives(text: str, data: st.DataObject) -> None:
    log = "\n".join(data.draw(st.lists(lines_of(text), max_size=12))).encode()
    fast, exact = (parse(each, Segment(Block(log, 1)), Options()) for each in both(text))
    assert fast.records.cast({pl.Categorical: pl.String}).equals(
        exact.records.cast({pl.Categorical: pl.String})
    )
    assert fast.rejects.equals(exact.rejects)
    assert fast.skipped == exact.skipped
    assert fast.lines == fast.records.height + fast.rejects.height + sum(fast.skipped.values())
    assert fast.lines == log.removesuffix(b"\n").count(b"\n") + bool(log)


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in FORMATS.items()])
def test_usual_lines_are_records(text: str) -> None:
    line = re.sub(r"\$\w+|%>?(?:\{[^}]*\})?[A-Za-z]", lambda found: USUAL.get(found[0], "17"), text)
    for each in both(text):
        parsed = parse(each, Segment(Block(f"{line}\n".encode() * 3, 1)), Options())
        assert (parsed.records.height, parsed.rejects.height) == (3, 0)


@pytest.mark.parametrize("start", ["x^", "x\x01"])
def test_line_that_starts_like_a_zlib_stream_is_text(start: str) -> None:
    log = f'{start}agent 192.0.2.7 1704161045.250\n"second" 192.0.2.7 1704161045.250\n'.encode()
    for each in both("$http_user_agent $remote_addr $msec"):
        parsed = parse(each, Segment(Block(log, 1)), Options())
        assert parsed.records["user_agent_original"].to_list() == [f"{start}agent", '"second"']
