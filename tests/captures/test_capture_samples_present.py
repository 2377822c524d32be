"""The sample captures are there, small, beside their truth, and tshark counts what the servers logged."""

import gzip
import json
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PCAPS = ROOT / "sample_pcaps"
sys.path.insert(0, str(ROOT / "scripts"))

from captures import making, pcapfile, table  # noqa: E402
from captures.registry import ALL  # noqa: E402
from captures.wire import payload_length  # noqa: E402

assert making.MODULES  # they fill the registry

LIMIT = 5_000_000  # octets a capture
COLUMNS = [
    "server", "time", "remote_addr", "remote_port", "server_addr", "server_port", "method",
    "request_uri", "server_protocol", "status", "bytes_sent", "body_bytes_sent",
    "request_length", "host", "user_agent", "connection", "connection_requests", "completion",
]  # fmt: skip
# Whole exchanges of HTTP/1.1 in clear, so tshark must find one final response for each line.
EQUAL = [
    "keep-alive", "chunked", "head-304-204", "range-206", "expect-100-continue", "bad-request",
    "close-delimited-http10", "loss-and-reordering", "retransmission-and-zero-window",
    "port-reuse", "interleaved", "ipv6", "vlan", "gre", "vxlan", "fragments", "big-segments",
    "sll2", "nanoseconds", "pcapng-two-interfaces", "websocket-upgrade", "snapped-512",
]  # fmt: skip
# What the capture lacks, tshark cannot count.
FEWER = [
    "aborted-download", "lost-in-capture", "midstream", "truncated-file", "one-sided-requests",
    "http09", "tls12", "tls13", "quic-h3",
]  # fmt: skip
SECRETS = {
    "tls12": b"CLIENT_RANDOM",
    "tls13": b"SECRET",
    "quic-h3": b"SECRET",
    "proxy-protocol": b"SECRET",
}


def truth(name: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in (PCAPS / f"{name}.truth.jsonl").read_text().splitlines()]


def final_responses(path: Path) -> int:
    command = ["tshark", "-r", str(path), "-Y", "http.response", "-T", "fields"]
    command += ["-e", "http.response.code"]
    told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30).stdout
    codes = told.replace(",", "\n").split()
    return sum(code == "101" or not code.startswith("1") for code in codes)


@pytest.mark.parametrize("name", ALL)
def test_capture_is_small_and_has_its_truth(name):
    rows = truth(name)
    assert rows
    assert all(list(row) == COLUMNS for row in rows)
    assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)
    for path in table.files(PCAPS, name):
        assert path.stat().st_size < LIMIT
        assert table.packets(table.content(path)) > 0


def test_every_file_belongs_to_a_capture_of_the_registry():
    known = {path.name for name in ALL for path in table.files(PCAPS, name)}
    known |= {f"{name}.pcap" for name in table.SESSIONS}
    assert {path.name for path in PCAPS.glob("*.pcap*")} == known
    truths = {path.name.removesuffix(".truth.jsonl") for path in PCAPS.glob("*.truth.jsonl")}
    assert truths == set(ALL)


def test_table_is_fresh():
    assert (PCAPS / "README.md").read_text() == table.page(PCAPS)


@pytest.mark.parametrize("name", SECRETS)
def test_encrypted_capture_has_its_secrets(name):
    assert SECRETS[name] in (PCAPS / f"{name}.keylog").read_bytes()


def test_edited_captures_differ_from_whole_ones_as_they_say():
    _, server_only = pcapfile.read(PCAPS / "one-sided.pcap")
    assert all(pcapfile.from_server(packet) for packet in server_only)
    _, client_only = pcapfile.read(PCAPS / "one-sided-requests.pcap")
    assert not any(pcapfile.from_server(packet) for packet in client_only)
    for name, snap in (("snapped", 96), ("snapped-512", 512)):
        _, packets = pcapfile.read(PCAPS / f"{name}.pcap")
        assert max(pcapfile.length(packet) for packet in packets) == snap
    data = (PCAPS / "truncated-file.pcap").read_bytes()
    _, packets = pcapfile.read(PCAPS / "truncated-file.pcap")
    assert len(pcapfile.frame(packets[-1])) < pcapfile.length(packets[-1])
    assert table.packets(data) == len(packets) - 1


def frames(name: str) -> list[bytes]:
    return [pcapfile.frame(packet) for packet in pcapfile.read(PCAPS / f"{name}.pcap")[1]]


def tcp(frame: bytes) -> tuple[int, int, int, int]:
    """Source port, sequence number, flags and window of a frame with Ethernet, IPv4 and TCP."""
    port, _, sequence, _, _, flags, window = struct.unpack_from("!HHIIBBH", frame, 34)
    return port, sequence, flags, window


def overtaken(name: str) -> bool:
    """Whether a segment with payload from the server came after a later one of its connection."""
    highest: dict[bytes, int] = {}
    found = False
    for frame in frames(name):
        if payload_length(frame) and frame[26:30] == pcapfile.SERVER_ADDRESS:
            ports, sequence = frame[34:38], tcp(frame)[1]
            found = found or sequence < highest.get(ports, 0)
            highest[ports] = max(sequence, highest.get(ports, 0))
    return found


SYN, RST = 2, 4
SHOWN = {
    "vlan": lambda: all(frame[12:14] == b"\x81\x00" for frame in frames("vlan")),
    "gre": lambda: all(frame[23] == 47 for frame in frames("gre")),
    "vxlan": lambda: all(frame[36:38] == b"\x12\xb5" for frame in frames("vxlan")),  # port 4789
    "ipv6": lambda: all(frame[12:14] == b"\x86\xdd" for frame in frames("ipv6")),
    "fragments": lambda: any(frame[20] & 0x20 for frame in frames("fragments")),  # MF
    "big-segments": lambda: max(map(len, frames("big-segments"))) > 10_000,
    "sll2": lambda: pcapfile.read(PCAPS / "sll2.pcap")[0][20:22] == b"\x14\x01",  # 276
    "nanoseconds": lambda: (
        gzip.decompress((PCAPS / "nanoseconds.pcap.gz").read_bytes())[:4] == b"\x4d\x3c\xb2\xa1"
    ),
    "loss-and-reordering": lambda: overtaken("loss-and-reordering"),
    "retransmission-and-zero-window": lambda: (
        overtaken("retransmission-and-zero-window")
        and any(
            tcp(frame)[3] == 0 and not tcp(frame)[2] & RST
            for frame in frames("retransmission-and-zero-window")
        )
    ),
    "port-reuse": lambda: (
        [tcp(frame)[0] for frame in frames("port-reuse") if tcp(frame)[2] == SYN] == [40000] * 2
    ),
    "midstream": lambda: not any(tcp(frame)[2] & SYN for frame in frames("midstream")),
    "aborted-download": lambda: any(tcp(frame)[2] & RST for frame in frames("aborted-download")),
    "pipelining": lambda: any(frame.count(b"HTTP/1.1\r\n") == 4 for frame in frames("pipelining")),
    "h2c-upgrade": lambda: any(b"101 Switching" in frame for frame in frames("h2c-upgrade")),
    "h2c-prior-knowledge": lambda: any(
        b"PRI * HTTP/2.0" in frame for frame in frames("h2c-prior-knowledge")
    ),
    "connect-tunnel": lambda: (
        {(row["server"], row["status"]) for row in truth("connect-tunnel")}
        == {("nginx", 200), ("squid", 200), ("squid", 503)}
    ),
}


@pytest.mark.parametrize("name", SHOWN)
def test_capture_shows_its_phenomenon(name):
    assert SHOWN[name]()


@pytest.mark.skipif(not shutil.which("tshark"), reason="tshark is not installed")
@pytest.mark.parametrize("name", EQUAL)
def test_tshark_finds_a_response_for_each_line_of_the_truth(name):
    assert final_responses(table.files(PCAPS, name)[0]) == len(truth(name))


@pytest.mark.skipif(not shutil.which("tshark"), reason="tshark is not installed")
@pytest.mark.parametrize("name", FEWER)
def test_tshark_finds_fewer_responses_where_the_capture_lacks_them(name):
    assert final_responses(table.files(PCAPS, name)[0]) < len(truth(name))
