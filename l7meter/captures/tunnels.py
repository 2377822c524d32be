"""IP packets inside IP packets, by what the outer ones carry."""

from __future__ import annotations

from l7meter.captures.frames import (
    BRIDGED,
    IPV4,
    IPV6,
    LINK,
    PPP,
    RAW,
    SERVICES,
    Layer,
    Skipped,
    mpls,
    octet2,
    unwrapped,
)
from l7meter.captures.internet import Packet, packet

TEREDO = (3544).to_bytes(2, "big")  # of the relay, which answers from it
PPTP = 0x880B  # a GRE protocol type: PPP (RFC 2637)
ERSPAN2, ERSPAN3 = 0x88BE, 0x22EB  # GRE protocol types: mirrored Ethernet


def inside(outer: Packet) -> Packet | None:
    """The IP packet that a whole datagram carries, or None if it is no tunnel we can read."""
    layer = _layer(outer)
    if layer is None:
        return None
    try:
        inner = packet(unwrapped(layer, outer.payload, outer.length))
        return inner._replace(packets=outer.packets)
    except Skipped:
        return None


def _layer(outer: Packet) -> Layer | None:
    if outer.protocol != 17:
        return CARRIED.get(outer.protocol)
    ports = outer.payload[:4]
    layer = PORTS.get(int.from_bytes(ports[2:], "big"))
    return teredo if layer is None and ports[:2] == TEREDO else layer


def gre(octets: memoryview) -> tuple[int, int]:
    """RFC 2784 and 2890; version 1 of RFC 2637; draft-foschiano-erspan."""
    flags, kind = octet2(octets)[0], octet2(octets, 2)[0]
    if flags & 0x4000:
        raise Skipped("GRE with source routes")
    if flags & 7 == 1 and kind == PPTP:
        return PPP, 8 + 4 * (bool(flags & 0x1000) + bool(flags & 0x0080))
    if flags & 7:
        raise Skipped("GRE of another version")
    size = 4 + 4 * (flags & 0xB000).bit_count()  # a checksum, a key, a sequence number
    if kind == ERSPAN2:
        return BRIDGED, size + 8 * bool(flags & 0x1000)  # type I has neither number nor header
    if kind == ERSPAN3:
        return BRIDGED, size + 12 + 8 * (octets[size + 11] & 1)
    return kind, size


def vxlan(octets: memoryview) -> tuple[int, int]:
    """RFC 7348, behind UDP."""
    if octets[8] & 0x08 == 0:
        raise Skipped("not VXLAN")
    octets[15]
    return BRIDGED, 16


def geneve(octets: memoryview) -> tuple[int, int]:
    """RFC 8926, behind UDP."""
    if octets[8] >> 6:
        raise Skipped("Geneve of another version")
    return octet2(octets, 10)[0], 16 + 4 * (octets[8] & 0x3F)


def vxlan_of_any(octets: memoryview) -> tuple[int, int]:
    """VXLAN-GPE (draft-ietf-nvo3-vxlan-gpe), behind UDP: it says what is inside."""
    if octets[8] & 0xC == 0 or octets[11] not in SERVICES:
        raise Skipped("not VXLAN-GPE")
    return SERVICES[octets[11]], 16


def mobile(octets: memoryview) -> tuple[int, int]:
    """GTP-U (3GPP TS 29.281), behind UDP: a user's packet, and headers in front of it."""
    flags, kind = octets[8], octets[9]
    if flags & 0xF0 != 0x30 or kind != 255:
        raise Skipped("not a user's packet of GTP")
    if not flags & 7:
        return RAW, 16
    place, following = 20, octets[19] if flags & 4 else 0
    while following:
        size = 4 * octets[place]
        if not size:
            raise Skipped("GTP header without length")
        place += size
        following = octets[place - 1]
    return RAW, place


def layer2(octets: memoryview) -> tuple[int, int]:
    """L2TP (RFC 2661), behind UDP: PPP of a session."""
    (flags,) = octet2(octets, 8)
    if flags & 0x800F != 2:
        raise Skipped("L2TP without data")
    size = 14 + 2 * bool(flags & 0x4000) + 4 * bool(flags & 0x0800)
    return PPP, size + (2 + octet2(octets, size)[0] if flags & 0x0200 else 0)


def teredo(octets: memoryview) -> tuple[int, int]:
    """RFC 4380, behind UDP: IPv6, perhaps behind what authenticates it and tells its origin."""
    place = 8
    if octet2(octets, place)[0] == 1:
        place += 13 + octets[place + 2] + octets[place + 3]
    if octet2(octets, place)[0] == 0:
        place += 8
    return IPV6, place


def sniffed(octets: memoryview) -> tuple[int, int]:
    """TZSP, behind UDP, with which routers mirror: tagged values, then a frame."""
    if octets[8] != 1 or octets[9] > 1:
        raise Skipped("TZSP without a packet")
    kind, place = FRAMES.get(octet2(octets, 10)[0]), 12
    if kind is None:
        raise Skipped("TZSP of another link")
    while octets[place] != 1:  # the end
        place += 2 + octets[place + 1] if octets[place] else 1
    return kind, place + 1


def _behind_udp(layer: Layer) -> Layer:
    def read(octets: memoryview) -> tuple[int, int]:
        kind, size = layer(octets[8:])
        return kind, size + 8

    return read


FRAMES = {1: BRIDGED, 18: LINK + 105, 119: LINK + 119, 126: LINK + 127, 127: LINK + 163}  # of TZSP
CARRIED: dict[int, Layer] = {
    4: lambda _: (IPV4, 0),
    41: lambda _: (IPV6, 0),
    47: gre,
    97: lambda _: (BRIDGED, 2),  # EtherIP, RFC 3378
    137: mpls,
}
PORTS: dict[int, Layer] = {  # of the destination
    1701: layer2,
    2152: mobile,
    3544: teredo,
    4754: _behind_udp(gre),
    4789: vxlan,
    4790: vxlan_of_any,
    6081: geneve,
    6635: _behind_udp(mpls),
    8472: vxlan,  # of Linux before 2014
    37008: sniffed,
}
