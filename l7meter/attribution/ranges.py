"""Ranges of whole numbers: nested and overlapping ones made disjoint, and an exact search in them.

Addresses are numbers here. IPv4 keys are `uint32`; numpy has no 128-bit integer, so IPv6 keys are the
sixteen octets of the address, network order, as `S16`, which numpy compares octet by octet like
`memcmp` (both sides are always sixteen octets, so its padding with NUL changes no order).
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush
from ipaddress import ip_network
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[Any]  # uint32 (IPv4) or S16 (IPv6)


class Ranges(NamedTuple):
    """Disjoint inclusive ranges in ascending order, and what each stands for."""

    starts: Keys
    ends: Keys
    labels: NDArray[Any]  # integers: AS numbers, or rows of a table

    def locate(self, keys: Keys) -> NDArray[np.int64]:
        """Position of the range that holds each key, -1 where none does."""
        if not len(self.starts):
            return np.full(len(keys), -1, np.int64)
        at = np.searchsorted(self.starts, keys, side="right") - 1
        # Before the first range `at` is -1 and reads the last one, whose end says nothing: hence the first test.
        return np.where((at >= 0) & (keys <= self.ends[at]), at, -1)


def keys_of(numbers: Sequence[int], version: int) -> Keys:
    """Addresses of an IP version as search keys."""
    if version == 4:
        return np.array(numbers, np.uint32)
    return np.frombuffer(b"".join([number.to_bytes(16, "big") for number in numbers]), "S16")


def disjoint(prefixes: Sequence[str], version: int) -> tuple[list[int], list[int], list[int]]:
    """The prefixes of an IP version as `flatten` gives them: starts, ends, rows of `prefixes`."""
    networks = [
        (row, net) for row, net in enumerate(map(ip_network, prefixes)) if net.version == version
    ]
    starts, ends, places = flatten(
        [int(net.network_address) for _, net in networks],
        [int(net.broadcast_address) for _, net in networks],
    )
    return starts, ends, [networks[place][0] for place in places]


def flatten(
    starts: Sequence[int], ends: Sequence[int], priorities: Sequence[int] | None = None
) -> tuple[list[int], list[int], list[int]]:
    """Disjoint pieces `(starts, ends, rows)` of inclusive ranges that may nest or overlap.

    Each number goes to the range of the highest priority that holds it; among equals to the
    narrowest, among those to the later row. Pieces ascend, and neighbours of one row are joined.
    Raises ValueError for a range that ends before it starts.
    """
    if any(start > end for start, end in zip(starts, ends, strict=True)):
        raise ValueError("a range ends before it starts")
    ranks = priorities if priorities is not None else [0] * len(starts)
    order = sorted(range(len(starts)), key=starts.__getitem__)
    borders = sorted({*starts, *(end + 1 for end in ends)})
    out_starts: list[int] = []
    out_ends: list[int] = []
    out_rows: list[int] = []
    active: list[tuple[int, int, int]] = []  # heap: best range first
    opened = 0
    # A sweep in Python: once per import of a list (300 k ranges/s), never per address.
    for border, next_border in pairwise(borders):
        while opened < len(order) and starts[order[opened]] == border:
            row = order[opened]
            heappush(active, (-ranks[row], ends[row] - starts[row], -row))
            opened += 1
        while active and ends[-active[0][2]] < border:
            heappop(active)
        if not active:
            continue
        row = -active[0][2]
        if out_rows and out_rows[-1] == row and out_ends[-1] == border - 1:
            out_ends[-1] = next_border - 1
        else:
            out_starts.append(border)
            out_ends.append(next_border - 1)
            out_rows.append(row)
    return out_starts, out_ends, out_rows
