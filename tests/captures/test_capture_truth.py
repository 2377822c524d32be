"""The sample captures say what the servers of those exchanges logged."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import Any

import pytest
from judging import FILES, PCAPS, cut, records, sample

# column of the record: name in the truth
SAME = {
    "request_method": "method",
    "url_original": "request_uri",
    "network_protocol_version": "server_protocol",
    "response_status_code": "status",
    "request_size": "request_length",
    "response_size": "bytes_sent",
    "response_body_size": "body_bytes_sent",
    "user_agent_original": "user_agent",
    "server_address": "host",
}
VERSIONS = {"HTTP/1.0": "1.0", "HTTP/1.1": "1.1", "HTTP/2.0": "2", "HTTP/3.0": "3"}

# Whole captures whose records and truth are the same, line by line.
WHOLE = [
    "keep-alive", "pipelining", "head-304-204", "range-206", "loss-and-reordering", "port-reuse",
    "retransmission-and-zero-window", "interleaved", "ipv6", "vlan", "gre", "vxlan", "fragments",
    "big-segments", "sll2", "nanoseconds", "pcapng-two-interfaces",
    "close-delimited-http10", "aborted-download",
]  # fmt: skip
# Whole captures where a server's own way of counting differs: (name, target) to what it is.
QUIRKS: dict[str, dict[str | None, dict[str, Any]]] = {
    # nginx counts the framing of chunks as body
    "chunked": {
        "/upstream/pieces": {"response_body_size": 4800},
        "/gzip/list.html": {"response_body_size": 281},
    },
    # nginx counts 100 (Continue) as body
    "expect-100-continue": {"/upstream/upload": {"response_body_size": 13}},
    # HTTP/0.9 has no status on the wire, and nginx says no version
    "http09": {
        "/pages/short.html": {"response_status_code": None, "network_protocol_version": "0.9"}
    },
    # nginx does not count the frame header of a request, 9 octets
    "h2c-prior-knowledge": {
        "/pages/list.html": {"request_size": 38 + 9},
        "/packages/medium.bin": {"request_size": 23 + 9},
        "/pages/missing.html": {"request_size": 22 + 9},
    },
    # nginx counts the WebSocket's octets after 101; Host names the server's port
    "websocket-upgrade": {
        "/socket": {
            "response_size": 2323 - 2135,
            "response_body_size": 0,
            "server_address": "192.0.2.80",
        }
    },
}
Row = dict[str, Any]


def truth(name: str) -> list[Row]:
    return [json.loads(line) for line in (PCAPS / f"{name}.truth.jsonl").read_text().splitlines()]


def file_of(name: str) -> str:
    (found,) = [each for each in FILES if each.partition(".")[0] == name]
    return found


def rows_of(file: str) -> list[Row]:
    return records(sample(file), "columnar")[0].to_dicts()


def exchanges(file: str) -> list[Row]:
    return [row for row in rows_of(file) if row["exchange_kind"] == "http"]


def by_port(rows: list[Row], port: str) -> dict[int, list[Row]]:
    """By the client's port, in order."""
    found: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        found[row[port]].append(row)
    return found


def said(line: Row) -> Row:
    """A line of the truth in the words of the record."""
    row = {column: line[name] for column, name in SAME.items()}
    row["network_protocol_version"] = VERSIONS.get(line["server_protocol"])
    row["server_address"] = row["server_address"] or line["server_addr"]
    return row


@pytest.mark.parametrize("name", [*WHOLE, *QUIRKS])
def test_each_line_of_the_truth_has_its_record(name: str) -> None:
    lines, found = truth(name), exchanges(file_of(name))
    assert len(found) == len(lines)
    rows = by_port(found, "client_port")
    for port, logged in by_port(lines, "remote_port").items():
        expected = [
            said(line) | QUIRKS.get(name, {}).get(line["request_uri"], {}) for line in logged
        ]
        assert [{column: row[column] for column in SAME} for row in rows[port]] == expected
        assert {row["missing_bytes"] for row in rows[port]} == {0}
        assert [row["complete"] for row in rows[port]] == [
            line["completion"] == "OK" for line in logged
        ]
        assert {row["client_address"] for row in rows[port]} == {logged[0]["remote_addr"]}
        assert {row["server_port"] for row in rows[port]} == {logged[0]["server_port"]}


def test_a_request_that_the_server_refused_to_read_has_its_response() -> None:
    garbage, too_large = truth("bad-request")
    left, refused, answered = rows_of("bad-request.pcap")
    # no HTTP was asked: the octets of the client are a remainder, the answer is one to nothing
    assert (left["exchange_kind"], left["client_port"]) == ("remainder", garbage["remote_port"])
    assert (left["request_size"], left["response_size"]) == (29, 0)
    assert (refused["request_method"], refused["request_size"]) == (None, None)
    for row, line in ((refused, garbage), (answered, too_large)):
        assert (row["response_status_code"], row["complete"]) == (line["status"], True)
        assert row["response_size"] == line["bytes_sent"]
        assert row["response_body_size"] == line["body_bytes_sent"]
        assert row["client_port"] == line["remote_port"]


def test_behind_a_load_balancer_the_client_is_known() -> None:
    lines, rows = truth("proxy-protocol"), rows_of("proxy-protocol.pcap")
    *plain, closed = rows
    assert [{name: row[name] for name in SAME} for row in plain] == [said(line) for line in lines[:3]]  # fmt: skip
    assert (closed["exchange_kind"], closed["tls_server_name"]) == ("tls", "example.org")
    assert [row["forwarded_for"] for row in rows] == [line["remote_addr"] for line in lines]
    assert {row["client_address"] for row in rows} == {"192.0.2.80"}  # the balancer


@pytest.mark.parametrize("port", [443, 8444])
@pytest.mark.parametrize("first", [0, 1, 2, 6, 9])
def test_quic_whose_beginning_was_not_captured_has_its_octets(first: int, port: int) -> None:
    """From any packet on: by the port of HTTPS, or once a packet with a long header was seen."""
    octets = sample("quic-h3.pcap").replace((8444).to_bytes(2, "big"), port.to_bytes(2, "big"))
    whole, rest = records(octets, "columnar"), records(cut(octets, 0, first)[-1], "columnar")
    (row,), (all_of_it,) = rest[0].to_dicts() or [None], whole[0].to_dicts()
    if row is None:
        assert (port, first) in [(8444, 6), (8444, 9)]
        return
    assert (row["client_port"], row["server_port"]) == (all_of_it["client_port"], port)
    assert row["client_port"] == truth("quic-h3")[0]["remote_port"]
    assert (row["tls_server_name"] == "example.org") == (first == 0)
    assert rest[1].packets == whole[1].packets - first
    assert port == 8444 or rest[1].carried == rest[1].packets
    assert 0 < row["response_size"] <= all_of_it["response_size"]


def test_a_tunnel_is_its_opening_and_its_octets() -> None:
    (_, _, tunnel, refused) = truth("connect-tunnel")  # the first two are inside of it
    opened, inside, denied = rows_of("connect-tunnel.pcap")
    assert (opened["url_original"], opened["response_status_code"]) == ("192.0.2.80:8080", 200)
    # Squid counts opening and tunnel as one
    assert opened["request_size"] + inside["request_size"] == tunnel["request_length"]
    assert opened["response_size"] + inside["response_size"] == tunnel["bytes_sent"]
    assert inside["exchange_kind"] == "tunnel"
    assert (denied["url_original"], denied["response_status_code"]) == ("192.0.2.80:9", 503)
    assert denied["request_size"] == refused["request_length"]


def test_an_upgrade_to_http2_is_both_exchanges() -> None:
    lines, rows = truth("h2c-upgrade"), by_port(exchanges("h2c-upgrade.pcap"), "client_port")
    for port, (second, first) in by_port(lines, "remote_port").items():
        switch, answer = rows[port]
        assert (switch["response_status_code"], switch["url_original"]) == (
            101,
            first["request_uri"],
        )
        assert answer["url_original"] == second["request_uri"] == first["request_uri"]
        assert answer["user_agent_original"] == switch["user_agent_original"]
        # Apache counts the HTTP/2 that followed; and the preface as the request's
        assert switch["response_size"] + answer["response_size"] <= first["bytes_sent"]
        assert switch["request_size"] <= first["request_length"]
        assert answer["network_protocol_version"] == "2"
        for column in ("response_status_code", "response_size", "response_body_size"):
            assert answer[column] == second[SAME[column]]


@pytest.mark.parametrize("name", ["tls12", "tls13", "quic-h3"])
def test_what_is_encrypted_has_more_octets_than_what_is_inside(name: str) -> None:
    (row,) = rows_of(file_of(name))
    lines = truth(name)
    sent = sum(line["bytes_sent"] or line["body_bytes_sent"] for line in lines)
    assert row["exchange_kind"] == name.rstrip("0123456789").partition("-")[0]
    assert row["tls_server_name"] == lines[0]["host"]
    assert row["tls_fingerprint"]
    assert sent < row["response_size"] < row["server_wire_bytes"] < 2 * sent
    assert row["client_port"] == lines[0]["remote_port"]


# Captures that lack something: octets that are said to be missing, and incomplete exchanges
DAMAGED = {
    "aborted-download.pcap": (0, 2),
    "lost-in-capture.pcap": (4065, 4),
    "midstream.pcap": (0, 0),
    "one-sided.pcap": (0, 1),
    "one-sided-requests.pcap": (0, 4),  # what nothing was captured of is not said
    "snapped-512.pcap": (7135, 2),
    "snapped.pcap": (11186, 3),
    "truncated-file.pcap": (0, 1),
    "rotation.pcap0": (0, 1),
    "rotation.pcap1": (0, 0),
    "rotation.pcap2": (0, 0),
}


@pytest.mark.parametrize("file", DAMAGED)
def test_a_damaged_capture_never_tells_more_than_was_sent(file: str) -> None:
    lines = truth(file.partition(".")[0])
    frame, sums, problem = records(sample(file), "columnar")
    rows = frame.to_dicts()
    found = [row for row in rows if row["exchange_kind"] == "http"]
    columns = ["request_size", "response_size", "response_body_size"]
    if file == "one-sided.pcap":  # whose response to HEAD seems to have the next one as content
        columns.pop()
    for column in columns:
        assert sum(row[column] or 0 for row in rows) <= sum(line[SAME[column]] for line in lines)
    missing, incomplete = DAMAGED[file]
    assert sums.missing_bytes == missing
    assert [row["complete"] for row in found].count(False) == incomplete
    assert not any(row["complete"] and row["missing_bytes"] for row in found)
    assert (problem is not None) == (file == "truncated-file.pcap")


@pytest.mark.parametrize("file", DAMAGED)
def test_what_is_complete_in_a_damaged_capture_is_as_the_server_logged_it(file: str) -> None:
    answers = ("response_status_code", "response_size", "response_body_size")
    asks = ("request_method", "url_original", "request_size", "user_agent_original")
    whole = [row for row in exchanges(file) if row["complete"]]
    for columns in (answers, asks, answers + asks):
        seen = [row for row in whole if None not in [row[column] for column in columns]]
        logged = Counter(
            tuple(line[SAME[column]] for column in columns)
            for line in truth(file.partition(".")[0])
        )
        assert not Counter(tuple(row[column] for column in columns) for row in seen) - logged


def test_one_side_has_no_guess_of_the_other() -> None:
    for row in exchanges("one-sided.pcap"):
        asked = ("request_method", "url_original", "request_size", "user_agent_original")
        assert [row[column] for column in asked] == [None] * 4
    for row in exchanges("one-sided-requests.pcap"):
        answered = ("response_status_code", "response_size", "response_body_size")
        assert [row[column] for column in answered] == [None] * 3
        assert row["request_size"] in [
            line["request_length"] for line in truth("one-sided-requests")
        ]
