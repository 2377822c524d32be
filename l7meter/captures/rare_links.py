"""Link layers that few captures have, as dpkt reads them: PPP, PPPoE, IEEE 802.11 and radiotap.

dpkt is given the header's octets alone, so that it reads no packet behind them. Importing it takes
0.1 s: `frames` imports this module with the first such frame.
"""

from __future__ import annotations

from typing import Any

from dpkt import UnpackError, ieee80211, ppp, pppoe, radiotap

from l7meter.captures import annotated_links
from l7meter.captures.frames import IPV4, IPV6, LLC, NAMES, PPP, Layer, Skipped, octet2

PROTOCOLS = {0x0021: IPV4, 0x0057: IPV6, 0x0281: 0x8847, 0x0283: 0x8848}  # of PPP, to EtherTypes
CISCO = (0x0F, 0x8F)  # the first octet of Cisco's HDLC: unicast, multicast
DATA_HEADER = 36  # octets of 802.11, at most: 24, a fourth address, quality of service, HT control
PADDED = 0x20  # radiotap's flag of a header that is
AGGREGATED = 0x8000  # of the quality of service field, whose octets dpkt swaps: several packets


def _read(header: Any, octets: memoryview) -> Any:
    """What dpkt makes of a header; IndexError where there is too little of it."""
    try:
        return header(bytes(octets))
    except UnpackError:
        raise IndexError from None


def point_to_point(octets: memoryview) -> tuple[int, int]:
    """RFC 1661 and 1662: address and control may be left out, and a protocol be one octet."""
    # dpkt has a class for either case, and leaves it to us to tell them
    framed = bytes(octets[:2]) == b"\xff\x03"
    head = octets[:4] if framed else octets[:2]
    read = _read(ppp.PPP if framed else pppoe.PPP, head)
    if read.p not in PROTOCOLS:
        raise Skipped(f"PPP protocol 0x{read.p:04x}")
    return PROTOCOLS[read.p], len(head) - len(read.data)


def hdlc(octets: memoryview) -> tuple[int, int]:
    """PPP in HDLC, or Cisco's HDLC with an EtherType, which dpkt does not have."""
    return (octet2(octets, 2)[0], 4) if octets[0] in CISCO else point_to_point(octets)


def session(octets: memoryview) -> tuple[int, int]:
    """PPPoE (RFC 2516), of a session (code 0)."""
    if _read(pppoe.PPPoE, octets[:6]).code:
        raise Skipped(NAMES[0x8863])
    return PPP, 6


def wifi(octets: memoryview) -> tuple[int, int]:
    """IEEE 802.11: data frames that are neither encrypted, nor aggregated, nor fragments."""
    control = octets[0]
    # before dpkt: it looks for elements in management frames, and knows no control wrapper
    if control & 0x0F != 0x08 or control & 0x40:  # of version 0, type data, with data
        raise Skipped("802.11 frame without data")
    # dpkt refuses data that acknowledges or polls too (subtypes 1 to 3, 9 to 11): the same header
    head = bytes((control & 0xCF, *octets[1:DATA_HEADER]))
    frame = _read(ieee80211.IEEE80211, memoryview(head))
    if frame.wep:
        raise Skipped("encrypted 802.11 frame")
    if frame.more_frag or frame.data_frame.fragment_number:
        raise Skipped("fragment of an 802.11 frame")
    size = len(head) - len(frame.data)
    if control & 0x80:
        if frame.qos_data.control & AGGREGATED:
            raise Skipped("802.11 frame of several packets (A-MSDU)")
        size += 4 * frame.order  # high throughput control, which dpkt leaves in front of the data
    return LLC, size


def radio(octets: memoryview) -> tuple[int, int]:
    """Radiotap (https://www.radiotap.org): what the radio said, before the 802.11 frame.

    A frame check sequence behind the frame needs no flag: IP says where its packet ends.
    """
    if octets[0]:
        raise Skipped("radiotap of another version")
    size = octets[2] | octets[3] << 8
    read = _read(radiotap.Radiotap, octets[:size])
    kind, inner = wifi(octets[size:])
    padded = read.flags_present and read.flags.val & PADDED  # to 4 octets; dpkt leaves it in
    return kind, size + inner + (-inner % 4 if padded else 0)


LINKS: dict[int, Layer] = {
    9: point_to_point,
    50: hdlc,
    51: session,
    104: hdlc,
    105: wifi,
    127: radio,
    204: lambda _: (PPP, 1),  # behind the direction
    **annotated_links.LINKS,
}
LAYERS: dict[int, Layer] = {0x8864: session, PPP: point_to_point}
