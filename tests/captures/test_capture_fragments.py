"""Datagrams in fragments: whole whatever their order, bounded whatever their number."""

from __future__ import annotations

import random
import shutil
import struct
import subprocess
from pathlib import Path

import packets
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packets import CLIENT, CLIENT6, SERVER, SERVER6, UDP

from l7meter.captures import fragments
from l7meter.captures.links import Datagram, Decoder

BODY = packets.udp(7, 8, bytes(range(250)) * 2)
FOUR = packets.ipv4_fragments(CLIENT, SERVER, UDP, BODY, 200)
SIX = packets.ipv6_fragments(CLIENT6, SERVER6, UDP, BODY, 200)
BOTH = pytest.mark.parametrize("parts", [FOUR, SIX], ids=["IPv4", "IPv6"])
PAYLOAD = FOUR[0][20:] + FOUR[1][20:] + FOUR[2][20:]
PAYLOAD6 = SIX[0][48:] + SIX[1][48:] + SIX[2][48:]


def decoded(parts: list[bytes], decoder: Decoder | None = None) -> list[Datagram]:
    decoder = decoder or Decoder()
    return [found for each in parts if (found := decoder.decode(101, each, len(each)))]


@BOTH
def test_fragments_in_any_order(parts: list[bytes]) -> None:
    for order in ((0, 1, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1)):
        (found,) = decoded([parts[at] for at in order])
        assert found.payload == (PAYLOAD if parts is FOUR else PAYLOAD6)
        assert (found.length, found.wire) == (len(BODY), sum(map(len, parts)))
        assert (found.packets, found.protocol, found.checksum_bad) == (3, UDP, False)


@BOTH
def test_a_repeated_fragment_is_counted_and_changes_nothing(parts: list[bytes]) -> None:
    decoder = Decoder()
    (found,) = decoded([parts[0], parts[0], parts[2], parts[2], parts[1]], decoder)
    assert not found.checksum_bad
    assert (found.packets, found.wire) == (3, sum(map(len, parts)))
    assert decoder.skipped == {"repeated fragment": 2}


@BOTH
def test_unfinished_datagrams_are_counted_at_the_end(parts: list[bytes]) -> None:
    decoder = Decoder()
    assert decoded([parts[0], parts[2]], decoder) == []
    assert (decoder.held, decoder.skipped) == (2, {})
    decoder.flush()
    assert (decoder.held, decoder.skipped) == (0, {fragments.UNFINISHED: 2})
    assert decoder.unfinished_octets == len(parts[0]) + len(parts[2])


def test_datagrams_of_other_numbers_and_hosts_do_not_mix() -> None:
    other = packets.ipv4_fragments(CLIENT, SERVER, UDP, BODY, 200, ident=2)
    back = packets.ipv4_fragments(SERVER, CLIENT, UDP, BODY, 200)
    mixed = [part for three in zip(FOUR, other, back, strict=True) for part in three]
    found = decoded(mixed)
    assert [each.checksum_bad for each in found] == [False] * 3
    assert [each.packets for each in found] == [3] * 3


def test_overlapping_ipv4_fragments_the_first_wins() -> None:
    late = packets.ipv4(CLIENT, SERVER, UDP, b"x" * 208, offset=192, more=True)
    (found,) = decoded([FOUR[0], late, FOUR[2]])
    assert found.payload == PAYLOAD[:200] + b"x" * 200 + PAYLOAD[400:]
    assert found.checksum_bad


def test_overlapping_ipv6_fragments_are_no_datagram() -> None:
    late = packets.ipv6(
        CLIENT6,
        SERVER6,
        UDP,
        b"x" * 208,
        headers=[(44, struct.pack(">BHI", 0, 192 | 1, 1))],
        fill=False,
    )
    decoder = Decoder()
    assert decoded([SIX[0], late, SIX[1], SIX[2]], decoder) == []
    assert decoder.skipped == {fragments.UNFINISHED: 1, "overlapping IPv6 fragment": 3}


@pytest.mark.parametrize(
    ("last", "said"),
    [
        (packets.ipv4(CLIENT, SERVER, UDP, b"12345678", offset=65_528), "beyond the longest"),
        (packets.ipv4(CLIENT, SERVER, UDP, b"1234", offset=400, more=True), "uneven length"),
        (packets.ipv4(CLIENT, SERVER, UDP, b"1234", offset=160), "at odds with the others"),
    ],
)
def test_impossible_fragments_are_counted(last: bytes, said: str) -> None:
    decoder = Decoder()
    decoded([FOUR[0], FOUR[1], last], decoder)
    (only,) = decoder.skipped
    assert said in only
    assert decoder.held == 2


def test_fragments_beyond_the_known_end_are_counted() -> None:
    decoder = Decoder()
    beyond = packets.ipv4(CLIENT, SERVER, UDP, bytes(8), offset=800, more=True)
    found = decoded([FOUR[2], beyond, FOUR[0], FOUR[1]], decoder)
    assert [each.checksum_bad for each in found] == [False]
    assert decoder.skipped == {"fragment at odds with the others": 1}


def test_snapped_fragments_give_what_was_captured_without_a_gap() -> None:
    decoder = Decoder()
    decoder.decode(101, FOUR[0], len(FOUR[0]))
    decoder.decode(101, FOUR[1][:120], len(FOUR[1]))
    found = decoder.decode(101, FOUR[2], len(FOUR[2]))
    assert found is not None
    assert (found.payload, found.length) == (PAYLOAD[:300], len(BODY))
    assert not found.checksum_bad


def test_headers_behind_the_fragment_header_are_taken_off() -> None:
    summed = packets.with_checksum(CLIENT6, SERVER6, UDP, BODY)
    inner = bytes([UDP, 0]) + bytes(6) + summed  # a destination options header in front

    def part(start: int, end: int) -> bytes:
        field = start | (end < len(inner))
        header = (44, struct.pack(">BHI", 0, field, 9))
        return packets.ipv6(CLIENT6, SERVER6, 60, inner[start:end], headers=[header], fill=False)

    (found,) = decoded([part(0, 96), part(96, len(inner))])
    assert (found.protocol, found.payload, found.checksum_bad) == (UDP, summed, False)


def test_a_tunnel_in_fragments_and_fragments_in_a_tunnel() -> None:
    plain = packets.ipv4(CLIENT, SERVER, UDP, BODY)
    gre = b"\0\0\x08\0"
    ends = ("198.51.100.1", "198.51.100.2", packets.GRE)
    (outside,) = decoded(packets.ipv4_fragments(*ends, gre + plain, 200))
    (inside,) = decoded([packets.ipv4(*ends, gre + part) for part in FOUR])
    assert outside.payload == inside.payload == PAYLOAD
    assert (outside.packets, outside.wire, outside.overhead) == (3, len(plain), 3 * 20 + 4)
    assert (inside.packets, inside.wire, inside.overhead) == (3, sum(map(len, FOUR)), 3 * 24)


def test_the_oldest_unfinished_datagrams_go_first() -> None:
    decoder = Decoder()
    first = [
        packets.ipv4(CLIENT, SERVER, UDP, bytes(8), ident=ident, more=True)
        for ident in range(fragments.DATAGRAMS + 3)
    ]
    decoded(first, decoder)
    assert decoder.held == fragments.DATAGRAMS
    assert decoder.skipped == {fragments.UNFINISHED: 3}


def test_held_octets_are_bounded() -> None:
    decoder = Decoder()
    large = packets.ipv4(CLIENT, SERVER, UDP, bytes(65_000), more=True)
    count = fragments.OCTETS // 65_000 + 10
    decoded([large[:4] + struct.pack(">H", ident) + large[6:] for ident in range(count)], decoder)
    assert decoder.held == fragments.OCTETS // (65_000 + fragments.PIECE)
    assert decoder.held + decoder.skipped.total() == count


@given(st.binary(min_size=1, max_size=600), st.integers(1, 20), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_shuffled_and_repeated_fragments_give_the_datagram_once(
    body: bytes, eighths: int, chance: random.Random
) -> None:
    payload = packets.udp(1, 2, body)
    decoder = Decoder()
    for fragmented, ends in (
        (packets.ipv4_fragments, (CLIENT, SERVER)),
        (packets.ipv6_fragments, (CLIENT6, SERVER6)),
    ):
        parts = fragmented(*ends, UDP, payload, eighths * 8)
        *most, last = chance.sample(parts, len(parts))
        repeated = most + chance.choices(most, k=3) if most else []
        (found,) = decoded([*chance.sample(repeated, len(repeated)), last], decoder)
        assert found.payload[8:] == body
        assert (found.packets, found.checksum_bad) == (len(parts), False)
    assert decoder.held == 0


@given(st.data())
@settings(max_examples=150, deadline=None, derandomize=True)
def test_hostile_fragments_are_counted_once(data: st.DataObject) -> None:
    part = st.tuples(st.booleans(), st.integers(0, 12), st.booleans(), st.integers(0, 40))
    decoder, counted = Decoder(), 0
    hostile = data.draw(st.lists(part, max_size=40))
    for six, eighth, more, size in hostile:
        if six:
            header = (44, struct.pack(">BHI", 0, eighth * 8 | more, 1))
            octets = packets.ipv6(CLIENT6, SERVER6, UDP, bytes(size), headers=[header], fill=False)
        else:
            octets = packets.ipv4(CLIENT, SERVER, UDP, bytes(size), offset=eighth * 8, more=more)
        found = decoder.decode(101, octets, len(octets))
        if found:
            counted += found.packets
            assert len(found.payload) == found.length
    assert counted + decoder.held + decoder.skipped.total() == len(hostile)
    decoder.flush()
    assert counted + decoder.skipped.total() == len(hostile)
    assert decoder._fragments._cost == 0


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_tshark_puts_the_same_datagrams_together(tmp_path: Path) -> None:
    parts = [*FOUR[::-1], *SIX[::-1]]
    path = tmp_path / "capture"
    path.write_bytes(packets.pcap([(packets.START, each) for each in parts], link=101))
    command = ["tshark", "-n", "-r", str(path), "-o", "udp.check_checksum:TRUE", "-T", "fields"]
    command += ["-Y", "udp", "-e", "udp.payload", "-e", "udp.checksum.status"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    ours = [f"{each.payload[8:].hex()}\t{1 - each.checksum_bad}" for each in decoded(parts)]
    assert output.splitlines() == ours
