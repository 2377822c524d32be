"""Link layers that dpkt reads, where the standards are richer than dpkt is."""

from __future__ import annotations

import random
import struct
import subprocess
import sys

import packets
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wrappings import FOUR, PLAIN, SNAP, WRAPPED, wifi

from l7meter.captures.frames import RARE_LAYERS, RARE_LINKS
from l7meter.captures.links import Datagram, Decoder

BEHIND = SNAP + b"\x08\0" + FOUR
RARE = [each for each in WRAPPED.values() if each[0] in RARE_LINKS]
# https://www.radiotap.org/fields/defined: bit, alignment and octets of each field
FIELDS = [
    (0, 8, 8), (1, 1, 1), (2, 1, 1), (3, 2, 4), (4, 1, 2), (5, 1, 1), (6, 1, 1), (7, 2, 2),
    (8, 2, 2), (9, 2, 2), (10, 1, 1), (11, 1, 1), (12, 1, 1), (13, 1, 1), (14, 2, 2), (15, 2, 2),
    (16, 1, 1), (17, 1, 1), (18, 4, 8), (19, 1, 3), (20, 4, 8), (21, 2, 12), (22, 8, 12),
]  # fmt: skip


def decoded(link: int, octets: bytes) -> Datagram | str:
    decoder = Decoder()
    found = decoder.decode(link, octets, len(octets))
    decoder.flush()  # a fragment alone
    return found or next(iter(decoder.skipped))


@pytest.mark.parametrize("acknowledges", [0x10, 0x20, 0x30])
@pytest.mark.parametrize("control", [0x08, 0x88])
def test_data_that_acknowledges_or_polls_too(control: int, acknowledges: int) -> None:
    quality = bytes(2 * (control == 0x88))
    frame = wifi(bytes([control | acknowledges, 1]), quality + BEHIND)
    assert decoded(105, frame) == PLAIN


@pytest.mark.parametrize(
    ("flags", "behind"),
    [
        (b"\x01", b"\0\0"),
        (b"\x81", b"\0\0" + bytes(4)),
        (b"\x03", bytes(6) + b"\0\0"),
        (b"\x83", bytes(6) + b"\0\0" + bytes(4)),
    ],
    ids=["plain", "HT control", "four addresses", "both"],
)
def test_what_may_stand_behind_the_addresses(flags: bytes, behind: bytes) -> None:
    assert decoded(105, wifi(b"\x88" + flags, behind + BEHIND)) == PLAIN


@pytest.mark.parametrize("control", [b"\x80", b"\x50", b"\xb4", b"\xd4", b"\xc4", b"\xd0", b"\x74"])
def test_management_and_control_frames_hold_no_data(control: bytes) -> None:
    assert decoded(105, wifi(control + b"\0", b"\xff" * 40)) == "802.11 frame without data"


@pytest.mark.parametrize(
    ("octets", "said"),
    [
        (wifi(b"\x88\x41", bytes(2) + BEHIND), "encrypted 802.11 frame"),
        (wifi(b"\x88\x03", bytes(6) + b"\x80\0"), "802.11 frame of several packets (A-MSDU)"),
        (b"\x08\x01" + bytes(20) + b"\x01\0" + BEHIND, "fragment of an 802.11 frame"),
        (wifi(b"\x08\x03", bytes(5)), "too short"),
    ],
)
def test_data_that_cannot_be_read(octets: bytes, said: str) -> None:
    assert decoded(105, octets) == said


def radiotap(bits: set[int], words: int, flags: int) -> bytes:
    """A header with these fields, of which all but the flags are ones."""
    present = sum(1 << bit for bit in bits)
    more = [present | (words > 0) << 31, *(1 << 31 if n < words - 1 else 0 for n in range(words))]
    header = struct.pack(f"<{len(more)}I", *more)
    for bit, alignment, size in FIELDS:
        if bit in bits:
            header += bytes(-(len(header) + 4) % alignment)
            header += bytes([flags]) if bit == 1 else b"\xff" * size
    return struct.pack("<BBH", 0, 0, len(header) + 4) + header


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.sets(st.sampled_from([bit for bit, _, _ in FIELDS])),
    st.integers(0, 3),
    st.sampled_from([0, 0x10, 0x20, 0x30, 0x02]),
)
def test_radiotap_of_any_fields(bits: set[int], words: int, flags: int) -> None:
    padding = bytes(2 if 1 in bits and flags & 0x20 else 0)
    check = bytes(4 if 1 in bits and flags & 0x10 else 0)
    frame = wifi(b"\x88\x01", b"\0\0" + padding + BEHIND + check)
    assert decoded(127, radiotap(bits, words, flags) + frame) == PLAIN


@pytest.mark.parametrize("protocol", [b"\x21", b"\0\x21"])
@pytest.mark.parametrize(("link", "address"), [(9, b""), (9, b"\xff\x03"), (50, b"\xff\x03")])
def test_a_short_protocol_with_and_without_an_address(
    link: int, address: bytes, protocol: bytes
) -> None:
    assert decoded(link, address + protocol + FOUR) == PLAIN


def test_labels_in_ppp() -> None:
    assert decoded(9, b"\xff\x03\x02\x81" + b"\0\x02\x01\x40" + FOUR) == PLAIN


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.sampled_from(RARE), st.randoms(use_true_random=False))
def test_no_octets_are_invented(seed: tuple[int, bytes], chance: random.Random) -> None:
    link, octets = seed
    mutated = bytearray(octets[: chance.randrange(len(octets) + 1)])
    for _ in range(min(chance.randrange(6), len(mutated))):
        mutated[chance.randrange(min(len(mutated), 50))] = chance.randrange(256)
    found = decoded(link, bytes(mutated))
    assert isinstance(found, str) or bytes(mutated).find(found.payload) >= 0


@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.sampled_from(sorted(RARE_LINKS)), st.binary(max_size=60))
def test_any_octets_are_read_or_have_a_reason(link: int, octets: bytes) -> None:
    assert decoded(link, octets)


def test_both_tables_of_rare_layers_are_whole() -> None:
    from l7meter.captures import rare_links

    assert rare_links.LINKS.keys() == RARE_LINKS
    assert rare_links.LAYERS.keys() == RARE_LAYERS


def test_dpkt_is_imported_by_such_a_frame_alone() -> None:
    code = (
        "import sys\n"
        "from l7meter.captures.links import Decoder\n"
        "for link, octets in eval(sys.argv[1]):\n"
        "    Decoder().decode(link, octets, len(octets))\n"
        "    print('dpkt' in sys.modules)\n"
    )
    frames = [WRAPPED["ethernet"], (1, packets.ethernet(bytes(28), 0x0806)), WRAPPED["PPP"]]
    command = [sys.executable, "-c", code, repr(frames)]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    assert run.stdout.split() == ["False", "False", "True"]
