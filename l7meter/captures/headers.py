"""Link, IP and TCP headers of all packets of a window at once, a column a field.

Only what is common is read here: Ethernet (one VLAN tag at most), Linux cooked, raw IP and loopback;
IPv4 and IPv6 without fragments and extension headers; TCP, captured whole. `plain` says of which
packets that is true; the others are the exact path's.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from l7meter.captures.window import Window

Integers = NDArray[np.int64]
Rows = NDArray[np.bool_]
Octets = NDArray[np.uint8]

# LINKTYPE_ → place of the EtherType (None: the IP version tells) and of the network header
_LINKS = {1: (12, 14), 113: (14, 16), 276: (0, 20), 101: (None, 0), 12: (None, 0), 0: (None, 4), 108: (None, 4)}  # fmt: skip
_VLAN = (0x8100, 0x88A8)
_IPV4, _IPV6 = 0x0800, 0x86DD
_LINK, _NETWORK, _TRANSPORT = 24, 40, 20  # octets that are looked at
TCP = 6


class Headers(NamedTuple):
    """Columns by packet; those of packets that are not `plain` mean nothing."""

    plain: Rows
    network: Integers  # place of the IP header in the window's data
    version: Octets  # 4 or 6
    wire: Integers  # octets of the IP packet
    source: Integers  # port
    destination: Integers
    seq: Integers
    ack: Integers
    flags: Octets
    payload: Integers  # place in the window's data
    length: Integers  # octets of payload


def decode(window: Window) -> Headers:
    """The headers of each packet."""
    data = np.frombuffer(window.data, np.uint8)
    count = len(window.start)
    plain = np.zeros(count, np.bool_)
    network = np.zeros(count, np.int64)
    for link in np.unique(window.link).tolist():
        if link in _LINKS:
            rows = np.flatnonzero(window.link == link)
            network[rows], plain[rows] = _network(data, window.start[rows], *_LINKS[link])
    ends = window.start + window.captured
    heads = _gather(data, network, _NETWORK)
    version = heads[:, 0] >> 4
    four = version == 4
    size = np.where(four, (heads[:, 0] & 15).astype(np.int64) * 4, 40)
    total = np.where(four, _pair(heads, 2), _pair(heads, 4) + 40)
    unbroken = (_pair(heads, 6) & 0x3FFF) == 0  # neither a fragment nor the first of several
    protocol = np.where(four, heads[:, 9], heads[:, 6])
    plain &= (four & unbroken & (size >= 20)) | (version == 6)
    plain &= (protocol == TCP) & (network + total <= ends)
    plain &= network <= len(data) - _NETWORK  # the last packet's header may have been cut there
    transport = np.where(plain, network + size, 0)
    segments = _gather(data, transport, _TRANSPORT)
    header = (segments[:, 12] >> 4).astype(np.int64) * 4
    length = total - size - header
    plain &= (header >= 20) & (length >= 0)
    return Headers(
        plain,
        network,
        version.astype(np.uint8),
        total,
        _pair(segments, 0),
        _pair(segments, 2),
        _pair(segments, 4) << 16 | _pair(segments, 6),
        _pair(segments, 8) << 16 | _pair(segments, 10),
        segments[:, 13],
        transport + header,
        length,
    )


def _network(data: Octets, start: Integers, kind: int | None, behind: int) -> tuple[Integers, Rows]:
    """Where the IP header stands, and of which packets that can be told."""
    if kind is None:
        network = start + behind
        return network, np.ones(len(start), np.bool_)
    links = _gather(data, start, _LINK)
    ether = _pair(links, kind)
    tagged = np.isin(ether, _VLAN)
    if tagged.any():
        ether = np.where(tagged, _pair(links, kind + 4), ether)
    network = start + behind + 4 * tagged
    version = _gather(data, network, 1)[:, 0] >> 4
    return network, ((ether == _IPV4) & (version == 4)) | ((ether == _IPV6) & (version == 6))


def _gather(data: Octets, places: Integers, width: int) -> Octets:
    """So many octets from each place; those beyond the data are of no meaning."""
    if len(data) < width:
        return np.zeros((len(places), width), np.uint8)
    views = np.lib.stride_tricks.sliding_window_view(data, width)
    found: Octets = views[np.minimum(places, len(data) - width)]
    return found


def _pair(octets: Octets, place: int) -> Integers:
    """Two octets as a number, the first the higher."""
    return octets[:, place].astype(np.int64) << 8 | octets[:, place + 1]
