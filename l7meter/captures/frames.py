"""Link layers and what they wrap (tags, labels, LLC), taken off until IP is in front.

A layer is a function from its octets to the kind of what is inside and the octets of its own
header. Kinds are EtherTypes (https://www.iana.org/assignments/ieee-802-numbers), or one of ours
above 0xffff, link types among them. A layer that is too short raises IndexError or struct.error; `framed` does not.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from types import ModuleType
from typing import NamedTuple

IPV4, IPV6, BRIDGED = 0x0800, 0x86DD, 0x6558
RAW, LLC, PPP = 0x10000, 0x10001, 0x10002  # IP of either version; IEEE 802.2; RFC 1661
LINK = 0x20000  # and above: a frame of the link type that is added
STEPS = 16  # layers in front of one IP packet; real ones have five
LABELS = 32  # of an MPLS stack

NAMES = {
    0x0806: "ARP",
    0x8035: "reverse ARP",
    0x8809: "LACP and other slow protocols",
    0x8863: "PPPoE discovery",
    0x888E: "802.1X",
    0x88CC: "LLDP",
    0x88F7: "PTP",
    0x9000: "loopback test",
}
TOO_SHORT = "too short"
# in `rare_links`: PPP, HDLC, PPPoE, 802.11, and what capturing programs put in front
RARE_LINKS = frozenset((9, 10, 50, 51, 104, 105, 109, 117, 119, 127, 163, 192, 204, 239, 258))
RARE_LAYERS = frozenset((0x8864, PPP))

Layer = Callable[[memoryview], tuple[int, int]]

octet2 = struct.Struct(">H").unpack_from
octet4 = struct.Struct(">I").unpack_from
little4 = struct.Struct("<I").unpack_from


class Skipped(Exception):
    """Why some octets hold no IP packet."""


class Frame(NamedTuple):
    """Octets that start with a layer of this kind; `length` of them were on the wire."""

    kind: int
    octets: memoryview
    length: int


def framed(link: int, octets: memoryview, length: int) -> Frame:
    """An IP packet (kind IPV4 or IPV6) out of a frame of a link type; Skipped if there is none."""
    return unwrapped(_layer(LINK + link), octets, length)


def unwrapped(layer: Layer, octets: memoryview, length: int) -> Frame:
    """An IP packet (kind IPV4 or IPV6) out of the layers around it; Skipped if there is none."""
    for _ in range(STEPS):
        try:
            kind, size = layer(octets)
        except (IndexError, struct.error):
            raise Skipped(TOO_SHORT) from None
        octets, length = octets[size:], length - size
        if kind in (IPV4, IPV6):
            return Frame(kind, octets, length)
        layer = _layer(kind)
    raise Skipped("more layers than any network has")


def _layer(kind: int) -> Layer:
    link = kind - LINK
    if link >= 0:
        layer = _rare().LINKS[link] if link in RARE_LINKS else LINKS.get(link)
        named = f"link type {link}"
    else:
        layer = _rare().LAYERS[kind] if kind in RARE_LAYERS else LAYERS.get(kind)
        named = NAMES.get(kind, f"EtherType 0x{kind:04x}")
    if layer is None:
        raise Skipped(named)
    return layer


def _rare() -> ModuleType:
    """Imported with the first frame that asks for it."""
    from l7meter.captures import rare_links

    return rare_links


def ethernet(octets: memoryview) -> tuple[int, int]:
    """IEEE 802.3: an EtherType, or a length and LLC."""
    (kind,) = octet2(octets, 12)
    return (kind if kind >= 0x0600 else LLC), 14


def tag(octets: memoryview) -> tuple[int, int]:
    """IEEE 802.1Q, behind its own EtherType."""
    (kind,) = octet2(octets, 2)
    return (kind if kind >= 0x0600 else LLC), 4


def llc(octets: memoryview) -> tuple[int, int]:
    """IEEE 802.2: SNAP with an EtherType (RFC 1042), or IP's own number."""
    if bytes(octets[:3]) == b"\x06\x06\x03":
        return IPV4, 3
    if bytes(octets[:3]) != b"\xaa\xaa\x03":
        raise Skipped("802.2 without IP")
    if bytes(octets[3:6]) not in (b"\0\0\0", b"\0\0\xf8"):
        raise Skipped("SNAP of another organization")
    return octet2(octets, 6)[0], 8


def raw(octets: memoryview) -> tuple[int, int]:
    """IP at once, its version in the first four bits."""
    version = octets[0] >> 4
    if version not in (4, 6):
        raise Skipped("neither IPv4 nor IPv6")
    return (IPV4 if version == 4 else IPV6), 0


def loopback(octets: memoryview) -> tuple[int, int]:
    """BSD's address family, in the byte order of the machine that captured."""
    family = min(octet4(octets)[0], little4(octets)[0])
    if family not in FAMILIES:
        raise Skipped(f"address family {family}")
    return FAMILIES[family], 4


FAMILIES = {2: IPV4, 10: IPV6, 24: IPV6, 28: IPV6, 30: IPV6}  # Linux, NetBSD, FreeBSD, Darwin


def linux(octets: memoryview) -> tuple[int, int]:
    """https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL.html."""
    (kind,) = octet2(octets, 14)
    return (LLC if kind == 4 else kind), 16


def linux2(octets: memoryview) -> tuple[int, int]:
    """https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL2.html."""
    (kind,) = octet2(octets)
    octets[19]
    return (LLC if kind == 4 else kind), 20


def mpls(octets: memoryview) -> tuple[int, int]:
    """RFC 3032: labels; RFC 4928: the first four bits behind them tell what is inside."""
    for place in range(0, 4 * LABELS, 4):
        if octets[place + 2] & 1:  # the bottom of the stack
            inside = octets[place + 4] >> 4
            if inside in (4, 6):
                return (IPV4 if inside == 4 else IPV6), place + 4
            if inside:
                raise Skipped("MPLS without IP or a control word")
            return BRIDGED, place + 8  # RFC 4448: four octets of control, then Ethernet
    raise Skipped("more MPLS labels than any network has")


def port_tag(octets: memoryview) -> tuple[int, int]:
    """VN-Tag of Cisco, between a switch and its extenders."""
    return octet2(octets, 4)[0], 6


def channel_tag(octets: memoryview) -> tuple[int, int]:
    """The E-TAG of IEEE 802.1BR."""
    return octet2(octets, 6)[0], 8


def group_tag(octets: memoryview) -> tuple[int, int]:
    """Cisco's metadata, as TrustSec writes it: a version, the options' length in four octets."""
    size = 2 + 4 * octets[1]
    return octet2(octets, size)[0], size + 2


def integrity(octets: memoryview) -> tuple[int, int]:
    """MACsec (IEEE 802.1AE) where nothing is encrypted; IP says where its packet ends."""
    if octets[0] & 0x0C:
        raise Skipped("encrypted MACsec frame")
    size = 14 if octets[0] & 0x20 else 6  # with the channel's identifier
    return octet2(octets, size)[0], size + 2


def service(octets: memoryview) -> tuple[int, int]:
    """The network service header of RFC 8300: its length in four octets, and what follows."""
    size = 4 * (octets[1] & 0x3F)
    if octets[3] not in SERVICES or size < 8:
        raise Skipped("service header without IP")
    return SERVICES[octets[3]], size


SERVICES = {1: IPV4, 2: IPV6, 3: BRIDGED, 4: 0x894F, 5: 0x8847}  # of NSH and VXLAN-GPE, to kinds
LAYERS: dict[int, Layer] = {
    0x8100: tag,
    0x88A8: tag,
    0x9100: tag,
    0x9200: tag,
    0x8847: mpls,
    0x8848: mpls,
    0x8909: group_tag,
    0x8926: port_tag,
    0x893F: channel_tag,
    0x88E5: integrity,
    0x88E7: lambda _: (BRIDGED, 4),  # IEEE 802.1ah: a service's tag, then its Ethernet
    0x894F: service,
    0x8903: lambda _: (BRIDGED, 2),  # FabricPath: likewise
    BRIDGED: ethernet,
    RAW: raw,
    LLC: llc,
}
LINKS: dict[int, Layer] = {
    0: loopback,
    1: ethernet,
    12: raw,
    14: raw,
    101: raw,
    108: loopback,
    113: linux,
    228: raw,
    229: raw,
    276: linux2,
}
