"""One packet in every wrapping of links and tunnels, by name."""

from __future__ import annotations

import struct

import packets
from packets import ACK, CLIENT, CLIENT6, GRE, IPIP, SERVER, SERVER6, SIXIN4, TCP, UDP

from l7meter.captures.links import Datagram

SEGMENT = packets.tcp(40000, 80, 1, 1, ACK, b"GET / HTTP/1.1\r\n\r\n")
FOUR = packets.ipv4(CLIENT, SERVER, TCP, SEGMENT)
SIX = packets.ipv6(CLIENT6, SERVER6, TCP, SEGMENT)
FRAME = packets.ethernet(FOUR)
SNAP = b"\xaa\xaa\x03\0\0\0"
LOGICAL = SNAP + b"\x08\0" + FOUR


def outer(protocol: int, payload: bytes) -> bytes:
    return packets.ipv4("198.51.100.1", "198.51.100.2", protocol, payload)


def wifi(control: bytes, rest: bytes = b"") -> bytes:
    return control + bytes(22) + rest


PLAIN = Datagram(
    packets.packed(CLIENT),
    packets.packed(SERVER),
    TCP,
    len(FOUR),
    FOUR[20:],
    len(FOUR) - 20,
    0,
    False,
    1,
)

WRAPPED = {
    "ethernet": (1, FRAME),
    "ethernet with padding": (1, packets.ethernet(FOUR, pad=True) + bytes(9)),
    "VLAN": (1, packets.ethernet(FOUR, tags=[7])),
    "VLAN in VLAN": (1, packets.ethernet(FOUR, tags=[7, 8])),
    "old VLAN in VLAN": (1, packets.ethernet(struct.pack(">HH", 7, 0x0800) + FOUR, 0x9100)),
    "SNAP": (1, packets.ethernet(SNAP + b"\x08\0" + FOUR, len(FOUR) + 8)),
    "802.2": (1, packets.ethernet(b"\x06\x06\x03" + FOUR, len(FOUR) + 3)),
    "SNAP in VLAN": (
        1,
        packets.ethernet(struct.pack(">HH", 7, len(FOUR) + 8) + SNAP + b"\x08\0" + FOUR, 0x8100),
    ),
    "MPLS": (1, packets.ethernet(b"\0\x01\0\x40\0\x02\x01\x40" + FOUR, 0x8847)),
    "Ethernet in MPLS": (1, packets.ethernet(b"\0\x02\x01\x40" + bytes(4) + FRAME, 0x8848)),
    "PPPoE": (1, packets.ethernet(b"\x11\0\0\1\0\x40\0\x21" + FOUR, 0x8864)),
    "old VLAN tag": (1, packets.ethernet(struct.pack(">HH", 7, 0x0800) + FOUR, 0x9200)),
    "VN-Tag": (1, packets.ethernet(b"\0\1\0\0\x08\0" + FOUR, 0x8926)),
    "802.1BR": (1, packets.ethernet(b"\0\0\x10\1\0\0\x08\0" + FOUR, 0x893F)),
    "Cisco metadata": (1, packets.ethernet(b"\1\1\0\1\0\x64\x08\0" + FOUR, 0x8909)),
    "provider backbone": (1, packets.ethernet(b"\0\0\0\x64" + FRAME, 0x88E7)),
    "MACsec in the clear": (1, packets.ethernet(b"\0\0\0\0\0\1\x08\0" + FOUR, 0x88E5)),
    "MACsec of a channel": (
        1,
        packets.ethernet(b"\x20\0\0\0\0\1" + bytes(8) + b"\x08\0" + FOUR, 0x88E5),
    ),
    "service header": (1, packets.ethernet(b"\x0f\xc6\1\1" + bytes(20) + FOUR, 0x894F)),
    "FabricPath": (1, packets.ethernet(b"\0\x51" + FRAME, 0x8903)),
    "cooked": (113, struct.pack(">HHH8sH", 0, 1, 6, b"", 0x0800) + FOUR),
    "cooked 2": (276, struct.pack(">HHIHBB8s", 0x0800, 0, 1, 1, 0, 6, b"") + FOUR),
    "raw": (101, FOUR),
    "raw as OpenBSD numbers it": (14, FOUR),
    "raw IPv4": (228, FOUR),
    "null, little endian": (0, b"\2\0\0\0" + FOUR),
    "null, big endian": (0, b"\0\0\0\2" + FOUR),
    "loop": (108, b"\0\0\0\2" + FOUR),
    "PPP": (9, b"\0\x21" + FOUR),
    "PPP in HDLC": (50, b"\xff\x03\0\x21" + FOUR),
    "PPP with a short protocol": (9, b"\x21" + FOUR),
    "Cisco HDLC": (104, b"\x0f\0\x08\0" + FOUR),
    "PPPoE link": (51, b"\x11\0\0\1\0\x40\0\x21" + FOUR),
    "802.11 data": (105, wifi(b"\x08\x01", SNAP + b"\x08\0" + FOUR)),
    "802.11 with quality of service": (105, wifi(b"\x88\x02", b"\0\0" + SNAP + b"\x08\0" + FOUR)),
    "802.11 between stations": (105, wifi(b"\x08\x03", bytes(6) + SNAP + b"\x08\0" + FOUR)),
    "FDDI": (10, b"\x50" + bytes(12) + SNAP + b"\x08\0" + FOUR),
    "PPP with a direction": (204, b"\1\xff\x03\0\x21" + FOUR),
    "PPI": (192, b"\0\0\x0c\0\1\0\0\0" + bytes(4) + FRAME),
    "PPI of 802.11": (192, b"\0\0\x08\0\x69\0\0\0" + wifi(b"\x08\x01", LOGICAL)),
    "Prism": (119, b"\x44\0\0\0\x90\0\0\0" + bytes(136) + wifi(b"\x08\x01", LOGICAL)),
    "AVS": (163, b"\x80\x21\x10\x01\0\0\0\x40" + bytes(56) + wifi(b"\x08\x01", LOGICAL)),
    "AVS as Prism": (
        119,
        b"\x80\x21\x10\x01\0\0\0\x40" + bytes(56) + wifi(b"\x08\x01", LOGICAL),
    ),
    "ENC": (109, b"\2" + bytes(11) + FOUR),
    "PFLOG": (117, b"\x3d\2" + bytes(62) + FOUR),
    "NFLOG": (
        239,
        b"\2\0\0\5\x08\0\1\0\x08\0\1\0\x06\0\x0a\0in\0\0"
        + struct.pack("<HH", 4 + len(FOUR), 9)
        + FOUR,
    ),
    "NFLOG, big endian": (
        239,
        b"\2\0\0\5\0\x08\0\1\x08\0\1\0" + struct.pack(">HH", 4 + len(FOUR), 9) + FOUR,
    ),
    "PKTAP": (258, struct.pack("<III", 108, 1, 1) + bytes(96) + FRAME),
    "PKTAP of a loopback": (258, struct.pack("<III", 108, 1, 0) + bytes(96) + b"\2\0\0\0" + FOUR),
    "radiotap": (127, b"\0\0\x08\0" + bytes(4) + wifi(b"\x08\x01", SNAP + b"\x08\0" + FOUR)),
    "radiotap with a padded header": (
        127,
        struct.pack("<BBHIQB3x", 0, 0, 20, 3, 0, 0x20)
        + wifi(b"\x88\x02", b"\0\0\0\0" + SNAP + b"\x08\0" + FOUR),
    ),
    "radiotap with two words of fields": (
        127,
        struct.pack("<BBHIIB3x", 0, 0, 16, 0x80000002, 0, 0x20)
        + wifi(b"\x88\x02", b"\0\0\0\0" + SNAP + b"\x08\0" + FOUR),
    ),
}


SIX_PLAIN = PLAIN._replace(
    source=packets.packed(CLIENT6), destination=packets.packed(SERVER6), wire=len(SIX)
)._replace(payload=SIX[40:], length=len(SIX) - 40)


TUNNELS = {
    "IP in IP": outer(IPIP, FOUR),
    "6in4": outer(SIXIN4, SIX),
    "GRE": outer(GRE, b"\0\0\x08\0" + FOUR),
    "GRE with checksum, key and number": outer(GRE, b"\xb0\0\x08\0" + bytes(12) + FOUR),
    "GRE with Ethernet": outer(GRE, b"\0\0\x65\x58" + FRAME),
    "GRE with MPLS": outer(GRE, b"\0\0\x88\x47\0\x02\x01\x40" + FOUR),
    "PPTP": outer(GRE, b"\x30\x81\x88\x0b" + bytes(12) + b"\xff\x03\0\x21" + FOUR),
    "ERSPAN I": outer(GRE, b"\0\0\x88\xbe" + FRAME),
    "ERSPAN II": outer(GRE, b"\x10\0\x88\xbe" + bytes(4) + b"\x10" + bytes(7) + FRAME),
    "ERSPAN III": outer(GRE, b"\x10\0\x22\xeb" + bytes(4) + b"\x20" + bytes(11) + FRAME),
    "ERSPAN III with more": outer(
        GRE, b"\x10\0\x22\xeb" + bytes(4) + b"\x20" + bytes(10) + b"\1" + bytes(8) + FRAME
    ),
    "VXLAN": outer(UDP, packets.udp(5, 4789, b"\x08\0\0\0\0\0\1\0" + FRAME)),
    "VXLAN of Linux": outer(UDP, packets.udp(5, 8472, b"\x08\0\0\0\0\0\1\0" + FRAME)),
    "Geneve": outer(UDP, packets.udp(5, 6081, b"\0\0\x65\x58\0\0\1\0" + FRAME)),
    "Geneve with options": outer(UDP, packets.udp(5, 6081, b"\2\0\x08\0" + bytes(12) + FOUR)),
    "VXLAN-GPE": outer(UDP, packets.udp(5, 4790, b"\x0c\0\0\1\0\0\1\0" + FOUR)),
    "VXLAN-GPE with a service header": outer(
        UDP, packets.udp(5, 4790, b"\x0c\0\0\4\0\0\1\0\x0f\xc2\2\3" + bytes(4) + FRAME)
    ),
    "GTP": outer(UDP, packets.udp(5, 2152, b"\x30\xff\0\x40\0\0\0\1" + FOUR)),
    "GTP with a number": outer(UDP, packets.udp(5, 2152, b"\x32\xff\0\x40\0\0\0\1\0\7\0\0" + FOUR)),
    "GTP of 5G": outer(
        UDP, packets.udp(5, 2152, b"\x34\xff\0\x42\0\0\0\1\0\0\0\x85\1\x10\1\0" + FOUR)
    ),
    "L2TP": outer(UDP, packets.udp(5, 1701, b"\0\2\0\1\0\2\xff\x03\0\x21" + FOUR)),
    "L2TP with length, numbers and offset": outer(
        UDP,
        packets.udp(5, 1701, b"\x4a\2\0\x4e\0\1\0\2\0\3\0\4\0\2\0\0\xff\x03\0\x21" + FOUR),
    ),
    "Teredo": outer(UDP, packets.udp(50007, 3544, SIX)),
    "Teredo of a relay": outer(
        UDP, packets.udp(3544, 50006, b"\0\1\0\0" + bytes(9) + b"\0\0" + bytes(6) + SIX)
    ),
    "GRE in UDP": outer(UDP, packets.udp(5, 4754, b"\0\0\x08\0" + FOUR)),
    "MPLS in UDP": outer(UDP, packets.udp(50008, 6635, b"\0\x02\x01\x40" + FOUR)),
    "MPLS in IP": outer(137, b"\0\x02\x01\x40" + FOUR),
    "EtherIP": outer(97, b"\x30\0" + FRAME),
    "TZSP": outer(UDP, packets.udp(5, 37008, b"\1\0\0\1\1" + FRAME)),
    "TZSP with tags": outer(
        UDP, packets.udp(5, 37008, b"\1\0\0\1\0\x0a\1\xc0\x29\2\0\0\1" + FRAME)
    ),
    "TZSP of 802.11": outer(
        UDP, packets.udp(5, 37008, b"\1\0\0\x12\1" + wifi(b"\x08\x01", LOGICAL))
    ),
    "over IPv6": packets.ipv6("2001:db8::8", "2001:db8::9", IPIP, FOUR),
    "GRE in VXLAN": outer(
        UDP,
        packets.udp(
            5, 4789, b"\x08" + bytes(7) + packets.ethernet(outer(GRE, b"\0\0\x86\xdd" + SIX))
        ),
    ),
}
