"""IP packets inside IP packets, by what the outer ones carry."""

from __future__ import annotations

from l7meter.captures.frames import (
    BRIDGED,
    IPV4,
    IPV6,
    PPP,
    Layer,
    Skipped,
    octet2,
    unwrapped,
)
from l7meter.captures.internet import Packet, packet

VXLAN, VXLAN_LINUX, GENEVE = 4789, 8472, 6081  # destination ports; Linux had its own before 2014
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
    port = int.from_bytes(outer.payload[2:4], "big")
    return PORTS.get(port)


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


CARRIED: dict[int, Layer] = {4: lambda _: (IPV4, 0), 41: lambda _: (IPV6, 0), 47: gre}
PORTS: dict[int, Layer] = {VXLAN: vxlan, VXLAN_LINUX: vxlan, GENEVE: geneve}
