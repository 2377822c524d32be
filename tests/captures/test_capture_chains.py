"""Records found from many places at once are those found one after the other."""

from __future__ import annotations

import struct

import packets
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l7meter.captures import chains, pcap, pcapng
from l7meter.captures.window import LONGEST, Walk

PACKETS = st.lists(st.sampled_from([0, 20, 60, 60, 300, -1, -2]), min_size=1, max_size=120)


def content(size: int, order: str) -> bytes:
    """So many octets; below 0: such as look like records, aligned with them or not."""
    if size >= 0:
        return bytes(size)
    record = struct.pack(order + "IIII", packets.START // 10**9, 7, 16, 16) + bytes(16)
    return bytes(-size - 1) + record * 5


@settings(max_examples=200, deadline=None, derandomize=True)
@given(PACKETS, st.integers(0, 60), st.booleans(), st.booleans(), st.booleans())
def test_records_are_found_from_many_places(
    sizes: list[int], cut: int, big: bool, ns: bool, broken: bool
) -> None:
    order = ">" if big else "<"
    sent = [(packets.START + place, content(size, order)) for place, size in enumerate(sizes)]
    octets = packets.pcap(sent, big=big, ns=ns)
    if broken:
        octets += struct.pack(order + "IIII", packets.START // 10**9, 7, LONGEST + 1, LONGEST + 1)
        octets += packets.pcap(sent, big=big, ns=ns)[pcap.HEADER :]
    data = memoryview(octets[: max(len(octets) - cut, pcap.HEADER)])
    walks = []
    for part, few in ((200, 0), (200, 2), (1 << 20, 2)):  # the last has one chain alone
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pcap, "PART", part)
            patch.setattr(pcap, "LOOK", 150)
            patch.setattr(chains, "FEW", few)
            walks.append(pcap.Pcap(data).walk(data, pcap.HEADER))
    for walk in walks[:2]:
        alike(walk, walks[2])


BLOCKS = st.lists(
    st.sampled_from(
        ["packet"] * 12
        + ["blocks", "aside", "names", "simple", "two lengths", "long", "short", "odd"]
    ),
    min_size=1,
    max_size=60,
)


def block(kind: str, order: bool) -> bytes:
    """A block of pcapng; `blocks` and `aside` hold what looks like some, aligned with them or not."""
    inner = packets.enhanced(packets.START, b"inside", big=order) * 3
    if kind == "names":
        return packets.block(pcapng.NAMES, bytes(4), order)
    if kind == "simple":
        return packets.block(pcapng.SIMPLE, bytes(20), order)
    if kind == "short":
        return packets.block(pcapng.ENHANCED, bytes(16), order)
    made = packets.enhanced(packets.START, {"blocks": inner, "aside": b"?" + inner}.get(kind, b"x" * 30), big=order)  # fmt: skip
    if kind == "two lengths":
        return made[:-4] + bytes(4)
    size = {"long": 0xFFFFFFFC, "odd": len(made) + 1}.get(kind, len(made))
    return made[:4] + size.to_bytes(4, "big" if order else "little") + made[8:]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(BLOCKS, st.integers(0, 60), st.integers(0, 3), st.booleans())
def test_blocks_are_found_from_many_places(
    kinds: list[str], cut: int, ahead: int, big: bool
) -> None:
    octets = bytes(ahead) + packets.section(big) + packets.interface(1, big=big)
    octets += b"".join(block(kind, big) for kind in kinds)
    data = memoryview(octets)[: len(octets) - cut]
    walks = []
    for few, stretch in (
        (1, 64),
        (2, 300),
        (3, 1 << 20),
        (1 << 20, 1),
    ):  # the last takes each alone
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pcapng, "FEW", few)
            patch.setattr(pcapng, "STRETCH", stretch)
            walks.append(pcapng.Pcapng().walk(data, ahead))
    for walk in walks[:3]:
        alike(walk, walks[3])


def alike(one: Walk, other: Walk) -> None:
    assert (one.end, one.broken) == (other.end, other.broken)
    for column, expected in zip(one[:5], other[:5], strict=True):
        assert column.tolist() == expected.tolist()


def test_many_blocks_are_found_at_once() -> None:
    """Else the other test would compare the same walk with itself."""
    octets = memoryview(packets.pcapng([(packets.START, bytes(1000))] * 2000))
    first = octets.obj.index(pcapng.ENHANCED.to_bytes(4, "little"), 40)
    found, end = pcapng.Pcapng()._leap(octets, first, pcapng.ENHANCED)
    assert len(found) > 900
    assert end == first + len(found) * 1032


def test_places_are_sought_in_real_records() -> None:
    """Else the other test would compare the same walk with itself."""
    octets = memoryview(packets.pcap([(packets.START, bytes(1000))] * 2000))
    seeming = pcap.Pcap(octets)._seeming(pcap.words(octets, "<"), pcap.HEADER)
    assert len(seeming) == len(octets) // pcap.PART
    assert not ((seeming - pcap.HEADER) % 1016).any()
