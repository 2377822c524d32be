"""Tunnels are opened, to the innermost packet that can be read."""

from __future__ import annotations

import packets
import pytest
from packets import GRE, IPIP, UDP
from wrappings import FOUR, PLAIN, SIX, SIX_PLAIN, TUNNELS, outer

from l7meter.captures.links import NESTED, Datagram, Decoder


def one(octets: bytes) -> Datagram | None:
    return Decoder().decode(101, octets, len(octets))


@pytest.mark.parametrize("name", TUNNELS)
def test_tunnels_are_opened_and_their_overhead_told(name: str) -> None:
    octets = TUNNELS[name]
    inner = SIX_PLAIN if octets.endswith(SIX) else PLAIN
    assert one(octets) == inner._replace(overhead=len(octets) - inner.wire)


@pytest.mark.parametrize(
    "octets",
    [
        outer(UDP, packets.udp(5, 4789, b"not VXLAN")),
        outer(UDP, packets.udp(5, 4789, b"\x08" + bytes(7) + packets.ethernet(b"", 0x0806))),
        outer(UDP, packets.udp(5, 6081, b"\xff" * 40)),
        outer(GRE, b"\x40\0\x08\0" + FOUR),
        outer(GRE, b""),
        outer(IPIP, b"x" * 30),
    ],
)
def test_a_tunnel_that_holds_no_ip_stays_what_it_is(octets: bytes) -> None:
    found = one(octets)
    assert found is not None
    assert (found.payload, found.wire, found.overhead) == (octets[20:], len(octets), 0)


def test_tunnels_are_opened_to_a_bounded_depth() -> None:
    octets = FOUR
    for _ in range(NESTED + 1):
        octets = outer(IPIP, octets)
    found = one(octets)
    assert found is not None
    assert (found.protocol, found.overhead) == (IPIP, 20 * NESTED)
