"""TLS and QUIC connections opened with their keys: exchanges as the server logged them, octets once."""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packets import block, enhanced, interface, section

from l7meter.captures import Capture
from l7meter.captures.base import Moment
from l7meter.captures.exchange import Exchange
from l7meter.captures.keyed import Keyed
from l7meter.captures.opened import Connection, Opened, connections
from l7meter.captures.replaced import exchanges, fits, shares
from l7meter.captures.sums import Sums
from l7meter.captures.tshark import Reading, available, opened
from l7meter.captures.tshark_fields import FIELDS, FieldsError, Packet, Stretch, parse
from l7meter.errors import UsageError

SAMPLES = Path(__file__).parents[2] / "sample_pcaps"
PORTS = 34  # of the packets in the samples: Ethernet, IPv4 without options
CLOSED = ("tls", "quic")

needs_tshark = pytest.mark.skipif(not shutil.which("tshark"), reason="tshark is not installed")


@pytest.fixture(autouse=True)
def _packages():
    pytest.importorskip("pyshark")
    pytest.importorskip("pylsqpack")


def keyed(path, keys):
    made = Keyed([path.read_bytes()], path, keys)
    return pl.concat(list(made.frames())), made


def plainly(path):
    made = Capture([path.read_bytes()])
    return pl.concat(list(made.frames())), made.sums


def truth(name):
    return [json.loads(line) for line in (SAMPLES / f"{name}.truth.jsonl").read_text().splitlines()]


def balanced(sums):
    return sums.payload_bytes == sums.message_bytes + sums.tunnel_bytes + sums.remainder_bytes


def wire(frame):
    return frame.select(pl.col("client_wire_bytes", "server_wire_bytes").sum()).row(0)


# With tshark, over real captures


@needs_tshark
@pytest.mark.parametrize("name", ["tls12", "tls13", "quic-h3"])
def test_exchanges_are_what_the_server_logged(name):
    frame, made = keyed(SAMPLES / f"{name}.pcap", SAMPLES / f"{name}.keylog")
    before, sums = plainly(SAMPLES / f"{name}.pcap")
    logged = truth(name)
    assert frame["exchange_kind"].to_list() == ["http"] * 3
    for column, field in {
        "request_method": "method", "url_original": "request_uri", "response_status_code": "status",
        "server_address": "host", "response_body_size": "body_bytes_sent", "client_port": "remote_port",
        "user_agent_original": "user_agent", "server_port": "server_port", "request_size": "request_length",
        "response_size": "bytes_sent",
    }.items():  # fmt: skip
        said = [line[field] for line in logged]
        if said[0] is not None:  # Caddy does not say sizes of messages
            assert frame[column].to_list() == said, column
    assert frame["complete"].all()
    assert set(frame["url_scheme"]) == {"https"}
    for column in ("tls_version", "tls_server_name", "tls_fingerprint", "client_address"):
        assert set(frame[column]) == set(before[column])
    assert wire(frame) == wire(before)
    assert balanced(made.sums)
    assert made.sums.payload_bytes == sums.payload_bytes
    assert made.sums.message_bytes >= frame["request_size"].sum() + frame["response_size"].sum()
    assert made.problem is None


@needs_tshark
def test_behind_a_load_balancer_opened_exchanges_say_the_client():
    frame, made = keyed(SAMPLES / "proxy-protocol.pcap", SAMPLES / "proxy-protocol.keylog")
    logged = truth("proxy-protocol")
    assert frame["forwarded_for"].to_list() == [line["remote_addr"] for line in logged]
    assert frame["response_size"].to_list() == [line["bytes_sent"] for line in logged]
    assert frame["request_size"].to_list() == [line["request_length"] for line in logged]
    assert balanced(made.sums)


@needs_tshark
def test_http2_and_http1_with_the_keys_of_a_session():
    name = "nginx-curl-tls-session"
    frame, made = keyed(SAMPLES / f"{name}.pcap", SAMPLES / f"{name}.keylog")
    lines = (SAMPLES / f"{name}.l7meter.log").read_text().splitlines()
    logged = [line.split("\t") for line in lines]
    expected = sorted(
        (int(line[3]), line[10], line[11].removeprefix("HTTP/").removesuffix(".0"), int(line[14]))
        for line in logged
    )
    columns = ("client_port", "url_original", "network_protocol_version", "response_size")
    assert sorted(frame.select(columns).rows()) == expected
    assert balanced(made.sums)
    before, _ = plainly(SAMPLES / f"{name}.pcap")
    per_connection = [
        each.group_by("client_port")
        .agg(pl.col("client_wire_bytes", "server_wire_bytes").sum())
        .sort("client_port")
        for each in (before, frame)
    ]
    assert per_connection[0].equals(per_connection[1])


@needs_tshark
def test_secrets_inside_of_a_pcapng_need_no_key_log(tmp_path):
    secrets = (SAMPLES / "tls13.keylog").read_bytes()
    path = tmp_path / "own-secrets.pcapng"
    parts = [section(), interface()]
    parts.append(block(10, struct.pack("<II", 0x544C534B, len(secrets)) + secrets))
    parts += [enhanced(time, octets) for time, octets in _packets("tls13")]
    path.write_bytes(b"".join(parts))
    frame, _ = keyed(path, None)
    assert frame["response_size"].to_list() == [line["bytes_sent"] for line in truth("tls13")]


def _packets(name):
    """(µs, octets) of a sample."""
    data, place, found = (SAMPLES / f"{name}.pcap").read_bytes(), 24, []
    while place < len(data):
        seconds, micro, captured, _ = struct.unpack_from("<IIII", data, place)
        place += 16
        found.append((seconds * 1_000_000 + micro, data[place : place + captured]))
        place += captured
    return found


def _written(path, packets):
    parts = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1)]
    for time, octets in packets:
        parts.append(struct.pack("<IIII", *divmod(time, 1_000_000), len(octets), len(octets)))
        parts.append(octets)
    path.write_bytes(b"".join(parts))
    return path


def _from_port(packets, port):
    """The same connection from another port of the client, and by that later."""
    changed = []
    for time, octets in packets:
        source, destination = struct.unpack_from(">HH", octets, PORTS)
        ports = (port, destination) if destination == 8443 else (source, port)
        changed.append((time + port * 10**9, octets[:PORTS] + struct.pack(">HH", *ports) + octets[PORTS + 4 :]))  # fmt: skip
    return changed


@needs_tshark
def test_only_what_was_opened_wholly_is_replaced(tmp_path):
    session = _packets("tls13")
    second = 17  # the packet with the second response
    variants = {
        50001: session,
        50002: [*session[: second + 1], session[second], *session[second + 1 :]],
        50003: [session[at] for at in (*range(9), 10, 9, *range(11, len(session)))],
        50004: [packet for at, packet in enumerate(session) if at != second],
        50005: [packet for at, packet in enumerate(session) if at != 3],
        50006: session[9:],
        50007: session[:13],
    }
    packets = [packet for port, each in variants.items() for packet in _from_port(each, port)]
    path = _written(tmp_path / "variants.pcap", packets)
    frame, made = keyed(path, SAMPLES / "tls13.keylog")
    before, sums = plainly(path)
    kinds = dict(
        frame.group_by("client_port").agg(pl.col("exchange_kind").cast(pl.String)).iter_rows()
    )
    whole, sent_twice, overtaken, lost, no_hello, midstream, cut = (kinds[p] for p in variants)
    assert whole == sent_twice == overtaken == ["http"] * 3
    assert cut == ["http"]
    assert frame.filter(pl.col("client_port") == 50007)["complete"].to_list() == [False]
    assert lost == no_hello == midstream == ["tls"]
    for port in (50004, 50005, 50006):
        same = [each.filter(pl.col("client_port") == port) for each in (before, frame)]
        assert same[0].equals(same[1])
    assert wire(frame) == wire(before)
    assert balanced(made.sums)
    assert made.sums.wire_bytes == sums.wire_bytes
    assert (made.sums.closed, made.sums.opened) == (7, 4)


@needs_tshark
def test_quic_whose_packets_come_twice_or_overtake_or_are_lost(tmp_path):
    session = _packets("quic-h3")
    shuffled = [session[at] for at in (*range(8), 9, 8, 8, *range(10, len(session)))]
    opened_still, _ = keyed(
        _written(tmp_path / "shuffled.pcap", shuffled), SAMPLES / "quic-h3.keylog"
    )
    assert opened_still["response_body_size"].to_list() == [1535, 2000, 36]
    lost = _written(tmp_path / "lost.pcap", session[:8] + session[9:])
    frame, made = keyed(lost, SAMPLES / "quic-h3.keylog")
    assert frame.equals(plainly(lost)[0])
    assert balanced(made.sums)


@needs_tshark
def test_the_keys_of_another_session_open_nothing(tmp_path):
    frame, made = keyed(SAMPLES / "tls13.pcap", SAMPLES / "tls12.keylog")
    assert frame.equals(plainly(SAMPLES / "tls13.pcap")[0])
    assert made.problem is None
    assert (made.sums.closed, made.sums.opened) == (frame.height, 0)


@needs_tshark
def test_a_file_cut_short_keeps_what_was_not_seen_whole(tmp_path):
    path = tmp_path / "cut.pcap"
    path.write_bytes((SAMPLES / "tls13.pcap").read_bytes()[:-1000])
    frame, made = keyed(path, SAMPLES / "tls13.keylog")
    assert "cut short" in made.problem
    assert "tshark ended with status" in made.problem
    assert "Running as" not in made.problem
    assert wire(frame) == wire(plainly(path)[0])
    assert balanced(made.sums)


@needs_tshark
def test_reading_may_stop_early():
    found = opened(str(SAMPLES / "tls13.pcap"), SAMPLES / "tls13.keylog")
    assert next(found).connection.server == ("192.0.2.80", 8443)
    found.close()


# What a user is told


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Put a script in tshark's place: its answer to -v, and then what it does."""

    def put(version, then="exit 0"):
        path = tmp_path / "bin" / "tshark"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f'#!/bin/sh\n[ "$1" = -v ] && {{ echo "{version}"; exit 0; }}\n{then}\n')
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{path.parent}:/usr/bin:/bin")

    return put


def test_the_version_is_told(program):
    program("TShark (Wireshark) 4.2.2 (Git v4.2.2).")
    assert available() == "4.2.2"


def test_an_old_tshark_is_refused(program):
    program("TShark (Wireshark) 3.6.14 (Git v3.6.14).")
    with pytest.raises(UsageError, match=r"3\.6\.14 is older than 4\.0; try: apt-get install"):
        available()


def test_a_program_that_is_no_tshark_is_refused(program):
    program("hello")
    with pytest.raises(UsageError, match="does not say its version"):
        available()


def test_a_missing_tshark_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pyshark.tshark.tshark.get_config", lambda: None)
    with pytest.raises(UsageError, match="tshark, which is not found; try: apt-get install tshark"):
        available()


def test_a_missing_key_log_is_told(program, tmp_path):
    program("TShark (Wireshark) 4.2.2 (Git v4.2.2).")
    with pytest.raises(UsageError, match="no such file of TLS keys"):
        Reading(SAMPLES / "tls13.pcap", tmp_path / "none.keylog")


@pytest.mark.parametrize(
    ("does", "said"),
    [
        ("kill -9 $$", "tshark was killed by signal 9"),
        ("echo 'tshark: it is broken' >&2; exit 3", "ended with status 3.*: it is broken"),
        ("echo something else", "tshark's output is not understood: 1 fields"),
    ],
)
def test_a_tshark_that_fails_leaves_the_records_as_they_are(program, does, said):
    program("TShark (Wireshark) 4.2.2 (Git v4.2.2).", does)
    frame, made = keyed(SAMPLES / "tls13.pcap", SAMPLES / "tls13.keylog")
    assert frame.equals(plainly(SAMPLES / "tls13.pcap")[0])
    assert made.problem is not None
    assert pl.Series([made.problem]).str.contains(said).all()


# Lines, connections and rows


def line(**said):
    return "\t".join(said.get(name.replace(".", "_"), "") for name in FIELDS).encode() + b"\n"


BASE = {"frame_number": "7", "frame_time_epoch": "1700000000.000001000", "ip_src": "192.0.2.10", "ip_dst": "192.0.2.80"}  # fmt: skip


def test_a_line_with_two_tls_records():
    packet = parse(line(**BASE, tcp_stream="3", tcp_srcport="40000", tcp_dstport="443", tcp_flags="0x0018", tls_record_content_type="22,23", tls_record_length="100,20", tls_handshake_type="1", data_data="4745"))  # fmt: skip
    assert packet == Packet(
        "tcp", 3, ("192.0.2.10", 40000), ("192.0.2.80", 443), Moment(1_700_000_000_000_001_000, 7),
        130, True, hello=True, plain=(b"GE",),
    )  # fmt: skip


@pytest.mark.parametrize(("kinds", "data"), [("23", ""), ("", ""), ("23,23", "00"), ("22", "00")])
def test_a_record_that_stays_closed_is_noticed(kinds, data):
    count = max(kinds.count(",") + 1, 1)
    packet = parse(line(**BASE, tcp_stream="3", tcp_srcport="1", tcp_dstport="2", tls_record_content_type=kinds, tls_record_length=",".join(["9"] * count), data_data=data))  # fmt: skip
    assert not packet.opened


def test_a_line_with_stream_frames_of_quic():
    packet = parse(line(**BASE, udp_stream="0", udp_srcport="9", udp_dstport="443", udp_length="60", quic_connection_number="0,0", quic_stream_stream_id="0,4,8", quic_stream_off="1,0,True", quic_stream_offset="5,6", quic_stream_fin="1,0,False", quic_stream_data="aa,<MISSING>,bbcc"))  # fmt: skip
    assert packet.octets == 52
    assert packet.opened
    assert packet.stretches == (Stretch(0, 0, 5, b"\xaa", True), Stretch(0, 4, 0, b"", False), Stretch(0, 8, 6, b"\xbb\xcc", False))  # fmt: skip


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(["", "1", "0x02", "1,2", "zz", "1.5", "::1"]), min_size=len(FIELDS), max_size=len(FIELDS)))  # fmt: skip
def test_a_line_is_a_packet_or_an_error_of_ours(values):
    try:
        packet = parse("\t".join(values).encode())
    except FieldsError:
        return
    assert isinstance(packet, Packet)


def test_a_closed_connection_without_tls_is_passed_over():
    ends = ("192.0.2.10", 40000), ("192.0.2.80", 443)
    syn = Packet("tcp", 0, *ends, Moment(0, 1), 0, True, syn=True)
    assert list(connections([syn, syn._replace(syn=False, fin=True)])) == []


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.integers(0, 1 << 40), st.lists(st.integers(0, 1 << 20), min_size=1, max_size=8))
def test_shares_add_up_and_are_within_one_of_the_exact_part(whole, weights):
    parts = shares(whole, weights)
    assert sum(parts) == whole
    total = sum(weights)
    if total:
        assert all(
            abs(part * total - whole * weight) < total
            for part, weight in zip(parts, weights, strict=True)
        )
    else:
        assert parts[1:] == [0] * (len(weights) - 1)


ROW = {
    "exchange_kind": "tls", "client_address": "192.0.2.10", "client_port": 40000, "server_port": 443,
    "server_address": "example.org", "tls_version": "TLSv1.3", "tls_server_name": "example.org",
    "tls_fingerprint": "t13", "request_size": 500, "response_size": 900, "missing_bytes": 0,
    "client_wire_bytes": 1001, "server_wire_bytes": 2000, "forwarded_for": None,
}  # fmt: skip


def one(**changed):
    at = Moment(1_700_000_000_000_000_000, 1)
    exchange = Exchange(method="GET", request_start=at, request_end=at, request_size=100)
    defaults = {"whole": True, "octets": [500, 900], "exchanges": [exchange], "overhead": 0,
                "remainder": [0, 0], "tunnel": [0, 0], "tunnel_from": None}  # fmt: skip
    who = Connection(("192.0.2.10", 40000), ("192.0.2.80", 443), "tcp", 0)
    return Opened(who, at, at, **{**defaults, **changed})


@pytest.mark.parametrize(
    ("row", "changed", "expected"),
    [
        ({}, {}, True),
        ({}, {"whole": False}, False),
        ({}, {"exchanges": []}, False),
        ({"missing_bytes": 1}, {}, False),
        ({}, {"octets": [501, 900]}, False),  # seen twice
        ({"response_size": 900 + 18437}, {}, True),  # one TLS record cut short at the end
        ({"response_size": 900 + 18438}, {}, False),
        ({"exchange_kind": "quic", "response_size": 901}, {}, False),
    ],
)
def test_what_is_replaced(row, changed, expected):
    assert fits(ROW | row, one(**changed)) is expected


def test_a_tunnel_and_a_remainder_have_their_rows_and_their_share():
    at = Moment(1_700_000_001_000_000_000, 5)
    rows = exchanges(ROW, one(tunnel=[200, 10], tunnel_from=at, remainder=[100, 0]))
    assert [row["exchange_kind"] for row in rows] == ["http", "tunnel", "remainder"]
    assert [row["client_wire_bytes"] for row in rows] == [250, 501, 250]
    assert [row["server_wire_bytes"] for row in rows] == [0, 2000, 0]
    assert {row["server_address"] for row in rows} == {"example.org"}
    assert balanced(Sums())
