"""Packets and captures made from their fields, with correct lengths and checksums.

Addresses are text; every function gives octets. A packet is put together from the inside out:
`ethernet(ipv4("192.0.2.1", "192.0.2.2", TCP, tcp(40000, 80, 1, 1, ACK, b"GET / HTTP/1.1\\r\\n\\r\\n")))`.
`ipv4` and `ipv6` fill the checksum of TCP and UDP in.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterable, Sequence

IPIP, TCP, UDP, SIXIN4, GRE = 4, 6, 17, 41, 47
FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
CLIENT, SERVER = "192.0.2.1", "192.0.2.2"
CLIENT6, SERVER6 = "2001:db8::1", "2001:db8::2"
START = 1_700_000_000_000_000_000  # 2023-11-14 22:13:20 UTC, in ns
PLACES = {TCP: 16, UDP: 6}  # of the checksum in the header

Packet = tuple[int, bytes] | tuple[int, bytes, int]  # ns, octets captured, octets on the wire


def packed(address: str) -> bytes:
    """An address as 4 or 16 octets."""
    return ipaddress.ip_address(address).packed


def checksum(octets: bytes) -> int:
    """RFC 1071."""
    octets += b"\0" * (len(octets) % 2)
    total = sum(struct.unpack(f">{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def with_checksum(src: str, dst: str, proto: int, payload: bytes) -> bytes:
    """The payload with the checksum of its TCP or UDP header filled in."""
    place = PLACES.get(proto)
    if place is None or len(payload) < place + 2:
        return payload
    blank = payload[:place] + b"\0\0" + payload[place + 2 :]
    pseudo = packed(src) + packed(dst) + struct.pack(">II", len(payload), proto)
    value = checksum(pseudo + blank)
    if proto == UDP and not value:
        value = 0xFFFF
    return blank[:place] + struct.pack(">H", value) + blank[place + 2 :]


def ipv4(
    src: str,
    dst: str,
    proto: int,
    payload: bytes,
    *,
    options: bytes = b"",
    ident: int = 1,
    offset: int = 0,
    more: bool = False,
    length: int | None = None,
    header_checksum: int | None = None,
    fill: bool = True,
) -> bytes:
    """An IPv4 packet; `offset` in octets and `more` make a fragment, `fill` the TCP/UDP checksum.

    `length` replaces the total length, `header_checksum` the right one. Fragments are not filled.
    """
    if fill and not offset and not more:
        payload = with_checksum(src, dst, proto, payload)
    options += b"\0" * (-len(options) % 4)
    words = 5 + len(options) // 4
    total = words * 4 + len(payload) if length is None else length
    place = offset // 8 | more << 13

    def header(value: int) -> bytes:
        fixed = struct.pack(">BBHHHBBH", 0x40 | words, 0, total, ident, place, 64, proto, value)
        return fixed + packed(src) + packed(dst) + options

    value = checksum(header(0)) if header_checksum is None else header_checksum
    return header(value) + payload


def ipv4_fragments(
    src: str, dst: str, proto: int, payload: bytes, size: int, ident: int = 1
) -> list[bytes]:
    """An IPv4 packet in fragments of `size` octets (a multiple of 8) each, in order."""
    payload = with_checksum(src, dst, proto, payload)
    return [
        ipv4(
            src,
            dst,
            proto,
            payload[place : place + size],
            ident=ident,
            offset=place,
            more=place + size < len(payload),
            fill=False,
        )
        for place in range(0, len(payload), size)
    ]


def ipv6(
    src: str,
    dst: str,
    proto: int,
    payload: bytes,
    *,
    headers: Sequence[tuple[int, bytes]] = (),
    length: int | None = None,
    fill: bool = True,
) -> bytes:
    """An IPv6 packet; `headers` are extension headers (number, body after the next header field)."""
    if fill:
        payload = with_checksum(src, dst, proto, payload)
    numbers = [number for number, _ in headers] + [proto]
    chain = b"".join(
        bytes([after]) + body for after, (_, body) in zip(numbers[1:], headers, strict=True)
    )
    size = len(chain) + len(payload) if length is None else length
    fixed = struct.pack(">IHBB", 6 << 28, size, numbers[0], 64)
    return fixed + packed(src) + packed(dst) + chain + payload


def ipv6_fragments(
    src: str, dst: str, proto: int, payload: bytes, size: int, ident: int = 1
) -> list[bytes]:
    """An IPv6 packet in fragments of `size` octets (a multiple of 8) each, in order."""
    payload = with_checksum(src, dst, proto, payload)
    return [
        ipv6(
            src,
            dst,
            proto,
            payload[place : place + size],
            headers=[(44, struct.pack(">BHI", 0, place | (place + size < len(payload)), ident))],
            fill=False,
        )
        for place in range(0, len(payload), size)
    ]


def tcp(
    sport: int,
    dport: int,
    seq: int,
    ack: int,
    flags: int,
    payload: bytes = b"",
    *,
    window: int = 65535,
    options: bytes = b"",
) -> bytes:
    """A TCP segment; its checksum is filled in by `ipv4` or `ipv6`."""
    options += b"\0" * (-len(options) % 4)
    words = 5 + len(options) // 4
    seq, ack = seq & 0xFFFFFFFF, ack & 0xFFFFFFFF
    fixed = struct.pack(">HHIIBBHHH", sport, dport, seq, ack, words << 4, flags, window, 0, 0)
    return fixed + options + payload


def udp(sport: int, dport: int, payload: bytes = b"") -> bytes:
    """A UDP datagram; its checksum is filled in by `ipv4` or `ipv6`."""
    return struct.pack(">HHHH", sport, dport, 8 + len(payload), 0) + payload


def ethernet(
    payload: bytes, kind: int | None = None, *, tags: Sequence[int] = (), pad: bool = False
) -> bytes:
    """An Ethernet frame; `tags` are VLAN identifiers, the outer one (0x88a8) first, `pad` to 60."""
    if kind is None:
        kind = 0x86DD if payload[:1] and payload[0] >> 4 == 6 else 0x0800
    kinds = [0x88A8] * (len(tags) - 1) + [0x8100] * bool(tags)
    head = b"\x02\0\0\0\0\2\x02\0\0\0\0\1"
    head += b"".join(struct.pack(">HH", each, tag) for each, tag in zip(kinds, tags, strict=True))
    frame = head + struct.pack(">H", kind) + payload
    return frame.ljust(60, b"\0") if pad else frame


def pcap(
    packets: Iterable[Packet],
    link: int = 1,
    ns: bool = False,
    big: bool = False,
    snap: int = 262_144,
    modified: bool = False,
) -> bytes:
    """A pcap file; `modified` is Kuznetzov's, with 8 octets more in each packet's header."""
    order = ">" if big else "<"
    magic = 0xA1B2CD34 if modified else 0xA1B23C4D if ns else 0xA1B2C3D4
    parts = [struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, snap, link)]
    for time, octets, *length in packets:
        seconds, rest = divmod(time, 10**9)
        fraction = rest if ns else rest // 1000
        size = length[0] if length else len(octets)
        parts.append(struct.pack(order + "IIII", seconds, fraction, len(octets), size))
        parts += [b"\0" * 8] * modified + [octets]
    return b"".join(parts)


def option(code: int, value: bytes, big: bool = False) -> bytes:
    """An option of a pcapng block, padded."""
    head = struct.pack(">HH" if big else "<HH", code, len(value))
    return head + value + b"\0" * (-len(value) % 4)


def block(kind: int, body: bytes, big: bool = False) -> bytes:
    """A pcapng block, padded, with its length at both ends."""
    order = ">" if big else "<"
    body += b"\0" * (-len(body) % 4)
    size = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + size + body + size


def section(big: bool = False) -> bytes:
    """A section header block of unknown section length."""
    return block(0x0A0D0D0A, struct.pack(">IHHq" if big else "<IHHq", 0x1A2B3C4D, 1, 0, -1), big)


def interface(link: int = 1, snap: int = 0, options: bytes = b"", big: bool = False) -> bytes:
    """An interface description block."""
    return block(1, struct.pack(">HHI" if big else "<HHI", link, 0, snap) + options, big)


def enhanced(
    ticks: int, octets: bytes, length: int | None = None, number: int = 0, big: bool = False
) -> bytes:
    """An enhanced packet block; `ticks` in the unit of the interface `number` (µs by default)."""
    length = len(octets) if length is None else length
    order = ">IIIII" if big else "<IIIII"
    fields = (number, ticks >> 32, ticks & 0xFFFFFFFF, len(octets), length)
    return block(6, struct.pack(order, *fields) + octets, big)


def pcapng(packets: Iterable[Packet], link: int = 1, ns: bool = True, big: bool = False) -> bytes:
    """A pcapng file of one section with one interface."""
    parts = [section(big), interface(link, 0, option(9, bytes([9 if ns else 6]), big), big)]
    for time, octets, *length in packets:
        ticks = time if ns else time // 1000
        parts.append(enhanced(ticks, octets, length[0] if length else None, 0, big))
    return b"".join(parts)
