"""Every packet of a capture, whatever its container, byte order, unit of time and pieces."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import packets
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l7meter.captures import containers
from l7meter.captures.containers import NO_TIME, Container, is_capture

SAMPLE = Path(__file__).parents[2] / "sample_pcaps" / "nginx-curl-tls-session.pcap"
T = packets.START
THREE = [(T, b"one"), (T + 1_001_000, b"second", 60), (T + 2_000_000, b"")]

Row = tuple[int, bytes, int, int]  # ns, octets captured, octets on the wire, link type


def rows(data: bytes, piece: int = 1 << 20, size: int = 32 << 20) -> tuple[list[Row], Container]:
    container = Container((data[at : at + piece] for at in range(0, len(data), piece)), size)
    found: list[Row] = []
    for window in container.windows():
        assert window.number == len(found) + 1
        for at in range(len(window.start)):
            start, captured = int(window.start[at]), int(window.captured[at])
            octets = window.octets(start, captured)
            assert len(octets) == captured
            found.append((int(window.time[at]), octets, int(window.length[at]), window.link[at]))
    assert container.packets == len(found)
    return found, container


def expected(link: int = 1) -> list[Row]:
    return [(time, octets, (rest or [len(octets)])[0], link) for time, octets, *rest in THREE]


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("ns", [False, True])
def test_pcap_of_both_byte_orders_and_units(big: bool, ns: bool) -> None:
    found, container = rows(packets.pcap(THREE, link=101, ns=ns, big=big, snap=96))
    assert found == expected(101)
    assert (container.problem, container.snap, container.dropped) == (None, 96, None)


def test_pcap_modified_has_longer_headers() -> None:
    assert rows(packets.pcap(THREE, modified=True))[0] == expected()


def test_pcap_link_type_with_the_length_of_the_frame_check() -> None:
    found, _ = rows(packets.pcap(THREE, link=0x2400_0001))
    assert found == expected(1)


@pytest.mark.parametrize(("size", "most"), [(100, 10_000), (1000, 50_000)])
def test_windows_grow_to_so_many_octets_or_packets(
    size: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(containers, "FIRST", 4000)
    monkeypatch.setattr(containers, "PACKETS", 100)
    octets = packets.pcap([(T, bytes(size - 16))] * (400_000 // size))
    pieces = (octets[at : at + 500] for at in range(0, len(octets), 500))
    taken = [len(window.data) for window in Container(pieces, 50_000).windows()]
    assert taken[0] == 4000
    assert taken[1] == pytest.approx(min(16_000, most), abs=size + 500)
    assert max(taken) == pytest.approx(most, abs=size + 500)


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("ns", [False, True])
def test_pcapng_of_both_byte_orders_and_units(big: bool, ns: bool) -> None:
    found, container = rows(packets.pcapng(THREE, link=276, ns=ns, big=big))
    assert found == expected(276)
    assert container.problem is None


def test_pcapng_sections_each_of_their_own_order_and_interfaces() -> None:
    data = (
        packets.pcapng(THREE, link=1)
        + packets.section(big=True)
        + packets.interface(113, big=True)
        + packets.interface(101, options=packets.option(9, b"\x09", big=True), big=True)
        + packets.enhanced(T, b"b", number=1, big=True)
        + packets.enhanced(T // 1000, b"a", number=0, big=True)
    )
    assert rows(data)[0] == [*expected(), (T, b"b", 1, 101), (T, b"a", 1, 113)]


@pytest.mark.parametrize(
    ("resolution", "ticks", "ns"),
    [
        (0, 1_700_000_000, T),
        (3, 1_700_000_000_123, T + 123_000_000),
        (9, T + 7, T + 7),
        (12, 17_000_000_000_000_009_999, 17_000_000_000_000_009),
        (127, 1 << 60, 0),
        (0x80, 1_700_000_000, T),
        (0x80 | 20, (1_700_000_000 << 20) + 1, T + 953),
        (0x80 | 33, (1_700_000_000 << 33) + (1 << 32), T + 500_000_000),
        (0x80 | 63, 3 << 62, 1_500_000_000),
    ],
)
def test_pcapng_times_are_exact_in_every_unit(resolution: int, ticks: int, ns: int) -> None:
    head = packets.section() + packets.interface(options=packets.option(9, bytes([resolution])))
    found, _ = rows(head + packets.enhanced(ticks, b"x"))
    assert found[0][0] == ns


def test_pcapng_offset_is_added_to_each_time() -> None:
    options = packets.option(14, struct.pack("<q", -3600))
    data = packets.section() + packets.interface(options=options)
    assert rows(data + packets.enhanced(T // 1000, b"x"))[0][0][0] == T - 3_600_000_000_000


def test_pcapng_simple_packets_are_cut_at_the_snap_length_and_have_no_time() -> None:
    simple = packets.block(3, struct.pack("<I", 9) + b"12345")
    data = packets.section() + packets.interface(101, snap=5) + simple
    found, container = rows(data)
    assert found == [(NO_TIME, b"12345", 9, 101)]
    assert container.snap == 5


def test_pcapng_old_packet_blocks() -> None:
    ticks = T // 1000
    fields = (1, 0, ticks >> 32, ticks & 0xFFFFFFFF, 3, 70)
    old = packets.block(2, struct.pack("<HHIIII", *fields) + b"old")
    data = packets.section() + packets.interface(1) + packets.interface(113) + old
    assert rows(data)[0] == [(T, b"old", 70, 113)]


def test_pcapng_secrets_drops_and_other_blocks() -> None:
    def statistics(*counts: tuple[int, int]) -> bytes:
        options = b"".join(packets.option(code, struct.pack("<Q", n)) for code, n in counts)
        return packets.block(5, struct.pack("<III", 0, 0, 0) + options)

    keys = b"CLIENT_RANDOM 00 11\n"
    data = (
        packets.pcapng(THREE)
        + packets.block(10, struct.pack("<II", 0x544C534B, len(keys)) + keys)
        + packets.block(10, struct.pack("<II", 0x57474B4C, 4) + b"wire")
        + packets.block(4, b"\0\0\0\0")
        + packets.block(0x80001234, b"whatever")
        + statistics((4, 100), (5, 3))
        + packets.enhanced(T, b"after")
        + statistics((4, 200), (5, 6), (7, 1))
    )
    found, container = rows(data)
    assert found == [*expected(), (T, b"after", 5, 1)]
    assert container.secrets == [keys]
    assert container.dropped == 7  # the later count of an interface holds the earlier one
    assert container.skipped == {
        "secrets that are no TLS key log": 1,
        "name resolution block": 1,
        "unknown block": 1,
    }


def test_a_capture_cut_short_delivers_every_whole_packet() -> None:
    for whole in (packets.pcap(THREE), packets.pcapng(THREE)):
        one = rows(whole)[0]
        for end in range(len(whole)):
            found, container = rows(whole[:end])
            assert found == one[: len(found)]
            assert container.problem is None or "cut short" in container.problem or not end
        assert len(found) == 2
        assert container.problem is not None


def test_left_over_octets_are_said_with_their_place() -> None:
    data = packets.pcap([(T, b"one")])
    assert rows(data + b"12345")[1].problem == (
        "the capture is cut short (or is still being written): 5 octets are left over "
        "at octet 43 (packets before: 1)"
    )


@pytest.mark.parametrize(
    ("data", "problem", "whole"),
    [
        (b"", "the capture is empty", 0),
        (b"GET / HTTP", "it is no packet capture: it starts with 47 45 54 20", 0),
        (
            packets.pcap([(T, b"one")]) + struct.pack("<IIII", 1, 1, 0xFFFFFFFF, 60) + b"x" * 99,
            "the packet at octet 43 (packets before: 1) claims 4294967295 captured octets, "
            "where 262144 is the most; what follows is not read",
            1,
        ),
        (
            packets.pcapng([(T, b"one")]) + packets.enhanced(T, b"two", number=1),
            "the block at octet 92 (packets before: 1) names the interface 1, which is not "
            "described; what follows is not read",
            1,
        ),
        (
            packets.pcapng([(T, b"one")])[:-4] + struct.pack("<I", 40) + packets.enhanced(T, b"x"),
            "the block at octet 56 (packets before: 0) has two lengths: 36 and 40; "
            "what follows is not read",
            0,
        ),
        (
            packets.pcapng([(T, b"one")]) + struct.pack("<II", 4, 13) + b"x" * 99,
            "the block at octet 92 (packets before: 1) claims 13 octets, which no block of kind 4 "
            "has; what follows is not read",
            1,
        ),
        (
            packets.pcapng([]) + packets.block(6, struct.pack("<IIIII", 0, 0, 0, 90, 90) + b"abc"),
            "the block at octet 56 (packets before: 0) claims 90 captured octets in 36; "
            "what follows is not read",
            0,
        ),
        (
            packets.block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 2, 0, -1)),
            "the block at octet 0 (packets before: 0) starts a section of version 2, which is not "
            "known; what follows is not read",
            0,
        ),
    ],
)
def test_broken_captures_say_where(data: bytes, problem: str, whole: int) -> None:
    for piece, size in ((1 << 20, 1 << 20), (1, 1)):
        found, container = rows(data, piece, size)
        assert container.problem == problem
        assert len(found) == whole


def test_kinds_are_told_from_four_octets() -> None:
    assert is_capture(packets.pcap([])[:4]) == "pcap"
    assert is_capture(packets.pcap([], big=True, ns=True)) == "pcap"
    assert is_capture(packets.pcapng([])[:4]) == "pcapng"
    assert is_capture(b"\x1f\x8b\x08\0") is None
    assert is_capture(b"\xd4\xc3") is None


def test_a_packet_longer_than_the_window() -> None:
    many = [(T, bytes([n]) * 20_000) for n in range(5)]
    assert [octets for _, octets, _, _ in rows(packets.pcap(many), 1000, 64)[0]] == [
        octets for _, octets in many
    ]


@given(st.data())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_pieces_and_windows_make_no_difference(data: st.DataObject) -> None:
    make = data.draw(st.sampled_from([packets.pcap, packets.pcapng]))
    made = make([(T + n, octets) for n, octets in enumerate(data.draw(st.lists(st.binary())))])
    whole, _ = rows(made)
    piece, size = data.draw(st.integers(1, 99)), data.draw(st.integers(1, 200))
    found, container = rows(made, piece, size)
    assert (found, container.problem) == (whole, None)


SEEDS = [
    packets.pcap(THREE),
    packets.pcap(THREE, modified=True),
    packets.pcapng(THREE) + packets.block(5, bytes(24)) + packets.pcapng(THREE, big=True),
]


@given(st.sampled_from(SEEDS), st.data(), st.integers(1, 50))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_hostile_octets_raise_nothing_and_tell_the_same(
    seed: bytes, data: st.DataObject, piece: int
) -> None:
    octets = bytearray(seed)
    for _ in range(data.draw(st.integers(1, 4))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    whole, one = rows(bytes(octets))
    found, container = rows(bytes(octets), piece, piece)
    assert (found, container.problem) == (whole, one.problem)


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
@pytest.mark.parametrize("kind", ["pcap", "nsecpcap", "modpcap", "pcapng", "sample"])
def test_tshark_sees_the_same_packets(kind: str, tmp_path: Path) -> None:
    path = SAMPLE
    if kind != "sample":
        source, path = path, tmp_path / "capture"
        subprocess.run(["editcap", "-s", "100", "-F", kind, source, path], check=True)
    fields = [f"-eframe.{name}" for name in ("time_epoch", "cap_len", "len")]
    command = ["tshark", "-n", "-r", str(path), "-T", "fields", *fields]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    theirs = []
    for line in output.splitlines():
        time, captured, length = line.split("\t")
        seconds, fraction = time.split(".")
        theirs.append((int(seconds) * 10**9 + int(fraction), int(captured), int(length)))
    found, container = rows(path.read_bytes())
    assert [(time, len(octets), length) for time, octets, length, _ in found] == theirs
    assert container.problem is None
