"""What HAProxy captured, put to its fields by the configuration that it ran with.

`tests/data/writers/haproxy-captures.log` was written by HAProxy 2.6.12 under `haproxy.cfg`: curl asked
each of four frontends for a file, for it with pip's agent, for a range of it without an agent; to the
plain ones junk was sent and a host with a blank.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from l7meter.errors import UsageError
from l7meter.formats import Format, Options, by_name, from_log_format, parse
from l7meter.formats.catalog import tables
from l7meter.formats.logformat.haproxy import (
    ANY_BRACES,
    ANY_FRONTEND,
    ANY_QUOTES,
    Captures,
    captures_in,
)
from l7meter.sources import Block

DATA = Path(__file__).parents[1] / "data" / "writers"
CONFIGURATION = DATA / "haproxy.cfg"
LINES = (DATA / "haproxy-captures.log").read_bytes().splitlines(keepends=True)
CAPTURED = ("user_agent_original", "server_address", "content_type", "range_requested")


def read(format_: Format, lines: list[bytes]) -> list[dict[str, Any]]:
    (segment,), _ = format_.reader.cut(Block(b"".join(lines), 1), None)
    return parse(format_, segment, Options()).records.to_dicts()


def of(name: str, configuration: Path = CONFIGURATION) -> Format:
    (format_,) = from_log_format(f"{configuration}:{name}")
    return format_


def captured(row: dict[str, Any]) -> list[Any]:
    return [row.get(name) for name in CAPTURED]


def test_each_frontend_captures_its_own_headers() -> None:
    assert captures_in(CONFIGURATION.read_text()) == [
        Captures("fe", ("Host", "User-Agent"), ()),
        Captures("plain", ("User-Agent", "Host"), ("Content-Type",)),
        Captures("tls", ("Range", "User-Agent"), ()),
    ]
    curl, pip, host = "curl/7.88.1", 'pip/24.0 {"a":"b|c"}', "registry.example.org"
    octets = "application/octet-stream"
    assert list(map(captured, read(of("haproxy"), LINES))) == [
        [curl, host, octets, None],
        [pip, host, octets, None],
        [None, host, octets, None],
        [None, None, None, None],  # <BADREQ>
        [None, "x y", "text/html", None],
        *([None] * 4 for _ in range(5)),  # frontend `none`
        [curl, host, None, None],  # the host is that of the HTTP/2 target
        [pip, host, None, None],
        [None, host, None, "bytes=0-99"],
    ]
    assert list(map(captured, read(of("haproxy-clf"), LINES))) == [
        [curl, host, None, None],
        [pip, host, None, None],
        [None, host, None, None],
        [None, None, None, None],
        [None, "x y", None, None],
    ]


@pytest.mark.parametrize("name", ["haproxy", "haproxy-clf"])
@pytest.mark.parametrize(
    "without", ["frontend of none\n", "frontend fe\n", "frontend plain\n", "frontend tls\n"]
)
def test_all_else_is_read_as_without_a_configuration(
    name: str, without: str, tmp_path: Path
) -> None:
    configuration = tmp_path / "haproxy.cfg"
    configuration.write_text(CONFIGURATION.read_text().replace(without, "frontend another\n"))
    rows, plain = read(of(name, configuration), LINES), read(by_name(name), LINES)
    assert rows
    for row in [*rows, *plain]:
        for column in CAPTURED:
            row.pop(column, None)
    assert rows == plain


def test_declared_slots_and_samples_keep_their_place() -> None:
    text = """
frontend web # the only one
    declare capture request len 10
    http-request capture src_port len 8
    capture request header X-Forwarded-For len 40
    #capture request header Host len 40
    http-request capture req.hdr(User-Agent),lower len 200 if TRUE
    capture response header Content-Length len 10
backend be
    capture response header Server len 10
"""
    assert captures_in(text) == [
        Captures("web", (None, None, "X-Forwarded-For", "User-Agent"), ("Content-Length",))
    ]


def test_configuration_without_captures_is_said_to_hold_nothing(tmp_path: Path) -> None:
    (tmp_path / "haproxy.cfg").write_text("frontend web\n  option httplog\n")
    with pytest.raises(UsageError, match="holds none at all"):
        from_log_format(str(tmp_path / "haproxy.cfg"))


def test_shipped_patterns_have_the_places_that_are_replaced() -> None:
    assert all(ANY_FRONTEND in tables()[name]["pattern"] for name in ("haproxy", "haproxy-clf"))
    assert ANY_BRACES in tables()["haproxy"]["pattern"]
    assert ANY_QUOTES in tables()["haproxy-clf"]["pattern"]
