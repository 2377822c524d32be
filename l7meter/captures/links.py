"""The innermost IP datagram of each packet, exactly, a packet at a time."""

from __future__ import annotations

import struct
from collections import Counter
from typing import NamedTuple

from l7meter.captures.fragments import Fragments
from l7meter.captures.frames import Skipped, framed
from l7meter.captures.internet import Packet, chain, checksum_bad, packet
from l7meter.captures.tunnels import inside

NESTED = 8  # tunnels inside each other that are opened


class Datagram(NamedTuple):
    """An IP datagram, put together of its fragments, out of its tunnels."""

    source: bytes  # packed address, 4 or 16 octets
    destination: bytes
    protocol: int  # 6 TCP, 17 UDP, ... (behind IPv6 extension headers)
    wire: int  # octets of this IP packet by its own length field, of all its fragments
    payload: bytes  # captured octets behind the IP headers, without padding
    length: int  # octets behind the IP headers by the length field
    overhead: int  # octets that the outer IP packets of tunnels have beside this one
    checksum_bad: bool  # of IPv4, TCP or UDP; False when it cannot be checked
    packets: int  # that it came in: 1, or its fragments


class Decoder:
    """Reads frames of link layers, and keeps fragments until their datagram is whole.

    Every packet is counted once: in the `packets` of its datagram, in `skipped` (reason to packets),
    or in `held`, the fragments that wait for others.
    """

    def __init__(self, skipped: Counter[str] | None = None) -> None:
        self.skipped = Counter() if skipped is None else skipped
        self._fragments = Fragments(self.skipped)

    @property
    def held(self) -> int:
        """Fragments that wait for others."""
        return self._fragments.held

    @property
    def unfinished_octets(self) -> int:
        """IP octets of the fragments that never became a whole datagram."""
        return self._fragments.unfinished_octets

    def decode(self, link: int, octets: bytes | memoryview, length: int) -> Datagram | None:
        """The datagram of a packet of a link type; `length` octets were on the wire."""
        view = memoryview(octets)
        try:
            frame = framed(link, view, max(length, len(view)))
            return self._datagram(packet(frame))
        except Skipped as reason:
            self.skipped[str(reason)] += 1
            return None

    def flush(self) -> None:
        """At the end: count the fragments whose datagram never became whole."""
        self._fragments.flush()

    def _datagram(self, outer: Packet) -> Datagram | None:
        found = self._whole(outer, 0)
        for _ in range(NESTED):
            inner = found and inside(found[0])
            if not (found and inner):
                break
            found = self._whole(inner, found[1] + max(found[0].wire - inner.wire, 0))
        if found is None:
            return None
        whole, overhead = found
        return Datagram(
            whole.source,
            whole.destination,
            whole.protocol,
            whole.wire,
            bytes(whole.payload),
            whole.length,
            overhead,
            checksum_bad(whole),
            whole.packets,
        )

    def _whole(self, part: Packet, overhead: int) -> tuple[Packet, int] | None:
        if part.fragment is None:
            return part, overhead
        try:
            found = self._fragments.add(part, overhead)
        except Skipped as reason:
            self.skipped[str(reason)] += part.packets
            return None
        if found is None or part.fragment.version == 4:
            return found
        return _behind(found[0]), found[1]


def _behind(whole: Packet) -> Packet:
    """IPv6 extension headers may follow the fragment header: skip them in the whole datagram."""
    try:
        number, place, part, routed = chain(whole.protocol, whole.payload, 0)
    except (IndexError, struct.error):
        return whole
    if part:  # a fragment inside a fragment: nobody sends it
        return whole
    return whole._replace(
        protocol=number,
        payload=whole.payload[place:],
        length=whole.length - place,
        routed=whole.routed or routed,
    )
