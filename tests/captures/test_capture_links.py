"""A packet in every link layer comes out the same; what holds no packet is counted."""

from __future__ import annotations

import struct

import packets
import pytest
from packets import CLIENT, CLIENT6, SERVER, SERVER6, TCP, UDP
from wrappings import FOUR, PLAIN, SEGMENT, SIX, SIX_PLAIN, WRAPPED, wifi

from l7meter.captures.links import Datagram, Decoder


def one(octets: bytes, link: int = 101, length: int | None = None) -> Datagram | None:
    return Decoder().decode(link, octets, len(octets) if length is None else length)


def reason(octets: bytes, link: int = 101) -> str:
    decoder = Decoder()
    assert decoder.decode(link, octets, len(octets)) is None
    (only,) = decoder.skipped
    return only


@pytest.mark.parametrize("name", WRAPPED)
def test_links_wrap_the_same_packet(name: str) -> None:
    link, octets = WRAPPED[name]
    assert one(octets, link) == PLAIN


@pytest.mark.parametrize("name", WRAPPED)
def test_a_frame_cut_anywhere_is_counted_or_shorter(name: str) -> None:
    link, octets = WRAPPED[name]
    for end in range(len(octets)):
        decoder = Decoder()
        found = decoder.decode(link, octets[:end], len(octets))
        assert (found is None) == (decoder.skipped.total() == 1)
        if found:
            assert found == PLAIN._replace(payload=PLAIN.payload[: len(found.payload)])


@pytest.mark.parametrize(
    ("link", "octets"),
    [
        (1, packets.ethernet(SIX)),
        (101, SIX),
        (229, SIX),
        (0, b"\x1e\0\0\0" + SIX),
        (108, b"\0\0\0\x18" + SIX),
        (9, b"\0\x57" + SIX),
        (113, struct.pack(">HHH8sH", 0, 1, 6, b"", 0x86DD) + SIX),
        (1, packets.ethernet(b"\0\x02\x01\x40" + SIX, 0x8847)),
    ],
)
def test_ipv6_in_links(link: int, octets: bytes) -> None:
    assert one(octets, link) == SIX_PLAIN


def test_ipv4_options() -> None:
    octets = packets.ipv4(CLIENT, SERVER, TCP, SEGMENT, options=b"\x94\x04\0\0\1\1")
    assert one(octets) == PLAIN._replace(wire=len(FOUR) + 8)


@pytest.mark.parametrize(
    "headers",
    [
        [(0, b"\0" + bytes(6))],
        [(0, b"\1" + bytes(14)), (60, b"\0" + bytes(6))],
        [(43, b"\2\4\0" + bytes(20))],
        [(51, b"\4" + bytes(22))],
        [(44, b"\0" + bytes(6))],
        [(44, b"\0" + bytes(6)), (60, b"\0" + bytes(6))],
    ],
    ids=["hop by hop", "two", "routing, arrived", "authentication", "atomic fragment", "behind it"],
)
def test_ipv6_extension_headers(headers: list[tuple[int, bytes]]) -> None:
    octets = packets.ipv6(CLIENT6, SERVER6, TCP, SEGMENT, headers=headers)
    assert one(octets) == SIX_PLAIN._replace(wire=len(octets))


def test_ipv4_authentication_header() -> None:
    header = bytes([TCP, 4]) + bytes(22)
    octets = packets.ipv4(CLIENT, SERVER, 51, header + FOUR[20:])
    assert one(octets) == PLAIN._replace(wire=len(FOUR) + 24)


@pytest.mark.parametrize(
    ("link", "octets", "said"),
    [
        (1, packets.ethernet(b"\x2c" + bytes(60), 0x88E5), "encrypted MACsec frame"),
        (1, packets.ethernet(b"\0\2\2\7" + bytes(60), 0x894F), "service header without IP"),
        (192, b"\0\0\x08\0\x93\0\0\0" + FOUR, "link type 147"),
        (258, struct.pack("<III", 108, 0, 1) + bytes(96), "PKTAP without a packet"),
        (239, b"\2\1\0\5\x08\0\1\0" + FOUR, "NFLOG of another version"),
        (239, b"\2\0\0\5\0\0\1\0" + FOUR, "NFLOG without a packet"),
        (10, b"\x41" + bytes(12) + FOUR, "FDDI frame without data"),
    ],
)
def test_what_is_behind_such_a_header_is_named(link: int, octets: bytes, said: str) -> None:
    assert reason(octets, link) == said


def test_a_link_that_names_itself_without_end_is_left() -> None:
    octets = b"\0\0\x08\0\xc0\0\0\0" * 100
    assert reason(octets, 192) == "more layers than any network has"


def test_a_length_of_zero_is_that_of_the_wire() -> None:
    for octets in (
        packets.ipv4(CLIENT, SERVER, TCP, SEGMENT, length=0),
        packets.ipv6(CLIENT6, SERVER6, TCP, SEGMENT, length=0),
    ):
        found = one(octets + b"more", length=len(octets) + 4)
        assert found is not None
        assert found.wire == len(octets) + 4
        assert found.payload.endswith(b"\r\n\r\nmore")


def test_a_snapped_packet_says_its_whole_length() -> None:
    found = one(FOUR[:40], length=len(FOUR))
    assert found == PLAIN._replace(payload=FOUR[20:40])


@pytest.mark.parametrize(
    ("octets", "bad"),
    [
        (FOUR, False),
        (FOUR[:-1] + b"x", True),
        (packets.ipv4(CLIENT, SERVER, TCP, SEGMENT, header_checksum=1), True),
        (packets.ipv4(CLIENT, SERVER, TCP, SEGMENT, fill=False), True),
        (packets.ipv4(CLIENT, SERVER, UDP, packets.udp(1, 2, b"odd"), fill=False), False),
        (packets.ipv4(CLIENT, SERVER, UDP, packets.udp(1, 2, b"odd")), False),
        (packets.ipv4(CLIENT, SERVER, UDP, packets.udp(1, 2, b"odd"))[:-1] + b"x", True),
        (SIX[:-1] + b"x", True),
        (
            packets.ipv6(CLIENT6, SERVER6, TCP, SEGMENT, headers=[(43, b"\2\4\1" + bytes(20))]),
            False,
        ),
    ],
)
def test_checksums(octets: bytes, bad: bool) -> None:
    found = one(octets)
    assert found is not None
    assert found.checksum_bad is bad


@pytest.mark.parametrize(
    ("link", "octets", "said"),
    [
        (1, packets.ethernet(bytes(28), 0x0806), "ARP"),
        (1, packets.ethernet(bytes(28), 0x88CC), "LLDP"),
        (1, packets.ethernet(bytes(28), 0x22F0), "EtherType 0x22f0"),
        (1, packets.ethernet(b"\x42\x42\x03", 3), "802.2 without IP"),
        (1, packets.ethernet(b"\x11\x09\0\0\0\0", 0x8863), "PPPoE discovery"),
        (1, b"short", "too short"),
        (1, packets.ethernet(SIX, 0x0800), "not an IPv4 header"),
        (1, packets.ethernet(FOUR, 0x86DD), "not an IPv6 header"),
        (1, packets.ethernet(bytes(200), 0x8847), "more MPLS labels than any network has"),
        (1, packets.ethernet(b"\0\1\x81\0" * 40, 0x8100), "more layers than any network has"),
        (9, b"\xc0\x21", "PPP protocol 0xc021"),
        (147, b"anything", "link type 147"),
        (0, b"\x07\0\0\0", "address family 7"),
        (101, packets.ipv4(CLIENT, SERVER, TCP, b"", length=19), "IP length below its header's"),
        (105, b"\x80\0" + bytes(30), "802.11 frame without data"),
        (105, b"\x08\x41" + bytes(30), "encrypted 802.11 frame"),
        (105, b"\x08\x05" + bytes(30), "fragment of an 802.11 frame"),
        (105, wifi(b"\x88\x01", b"\x80\0"), "802.11 frame of several packets (A-MSDU)"),
    ],
)
def test_what_holds_no_ip_is_counted_by_reason(link: int, octets: bytes, said: str) -> None:
    assert reason(octets, link) == said
