"""What became of a capture's packets and octets: every one of them is in exactly one place."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields
from typing import Any

HEADERS = 52  # octets of IPv4 and TCP with timestamps
MOSTLY_CONTENT = 100  # octets a packet, from which on the headers' true size matters little


@dataclass
class Sums:
    """Counts of a capture, all in packets, connections or octets.

    `packets == carried + skipped.total()`, and
    `payload_bytes == message_bytes + tunnel_bytes + remainder_bytes`.
    """

    packets: int = 0  # read
    carried: int = 0  # of connections, whose octets are in records
    skipped: Counter[str] = field(default_factory=Counter)  # by reason
    connections: int = 0
    exact_connections: int = 0  # of which no packet was taken by columns
    payload_bytes: int = (
        0  # distinct octets of TCP payload, and UDP payload of QUIC, that were seen
    )
    message_bytes: int = 0  # of requests and responses
    tunnel_bytes: int = 0  # of connections that cannot be opened: TLS, QUIC, CONNECT, WebSocket
    remainder_bytes: int = 0  # neither
    wire_bytes: int = 0  # of the IP packets of the connections, by their own length
    missing_bytes: int = 0  # acknowledged or within the sequence, but not captured
    bad_checksums: int = 0  # packets, kept all the same: offload makes them
    closed: int = 0  # TLS and QUIC connections of a capture that is read with keys
    opened: int = 0  # of these, that are told as their exchanges
    limits: Counter[str] = field(default_factory=Counter)  # that were hit, by name

    @property
    def passes(self) -> float:
        """How often an octet of content was on the wire, about; 1 where headers are most of it."""
        content = self.payload_bytes + self.missing_bytes
        if content < MOSTLY_CONTENT * self.carried:
            return 1.0
        return max(self.wire_bytes - HEADERS * self.carried, 0) / max(content, 1)

    def __add__(self, other: Sums) -> Sums:
        """Both together."""
        return Sums(*(_of(self, name) + _of(other, name) for name in NAMES))

    def __sub__(self, before: Sums) -> Sums:
        """What came since the sums were `before`."""
        return Sums(*(_of(self, name) - _of(before, name) for name in NAMES))


NAMES = tuple(each.name for each in fields(Sums))


def _of(sums: Sums, name: str) -> Any:
    return getattr(sums, name)  # an int, or a Counter: both add up
