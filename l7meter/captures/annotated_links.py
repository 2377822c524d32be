"""Links in front of whose packets the capturing program or the firewall wrote what it knew.

https://www.tcpdump.org/linktypes.html describes each; numbers that are in the order of the machine
which captured are read in both where that can be told.
"""

from __future__ import annotations

import struct

from l7meter.captures.frames import LINK, LLC, RAW, Layer, Skipped, little4, octet2, octet4

WIFI = LINK + 105
PRISM = 144  # octets of its header
AVS = 0x80211000  # the first octets of AVS, which some drivers gave out as Prism
PAYLOAD = 9  # the kind of NFLOG's value that is the packet

little2 = struct.Struct("<H").unpack_from


def fddi(octets: memoryview) -> tuple[int, int]:
    """FDDI, frames of 802.2."""
    if octets[0] & 0xF0 != 0x50:
        raise Skipped("FDDI frame without data")
    return LLC, 13


def per_packet(octets: memoryview) -> tuple[int, int]:
    """PPI: its own length, and the link type behind it."""
    return LINK + little4(octets, 4)[0], max(little2(octets, 2)[0], 8)


def darwin(octets: memoryview) -> tuple[int, int]:
    """PKTAP of macOS: its own length, whether a packet follows, and its link type."""
    if little4(octets, 4)[0] != 1:
        raise Skipped("PKTAP without a packet")
    return LINK + little4(octets, 8)[0], max(little4(octets)[0], 12)


def prism(octets: memoryview) -> tuple[int, int]:
    """Prism's monitor header, before 802.11."""
    return avs(octets) if octet4(octets)[0] & 0xFFFFF000 == AVS else (WIFI, PRISM)


def avs(octets: memoryview) -> tuple[int, int]:
    """The AVS header, before 802.11: its version, its length."""
    return WIFI, max(octet4(octets, 4)[0], 8)


def firewall(octets: memoryview) -> tuple[int, int]:
    """PFLOG of BSD: its own length, without what fills it up to four octets."""
    return RAW, max(octets[0] + -octets[0] % 4, 4)


def encapsulation(_: memoryview) -> tuple[int, int]:
    """ENC of BSD: what IPsec took off."""
    return RAW, 12


def netfilter(octets: memoryview) -> tuple[int, int]:
    """NFLOG of Linux: a list of lengths, kinds and values, of which one is the packet."""
    if octets[1]:
        raise Skipped("NFLOG of another version")
    place = 4
    pair = little2 if octets[5] == 0 else octet2  # a first value of 252 octets would be a packet
    while True:
        (size,), (kind,) = pair(octets, place), pair(octets, place + 2)
        if kind == PAYLOAD:
            return RAW, place + 4
        if size < 4:
            raise Skipped("NFLOG without a packet")
        place += size + -size % 4


LINKS: dict[int, Layer] = {
    10: fddi,
    109: encapsulation,
    117: firewall,
    119: prism,
    163: avs,
    192: per_packet,
    239: netfilter,
    258: darwin,
}
