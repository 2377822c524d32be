"""Format strings of HAProxy and Envoy, besides nginx's and Apache's.

`tests/data/writers/haproxy-formats.log` was written by HAProxy 2.6.12 under `haproxy-formats.cfg`: for
each of three frontends four lines, of curl, of curl with pip's agent, of a range without an agent, of junk.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from l7meter.errors import UsageError
from l7meter.formats import Options, detect, from_log_format, parse
from l7meter.formats.logformat import dialect
from l7meter.sources import Block

DATA = Path(__file__).parents[1] / "data" / "writers"
CONFIGURATION = str(DATA / "haproxy-formats.cfg")
LINES = (DATA / "haproxy-formats.log").read_text().splitlines(keepends=True)
PLACES = {"text": slice(0, 4), "json": slice(4, 8), "bare": slice(8, 12)}
REQUESTED = ("url_original", "response_status_code", "response_size")
CLF = '%{+Q}o %{-Q}ci - - [%trg] %r %ST %B "" "" %cp %ms %ft %b %s %TR %Tw %Tc %Tr %Ta %tsc %ac %fc %bc %sc %rc %sq %bq %CC %CS %hrl %hsl'  # fmt: skip
HTTP = "%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc %ac/%fc/%bc/%sc/%rc %sq/%bq %hr %hs %{+Q}r"  # fmt: skip
ENVOY = '%START_TIME% %DOWNSTREAM_REMOTE_ADDRESS% "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %BYTES_SENT% "%REQ(USER-AGENT):200%" %REQ(:AUTHORITY)% %RESPONSE_FLAGS% %DURATION%\\n'  # fmt: skip


def read(log_format: str, lines: list[str]) -> tuple[str, list[dict[str, Any]]]:
    block = Block("".join(lines).encode(), 1)
    format_, _ = detect(block, from_log_format(log_format))
    assert format_ is not None
    (segment,), _ = format_.reader.cut(block, None)
    parsed = parse(format_, segment, Options())
    return format_.name, parsed.records.to_dicts()


@pytest.mark.parametrize("kind", PLACES)
@pytest.mark.parametrize("named", [True, False])
def test_haproxys_own_strings(kind: str, named: bool) -> None:
    name, rows = read(f"{CONFIGURATION}:{kind}" if named else CONFIGURATION, LINES[PLACES[kind]])
    assert name == kind
    assert [[row[column] for column in REQUESTED] for row in rows] == [
        ["/a.bin", 200, 100162],
        ["/a.bin?x=1", 200, 100162],
        ["/a.bin", 206, 302],
        [None, 400, 0],
    ]
    assert {row["client_address"] for row in rows} == {"127.0.0.1"}
    assert all(row["client_port"] > 1024 for row in rows)
    agents = [row.get("user_agent_original") for row in rows]
    pip = [None] * 4 if kind == "bare" else ["curl/7.88.1", 'pip/24.0 {"a":"b|c"}', None, None]
    assert agents == pip
    if kind == "text":
        hosts = [row["server_address"] for row in rows]
        assert hosts == ["registry.example.org"] * 3 + [None]


@pytest.mark.parametrize(("string", "name"), [(CLF, "haproxy-clf"), (HTTP, "haproxy")])
def test_default_strings_read_what_the_shipped_formats_read(string: str, name: str) -> None:
    lines = (DATA / "haproxy-captures.log").read_text().splitlines(keepends=True)
    lines = lines[:5] if name == "haproxy-clf" else lines[5:15]
    block = Block("".join(lines).encode(), 1)
    format_, _ = detect(block)
    assert format_ is not None
    assert format_.name == name
    (segment,), _ = format_.reader.cut(block, None)
    shipped = parse(format_, segment, Options()).records.to_dicts()
    _, rows = read(string, lines)
    assert len(rows) == len(shipped)
    for row, expected in zip(rows, shipped, strict=True):
        assert row.items() <= expected.items()
        assert {"ts", "client_address", "client_port", *REQUESTED} <= row.keys()


def test_envoys_strings() -> None:
    assert dialect(ENVOY).escapes == "none"
    lines = [
        '2024-01-02T03:04:05.250Z 192.0.2.7:40000 "GET /v2/a?b=1 HTTP/2" 200 4321 "demo "q" 1" www.example.org:8443 - 12\n',
        '2024-01-02T03:04:05.250Z [2001:db8::7]:40000 "HEAD /v2/ HTTP/1.1" 0 0 "-" www.example.org DC 1\n',
    ]
    _, rows = read(ENVOY, lines)
    said = {column: [row[column] for row in rows] for column in rows[0]}
    assert said["client_address"] == ["192.0.2.7", "2001:db8::7"]
    assert said["url_original"] == ["/v2/a?b=1", "/v2/"]
    assert said["network_protocol_version"] == ["2", "1.1"]
    assert said["response_status_code"] == [200, None]
    assert said["response_body_size"] == [4321, 0]
    assert said["user_agent_original"] == ['demo "q" 1', None]
    assert said["server_address"] == ["www.example.org"] * 2
    assert said["duration"] == [0.012, 0.001]


@pytest.mark.parametrize(
    ("operator", "value"),
    [
        ("%START_TIME(%s.%3f)%", "1704164645.250"),
        ("%START_TIME(%s%3f)%", "1704164645250"),
        ("[%START_TIME(%Y/%m/%dT%H:%M:%S%z)%]", "[2024/01/02T03:04:05+0000]"),
    ],
)
def test_envoys_times(operator: str, value: str) -> None:
    _, (row,) = read(f"{operator} %REQ(:PATH)% %DOWNSTREAM_WIRE_BYTES_SENT%", [f"{value} /a 77\n"])
    assert row["ts"].isoformat()[:19] == "2024-01-02T03:04:05"
    assert (row["url_original"], row["response_size"]) == ("/a", 77)


@pytest.mark.parametrize("string", ['%h %l %u %t "%r" %>s %b', "%{Host}i %t %a %s %B %T", "%v:%p %h [%{sec}t] %r"])  # fmt: skip
def test_apaches_strings_stay_apaches(string: str) -> None:
    assert dialect(string).parse.__module__.endswith("apache")


def test_strings_without_a_time_do_not_hide_the_others(tmp_path: Path) -> None:
    nginx = tmp_path / "nginx.conf"
    nginx.write_text(
        "log_format short '$remote_addr $status';\nlog_format main '$msec $remote_addr';\n"
    )
    for text in (str(nginx), f"{nginx}:main"):
        assert [format_.name for format_ in from_log_format(text)] == ["main"]
    with pytest.raises(UsageError, match="logs no time"):
        from_log_format(f"{nginx}:short")
    haproxy = tmp_path / "haproxy.cfg"
    haproxy.write_text(
        "listen tcp\n  log-format %ci:%cp\\ %B\nfrontend web\n  capture request header Host len 9\n"
    )
    assert [format_.name for format_ in from_log_format(str(haproxy))] == ["haproxy", "haproxy-clf"]
