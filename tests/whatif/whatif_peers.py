"""What peers could have served, request by request: the plain reference that what is computed by columns has to equal."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

HOUR = 3_600_000_000  # µs


class Delivery(NamedTuple):
    """`octets` of an object that were delivered to a client, at an instant in µs."""

    scope: int
    ts: int
    key: int
    client: int
    octets: int


def holders(deliveries: list[Delivery], of: Delivery, since: int, until: int) -> set[int]:
    """The clients to whom its object was delivered from one instant until before another."""
    return {
        each.client
        for each in deliveries
        if (each.scope, each.key) == (of.scope, of.key) and since <= each.ts < until
    }


class Served(NamedTuple):
    own: int
    peer: int
    bounded: float


def served(
    deliveries: list[Delivery], scope: int, window: int, participation: float, upload: int | None, since: int = 0
) -> Served:  # fmt: skip
    """What is served in a scope from the instant `since` on."""
    q = participation
    own = peer = 0
    cells: dict[tuple[int, int], float] = defaultdict(float)
    limits: dict[tuple[int, int], float] = {}
    here = [each for each in deliveries if each.scope == scope]
    for each in here:
        if each.ts < since:
            continue
        had = holders(here, each, each.ts - window, each.ts)
        if each.client in had:
            own += each.octets
        elif had:
            peer += each.octets
            hour = each.ts // HOUR
            cells[each.key, hour] += each.octets * q * (1 - (1 - q) ** len(had))
            there = holders(here, each, hour * HOUR - window, (hour + 1) * HOUR)
            limits[each.key, hour] = float("inf") if upload is None else q * len(there) * upload * 3600  # fmt: skip
    hours: dict[int, float] = defaultdict(float)
    for cell, octets in cells.items():
        hours[cell[1]] += min(octets, limits[cell])
    if upload is None:
        return Served(own, peer, sum(hours.values()))
    reach = -(-window // HOUR)
    for hour in hours:
        there = {each.client for each in here if hour - reach <= each.ts // HOUR <= hour}
        hours[hour] = min(hours[hour], q * len(there) * upload * 3600)
    return Served(own, peer, sum(hours.values()))
