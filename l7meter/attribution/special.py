"""Addresses with a special purpose, which no organisation holds and no routing table announces.

Sources: https://www.iana.org/assignments/iana-ipv4-special-registry/ and
https://www.iana.org/assignments/iana-ipv6-special-registry/ (2025-10-09), and for multicast and space
outside 2000::/3 https://www.iana.org/assignments/ipv6-address-space/ and RFC 5771.

Blocks that hold an IPv4 address (mapped, NAT64, 6to4, Teredo) are absent here: `addresses` unwraps them.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from l7meter.attribution.ranges import Ranges, disjoint, keys_of


class Block(NamedTuple):
    """One block: its prefix, its name in the registry, and the document that sets it apart."""

    prefix: str
    name: str
    source: str


BLOCKS: tuple[Block, ...] = (
    Block("0.0.0.0/8", "This network", "RFC 791"),
    Block("10.0.0.0/8", "Private-Use", "RFC 1918"),
    Block("100.64.0.0/10", "Shared Address Space (carrier-grade NAT)", "RFC 6598"),
    Block("127.0.0.0/8", "Loopback", "RFC 1122"),
    Block("169.254.0.0/16", "Link Local", "RFC 3927"),
    Block("172.16.0.0/12", "Private-Use", "RFC 1918"),
    Block("192.0.0.0/24", "IETF Protocol Assignments", "RFC 6890"),
    Block("192.0.0.0/29", "IPv4 Service Continuity Prefix", "RFC 7335"),
    Block("192.0.0.9/32", "Port Control Protocol Anycast", "RFC 7723"),
    Block("192.0.0.10/32", "Traversal Using Relays around NAT Anycast", "RFC 8155"),
    Block("192.0.0.170/31", "NAT64/DNS64 Discovery", "RFC 8880"),
    Block("192.0.2.0/24", "Documentation (TEST-NET-1)", "RFC 5737"),
    Block("192.31.196.0/24", "AS112-v4", "RFC 7535"),
    Block("192.52.193.0/24", "AMT", "RFC 7450"),
    Block("192.88.99.0/24", "Deprecated (6to4 Relay Anycast)", "RFC 7526"),
    Block("192.168.0.0/16", "Private-Use", "RFC 1918"),
    Block("192.175.48.0/24", "Direct Delegation AS112 Service", "RFC 7534"),
    Block("198.18.0.0/15", "Benchmarking", "RFC 2544"),
    Block("198.51.100.0/24", "Documentation (TEST-NET-2)", "RFC 5737"),
    Block("203.0.113.0/24", "Documentation (TEST-NET-3)", "RFC 5737"),
    Block("224.0.0.0/4", "Multicast", "RFC 5771"),
    Block("240.0.0.0/4", "Reserved", "RFC 1112"),
    Block("255.255.255.255/32", "Limited Broadcast", "RFC 8190"),
    Block("::/3", "Reserved by IETF", "RFC 4291"),
    Block("::/128", "Unspecified Address", "RFC 4291"),
    Block("::1/128", "Loopback Address", "RFC 4291"),
    Block("64:ff9b:1::/48", "IPv4-IPv6 Translation, local use", "RFC 8215"),
    Block("100::/64", "Discard-Only Address Block", "RFC 6666"),
    Block("100:0:0:1::/64", "Dummy IPv6 Prefix", "RFC 9780"),
    Block("2001::/23", "IETF Protocol Assignments", "RFC 2928"),
    Block("2001:1::1/128", "Port Control Protocol Anycast", "RFC 7723"),
    Block("2001:1::2/128", "Traversal Using Relays around NAT Anycast", "RFC 8155"),
    Block("2001:1::3/128", "DNS-SD Service Registration Protocol Anycast", "RFC 9665"),
    Block("2001:2::/48", "Benchmarking", "RFC 5180"),
    Block("2001:3::/32", "AMT", "RFC 7450"),
    Block("2001:4:112::/48", "AS112-v6", "RFC 7535"),
    Block("2001:10::/28", "Deprecated (ORCHID)", "RFC 4843"),
    Block("2001:20::/28", "ORCHIDv2", "RFC 7343"),
    Block("2001:30::/28", "Drone Remote ID Protocol Entity Tags", "RFC 9374"),
    Block("2001:db8::/32", "Documentation", "RFC 3849"),
    Block("2620:4f:8000::/48", "Direct Delegation AS112 Service", "RFC 7534"),
    Block("3fff::/20", "Documentation", "RFC 9637"),
    Block("4000::/2", "Reserved by IETF", "RFC 4291"),
    Block("8000::/1", "Reserved by IETF", "RFC 4291"),
    Block("5f00::/16", "Segment Routing (SRv6) SIDs", "RFC 9602"),
    Block("fc00::/7", "Unique-Local", "RFC 4193"),
    Block("fe80::/10", "Link-Local Unicast", "RFC 4291"),
    Block("fec0::/10", "Deprecated (Site-Local)", "RFC 3879"),
    Block("ff00::/8", "Multicast", "RFC 4291"),
)


@cache
def ranges() -> tuple[Ranges, Ranges]:
    """IPv4 and IPv6 ranges of `BLOCKS`; their rows are positions in `BLOCKS`."""
    prefixes = [block.prefix for block in BLOCKS]
    built = []
    for version in (4, 6):
        starts, ends, rows = disjoint(prefixes, version)
        keys = keys_of(starts, version), keys_of(ends, version)
        built.append(Ranges(*keys, np.array(rows, np.int64)))
    return built[0], built[1]
