"""Logs of servers that were run, and what curl, their client, counted at its end.

`tests/data/writers` was written by Debian's lighttpd 1.4.69, h2o 2.2.5, uWSGI 2.0.21, Python 3.11's wsgiref and http.server, and HAProxy
2.6.12 and Squid 5.7 in front of lighttpd, on loopback; `truth.tsv` is of curl 7.88 (Squid leaves queries out).
"""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from l7meter.formats import Options, detect, parse
from l7meter.sources import Block

DATA = Path(__file__).parents[1] / "data" / "writers"
FORMATS = {
    "lighttpd": "lighttpd",
    "h2o": "combined",
    "haproxy-clf": "haproxy-clf",
    "uwsgi": "uwsgi",
    "squid-combined": "squid-combined",
    "squid-common": "squid-common",
    "python-wsgi": "python-http",
    "python-http": "python-http",
}
AGENT = 'pip/24.0 {"a":"b|c"}'


@pytest.mark.parametrize("writer", FORMATS)
def test_log_says_what_the_client_received(writer: str) -> None:
    with (DATA / "truth.tsv").open() as text:
        truth = [row for row in csv.DictReader(text, delimiter="\t") if row["writer"] == writer]
    block = Block((DATA / f"{writer}.log").read_bytes(), 1)
    format_, _ = detect(block)
    assert format_ is not None
    assert format_.name == FORMATS[writer]
    (segment,), _ = format_.reader.cut(block, None)
    parsed = parse(format_, segment, Options())
    assert not parsed.rejects.height
    rows = parsed.records.to_dicts()
    said = [[row["request_method"], row["url_original"], str(row["response_status_code"])] for row in rows]  # fmt: skip
    assert said == [[row["method"], row["target"], row["status"]] for row in truth]
    assert {row["client_address"] for row in rows} == {"127.0.0.1"}
    if "response_size" in rows[0]:
        short = [int(each["content"]) + int(each["head"]) - row["response_size"] for row, each in zip(rows, truth, strict=True)]  # fmt: skip
        most = 8 if writer == "haproxy-clf" else 0  # it leaves out some octets of the fields
        assert all(0 <= octets <= most for octets in short), short
    elif writer == "python-http":
        assert {row["response_body_size"] for row in rows} == {None}
    else:
        assert [row["response_body_size"] for row in rows] == [int(row["content"]) for row in truth]
    if "user_agent_original" in rows[0]:
        assert rows[1]["user_agent_original"] == AGENT
    if writer == "lighttpd":
        assert {row["server_address"] for row in rows} == {"registry.example.org"}


def test_lenient_formats_read_only_what_no_other_does() -> None:
    plain = '192.0.2.7 - - [02/Jan/2024:03:04:05 +0000] "GET /a HTTP/1.1" 200 4321 "-" "demo/1.0"'
    more = [
        (f'{plain} "192.0.2.8"', "nginx-main"),
        (f"{plain} 0.003", "combined-and-more"),
        (f'{plain} rt=0.003 "x"', "combined-and-more"),
        (plain.split(' "-"')[0] + " 12", "common-and-more"),
        (plain, "combined"),
    ]
    for line, name in more:
        format_, _ = detect(Block(f"{line}\n".encode() * 3, 1))
        assert format_ is not None
        assert format_.name == name
    # what stands first is no client
    assert detect(Block(f"web {plain} 12\n".encode(), 1))[0] is None
