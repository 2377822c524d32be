"""Every shipped format: its samples give exactly the records beside them, and no other claims them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l7meter.formats import Format, Options, Parsed, Segment, claims, detect, parse, shipped
from l7meter.formats.catalog import tables
from l7meter.schema import COLUMNS, SAID
from l7meter.sources import Block

FORMATS = shipped()
SAMPLES = [
    pytest.param(format_, sample, id=f"{name}-{place}")
    for name, format_ in FORMATS.items()
    for place, sample in enumerate(format_.samples, 1)
]
LINES = [sample["line"].encode() for format_ in FORMATS.values() for sample in format_.samples]
GARBAGE = (
    b'\xff\xfe\x00"\n{"a":\n{}\n[]\n# a comment\n\n'
    + b"- - - [ ] \" ' \t|,{}\n"
    + b"x" * 500
    + b"\n"
)


def read(format_: Format, text: str | bytes) -> list[Parsed]:
    data = text.encode() if isinstance(text, str) else text
    segments, _ = format_.reader.cut(Block(data, 1), None)
    return [parse(format_, segment, Options()) for segment in segments]


def said(parts: list[Parsed]) -> list[dict[str, Any]]:
    """The records with every said column; times as text, durations to the nanosecond."""
    rows = [row for part in parts for row in part.records.iter_rows(named=True)]
    for row in rows:
        row["ts"] = row["ts"].strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        if row.get("duration") is not None:
            row["duration"] = round(row["duration"], 9)
        assert set(row) <= set(SAID)
    return [{name: row.get(name) for name in SAID if name != "source_line"} for row in rows]


@pytest.mark.parametrize(("format_", "sample"), SAMPLES)
def test_sample_gives_its_record_and_nothing_else(format_: Format, sample: Mapping[str, Any]):
    parts = read(format_, sample["line"])
    assert [reject for part in parts for reject in part.rejects["reason"]] == []
    (record,) = said(parts)
    filled = {name: value for name, value in record.items() if value is not None}
    assert filled == sample["record"] | {"exchange_kind": "http"}
    for part in parts:
        for name, kind in part.records.schema.items():
            coded = isinstance(kind, pl.Enum | pl.Categorical) and COLUMNS[name].type == "string"
            assert coded or kind == COLUMNS[name].polars, name


@pytest.mark.parametrize(("format_", "sample"), SAMPLES)
def test_sample_is_claimed_by_its_format_only(format_: Format, sample: Mapping[str, Any]):
    block = Block(sample["line"].encode(), 1)
    if not format_.detect:
        assert detect(block)[0] is not None  # the format it looks like
        return
    first, *others = claims(block)
    assert first.format.name == format_.name
    for other in others:
        if (other.records, other.share) == (first.records, first.share):
            tied = other.addressed == first.addressed
            assert not tied or other.format.rank < first.format.rank, other


def test_log_of_all_chopped_samples_and_garbage_loses_no_line():
    for format_ in FORMATS.values():
        for sample in format_.samples:
            line = sample["line"].encode()
            pieces = [line[:end] for end in range(0, len(line), 7)]
            data = GARBAGE + b"\n".join(pieces) + b"\n" + GARBAGE + line
            assert_conserved(format_, data)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(list(FORMATS)),
    st.lists(st.sampled_from(LINES) | st.binary(max_size=40), max_size=8),
)
def test_any_mix_of_lines_is_conserved_by_every_format(name: str, pieces: list[bytes]):
    assert_conserved(FORMATS[name], b"\n".join(pieces))


def assert_conserved(format_: Format, data: bytes) -> None:
    parts = read(format_, data)
    for part in parts:
        assert part.lines == part.records.height + part.rejects.height + sum(part.skipped.values())
    assert sum(part.lines for part in parts) == data.count(b"\n") + (data[-1:] not in (b"", b"\n"))
    numbers = [
        n for part in parts for frame in (part.records, part.rejects) for n in frame["source_line"]
    ]
    assert len(numbers) == len(set(numbers))


@pytest.mark.parametrize("name", FORMATS)
def test_format_file_says_all_a_reader_of_the_table_needs(name: str):
    table = tables()[name]
    assert {"title", "specification", "size", "moment", "family"} <= set(table)
    assert table["specification"].startswith("https://")
    assert re.match(r"(message|content|declared|none)\b", table["size"])
    assert re.match(r"(start|end|as the)\b", table["moment"])
    assert FORMATS[name].samples or table["family"] == "parquet"


DOCUMENTATION = re.compile(
    r"(?:[\w-]+\.)*example\.(?:org|net|com)|192\.0\.2\.\d+|198\.51\.100\.\d+|203\.0\.113\.\d+"
)


@pytest.mark.parametrize(("format_", "sample"), SAMPLES)
def test_hosts_of_samples_are_documentation_hosts(format_: Format, sample: Mapping[str, Any]):
    hosts = re.findall(r"https?://([^/:\s\"]+)", sample["line"])
    hosts += filter(None, [sample["record"].get("server_address")])
    assert [host for host in hosts if not DOCUMENTATION.fullmatch(host)] == []


# The kinds of size that a column means; a format whose size is none fills no column.
KINDS = {
    "response_size": "message",
    "response_body_size": "content",
    "response_header_content_length": "declared",
}


@pytest.mark.parametrize(("format_", "sample"), SAMPLES)
def test_size_lands_in_the_column_its_sentence_names(format_: Format, sample: Mapping[str, Any]):
    filled = {kind for column, kind in KINDS.items() if column in sample["record"]}
    kinds = set(
        re.findall(r"\b(message|content|declared|none)\b", re.split(r":|;", format_.size)[0])
    )
    if kinds == {"none"}:
        assert not filled
    else:
        assert filled <= kinds | ({"declared"} if kinds & {"content", "message"} else set())


NOT_REQUESTS = [
    ("squid", "1704161045.250 0 192.0.2.5 NONE_NONE/000 0 - error:transaction-end-before-headers - HIER_NONE/- -", "no request was read"),
    ("squid", "1704161045.250 0 192.0.2.5 UDP_MISS/000 65 ICP_QUERY http://www.example.org/a - HIER_NONE/- -", "query of another cache (ICP, HTCP)"),
    ("haproxy", "192.0.2.6:40000 [02/Jan/2024:03:04:05.250] fe be/s1 0/0/5007 212 -- 0/0/0/0/3 0/0", "session in TCP mode"),
    ("haproxy", "Jan  2 03:04:05 lb haproxy[9]: 192.0.2.6:40000 [02/Jan/2024:03:04:05.250] fe/1: SSL handshake failure", "connection without a request"),
    ("haproxy", "Jan  2 03:04:05 lb haproxy[9]: Proxy fe started.", "message of the service"),
    ("haproxy", "Jan  2 03:04:05 lb haproxy[9]: Connect from 192.0.2.6:40000 to 203.0.113.8:80 (fe/HTTP)", "message of the service"),
    ("envoy", '[2024-01-02T03:04:05.250Z] "- - -" 0 - 12 4321 42 - "-" "-" "-" "-" "203.0.113.4:80"', "TCP connection"),
    ("istio-json", '{"start_time":"2024-01-02T03:04:05.250Z","method":null,"response_code":0,"bytes_sent":4321}', "TCP connection"),
    ("aws-elb", '2024-01-02T03:04:05.250000Z lb 192.0.2.6:40000 198.51.100.4:80 0.1 0.1 0.1 - - 82 305 "- - - " "-" - -', "TCP listener"),
    ("aws-s3", '79a5 demo [02/Jan/2024:03:04:05 +0000] - AmazonS3 3E57 S3.EXPIRE.OBJECT a.zip "-" - - - 9 - - "-" "-" -', "no request of its own (lifecycle, batch)"),
    ("azure-application-gateway", '{"timeStamp":"2024-01-02T03:04:05Z","category":"ApplicationGatewayFirewallLog","properties":{}}', "not of the access log"),
    ("azure-application-gateway", '{"timeStamp":"2024-01-02T03:04:05Z","properties":{"clientIP":"127.0.0.1"}}', "made by the gateway itself"),
    ("azure-front-door", '{"time":"2024-01-02T03:04:05Z","category":"FrontDoorHealthProbeLog","properties":{}}', "not of the access log"),
    ("azure-front-door", '{"time":"2024-01-02T03:04:05Z","category":"FrontdoorAccessLog","properties":{"isReceivedFromClient":false}}', "asked by another edge, not by a client"),
    ("gcp-load-balancer", '{"logName":"projects/demo/logs/activity","timestamp":"2024-01-02T03:04:05Z","protoPayload":{}}', "entry without a request"),
    ("gcs", '"1704161045250000","","","","DELETE","","200","0","0","1","","","GCS Lifecycle Management","id","","demo","a"', "lifecycle action"),
    ("suricata", '{"timestamp":"2024-01-02T03:04:05+0000","flow_id":1,"event_type":"fileinfo","http":{"length":4321}}', "event of another type"),
    ("akamai-datastream2", '{"reqTimeSec":"1704161045","cliIP":"192.0.2.6","statusCode":"200","isMidgress":"1"}', "between servers of the CDN, not to a client"),
    ("fastly-json", '{"timestamp":"2024-01-02T03:04:05+0000","client_ip":"192.0.2.6","request_method":"GET","response_status":200,"fastly_is_edge":false}', "between servers of the CDN, not to a client"),
    ("minio", '{"deploymentid":"51bc","time":"2024-01-02T03:04:05Z","trigger":"internal-scanner","api":{"name":"ILMExpiry"},"remotehost":"192.0.2.6"}', "made by the server itself"),
    ("swift", "Jan  2 03:04:05 store1 proxy-server: - - 02/Jan/2024/03/04/05 GET /v1/a/c_segments/o HTTP/1.0 200 - demo/1%20SLO%20MultipartGET - - 4321 - tx1 - 0.01 SLO - 1704164645.2 1704164645.25 0", "request of Swift itself"),
    ("ceph-rgw", "2024-01-02T03:04:05.263+0000 7fa35ce7c700  1 ====== starting new request req=0x7fa24b4581f8 =====", "line of the server itself"),
    ("gitlab-workhorse", '{"level":"info","msg":"Running upload server","time":"2024-01-02T03:04:05Z"}', "not an access line"),
    ("heroku", "2024-01-02T03:04:05.250123+00:00 app[web.1]: Listening on 3000", "line of a program, not of the router"),
    ("python-http", "192.0.2.7 - - [02/Jan/2024 03:04:05] code 404, message File not found", "message of the server"),
    ("uwsgi", "*** Operational MODE: single process ***", "line of the server itself"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "line", "reason"), NOT_REQUESTS)
def test_line_that_is_no_request_is_skipped_by_name(name: str, line: str, reason: str):
    (part,) = read(FORMATS[name], line)
    assert part.records.is_empty()
    assert part.rejects.is_empty()
    assert {word: n for word, n in part.skipped.items() if n} == {reason: 1}


def test_object_of_another_log_is_rejected_and_not_skipped():
    (part,) = read(FORMATS["istio-json"], '{"level":"info","msg":"started"}')
    assert part.rejects.height == 1
    (part,) = read(FORMATS["gcp-load-balancer"], '{"httpRequest":{"status":200}}')
    assert part.rejects.height == 1


def test_w3c_columns_change_in_mid_file():
    parts = read(
        FORMATS["iis"],
        "#Software: Microsoft Internet Information Services 10.0\n"
        "#Fields: date time cs-uri-stem c-ip sc-status\n2024-01-02 03:04:05 /a 192.0.2.1 200\n"
        "#Fields: date time c-ip sc-status cs-uri-stem sc-bytes\n2024-01-02 03:04:06 192.0.2.2 200 /b 77\n",
    )
    rows = [
        (row["url_original"], row["client_address"], row["response_size"]) for row in said(parts)
    ]
    assert rows == [("/a", "192.0.2.1", None), ("/b", "192.0.2.2", 77)]


def test_header_that_is_repeated_does_not_cut_the_block():
    head = b"#Software: Microsoft Internet Information Services 10.0\n#Date: 2024-01-02 03:00:0%d\n"
    rows = b"#Fields: date time cs-uri-stem c-ip sc-status\n2024-01-02 03:04:05 /a 192.0.2.1 200\n"
    data = b"".join(head % second + rows for second in range(10))
    segments, _ = FORMATS["iis"].reader.cut(Block(data, 1), None)
    assert [segment.block for segment in segments] == [Block(data, 1)]


def test_runs_of_blanks_and_quotation_marks_part_cells_as_the_writer_meant():
    parts = read(
        FORMATS["w3c"],
        "#Fields: date time c-ip cs-method cs-uri sc-status cs(User-Agent)\n"
        '2024-01-02  03:04:05 192.0.2.1   GET /a 200 "demo/1 (x  y)"\n'
        '2024-01-02 03:04:05 192.0.2.1 GET /"b 200 demo"1\n'
        '2024-01-02 03:04:05 192.0.2.1 GET /c 200 "demo/1" more\n',
    )
    rows = [(row["url_original"], row["user_agent_original"]) for row in said(parts)]
    assert rows == [("/a", "demo/1 (x  y)"), ('/"b', 'demo"1')]
    assert sum(part.rejects.height for part in parts) == 1


def test_local_time_without_zone_is_of_the_zone_the_operator_states():
    line = FORMATS["haproxy"].samples[0]["line"].encode()
    options = Options(timezone="Europe/Berlin")
    records = parse(FORMATS["haproxy"], Segment(Block(line, 1)), options).records
    assert records["ts"].dt.strftime("%H:%M:%S").item() == "02:04:05"


def test_body_length_that_zeek_decoded_is_no_size():
    sample = FORMATS["zeek"].samples[0]
    assert "4321" in sample["line"]
    values = pl.concat(
        [part.records for part in read(FORMATS["zeek"], sample["line"])], how="diagonal"
    )
    assert 4321 not in values.row(0)
