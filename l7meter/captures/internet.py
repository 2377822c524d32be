"""The headers of IPv4 (RFC 791) and IPv6 (RFC 8200), and the checksums they vouch for."""

from __future__ import annotations

import struct
from typing import NamedTuple

from l7meter.captures.frames import IPV4, TOO_SHORT, Frame, Skipped, octet2, octet4

TCP, UDP = 6, 17
HOP, ROUTING, FRAGMENT, AUTHENTICATION, NO_NEXT, DESTINATION = 0, 43, 44, 51, 59, 60
EXTENSIONS = (HOP, ROUTING, AUTHENTICATION, DESTINATION)
HEADERS = 32  # extension headers of one packet; RFC 8200 recommends at most seven
PLACES = {TCP: 16, UDP: 6}  # of the checksum in the header


class Fragment(NamedTuple):
    """The part of a datagram that a packet holds: its place in octets, and whether more follow."""

    version: int
    identification: int
    offset: int
    more: bool


class Packet(NamedTuple):
    """An IP packet: `wire` octets, `length` of them behind the headers, `payload` captured."""

    source: bytes
    destination: bytes
    protocol: int
    wire: int
    payload: memoryview
    length: int
    fragment: Fragment | None
    header_bad: bool
    routed: bool = False  # the destination is not the last one, for which a checksum is made
    packets: int = 1  # that it was put together of


def packet(frame: Frame) -> Packet:
    """The IP packet that a frame starts with; Skipped if it is none."""
    try:
        read = _ipv4 if frame.kind == IPV4 else _ipv6
        return read(frame.octets, frame.length)
    except (IndexError, struct.error):
        raise Skipped(TOO_SHORT) from None


def _ipv4(octets: memoryview, length: int) -> Packet:
    size = (octets[0] & 0x0F) * 4
    if octets[0] >> 4 != 4 or size < 20:
        raise Skipped("not an IPv4 header")
    octets[size - 1]
    wire = octet2(octets, 2)[0] or length  # zero: cut by the network card, longer than 65,535
    if wire < size:
        raise Skipped("IP length below its header's")
    (place,) = octet2(octets, 6)
    fragment = None
    if place & 0x3FFF:
        (identification,) = octet2(octets, 4)
        fragment = Fragment(4, identification, (place & 0x1FFF) * 8, bool(place & 0x2000))
    protocol, behind = octets[9], size
    if protocol == AUTHENTICATION and not fragment:
        protocol, behind, _, _ = chain(protocol, octets[:wire], size)
    return Packet(
        bytes(octets[12:16]),
        bytes(octets[16:20]),
        protocol,
        wire,
        octets[behind:wire],
        wire - behind,
        fragment,
        int.from_bytes(octets[:size], "big") % 0xFFFF != 0,
    )


def _ipv6(octets: memoryview, length: int) -> Packet:
    if octets[0] >> 4 != 6:
        raise Skipped("not an IPv6 header")
    octets[39]
    (behind,) = octet2(octets, 4)
    # zero: cut by the network card or a jumbogram (RFC 2675), longer than 65,535
    wire = 40 + behind if behind or octets[6] == NO_NEXT else length
    protocol, place, fragment, routed = chain(octets[6], octets[:wire], 40)
    return Packet(
        bytes(octets[8:24]),
        bytes(octets[24:40]),
        protocol,
        wire,
        octets[place:wire],
        wire - place,
        fragment,
        False,
        routed,
    )


def chain(number: int, octets: memoryview, place: int) -> tuple[int, int, Fragment | None, bool]:
    """Follow extension headers from a place to the first other header, or behind a fragment's.

    Gives its number and place, the fragment, and whether a routing header has segments left.
    """
    routed = False
    for _ in range(HEADERS):
        if number == FRAGMENT:
            (field,) = octet2(octets, place + 2)
            (identification,) = octet4(octets, place + 4)
            number, place = octets[place], place + 8
            if field & 0xFFF9:  # else a packet of one fragment, which is whole (RFC 6946)
                part = Fragment(6, identification, field & 0xFFF8, bool(field & 1))
                return number, place, part, routed
            continue
        if number not in EXTENSIONS:
            break
        routed |= number == ROUTING and octets[place + 3] > 0
        size = octets[place + 1]
        length = (size + 2) * 4 if number == AUTHENTICATION else (size + 1) * 8
        octets[place + length - 1]
        number, place = octets[place], place + length
    return number, place, None, routed


def checksum_bad(whole: Packet) -> bool:
    """Whether the header's or the TCP or UDP checksum is wrong; False where nobody can tell.

    A sum of 16 bit words in ones' complement (RFC 1071) is a remainder by 65,535.
    """
    if whole.header_bad:
        return True
    payload, length = whole.payload, whole.length
    place = PLACES.get(whole.protocol)
    if place is None or whole.routed or len(payload) != length or length < place + 2:
        return False
    if whole.protocol == UDP:
        (said,) = octet2(payload, 4)
        if not octet2(payload, 6)[0] or not 8 <= said <= length:
            return False  # not made, or not of these octets
        payload, length = payload[:said], said
    value = int.from_bytes(payload, "big") << 8 * (length % 2)
    pseudo = int.from_bytes(whole.source + whole.destination, "big") + length + whole.protocol
    return (value + pseudo) % 0xFFFF != 0
