"""Records found from many places at once are those found one after the other."""

from __future__ import annotations

import struct

import packets
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l7meter.captures import chains, pcap
from l7meter.captures.window import LONGEST

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
        assert (walk.end, walk.broken) == (walks[2].end, walks[2].broken)
        for column, expected in zip(walk[:5], walks[2][:5], strict=True):
            assert column.tolist() == expected.tolist()


def test_places_are_sought_in_real_records() -> None:
    """Else the other test would compare the same walk with itself."""
    octets = memoryview(packets.pcap([(packets.START, bytes(1000))] * 2000))
    seeming = pcap.Pcap(octets)._seeming(pcap.words(octets, "<"), pcap.HEADER)
    assert len(seeming) == len(octets) // pcap.PART
    assert not ((seeming - pcap.HEADER) % 1016).any()
