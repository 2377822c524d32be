"""Shapley's value of the capacity that parties need together.

What a set of parties costs is the busiest hour of their sum (or its 95th percentile). The value of one is
what it adds to those who came before it, in the mean of all orders of joining: Shapley (1953),
https://www.rand.org/pubs/papers/P295.html; for the 95th percentile of networks Stanojevic, Laoutaris
and Rodriguez, "On Economic Heavy Hitters: Shapley Value Analysis of 95th-Percentile Pricing" (IMC 2010).

Three ways, the first that applies: where no two share an hour, the busiest hour of a set is the largest
among its own, and the value is that of the airport game in closed form (Littlechild and Owen 1973,
https://doi.org/10.1287/mnsc.20.3.370); of few parties all sets are looked at; else orders are drawn at
random, each with its reverse. All sums are of whole octets, so the same seed gives the same shares anywhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
FEW = 10  # parties of which all 1,024 sets are looked at
WORK = 200_000_000  # hours of parties that are added up: some 5 s
_BLOCK = 4_000_000  # of these at once


class Value(NamedTuple):
    """Octets an hour of each party, and standard errors as parts of their sum; empty where exact."""

    shares: list[Fraction]
    method: str
    errors: list[float]


def value(hours: Ints, measure: str, orders: int, seed: int) -> Value:
    """The value of each row of `hours` (octets of party and hour); `measure` is `peak` or `p95`."""
    active = np.flatnonzero(hours.any(1))
    shares = [Fraction(0)] * len(hours)
    errors: list[float] = []
    rows = hours[active]
    if not len(active):
        return Value(shares, "nothing was used", errors)
    if measure == "peak" and ((rows > 0).sum(0) <= 1).all():
        found, method = _airport([int(each) for each in rows.max(1)]), "closed form, as no two share an hour"  # fmt: skip
    elif len(active) <= FEW:
        found, method = _all_sets(rows, measure), "exact"
    else:
        pairs = max(min((orders + 1) // 2, WORK // (2 * rows.size)), 4)
        found, spread = _drawn(rows, measure, pairs, seed)
        method = f"{2 * pairs:,} orders drawn with seed {seed}"
        errors = [0.0] * len(hours)
        for place, each in zip(active, spread, strict=True):
            errors[place] = each
    for place, share in zip(active, found, strict=True):
        shares[place] = share
    return Value(shares, method, errors)


def cost(sums: Ints, measure: str) -> Ints:
    """What capacity sums need; the last axis are hours."""
    if measure == "peak":
        found: Ints = sums.max(-1)
        return found
    place = math.ceil(0.95 * sums.shape[-1]) - 1
    ranked: Ints = np.partition(sums, place, axis=-1)[..., place]
    return ranked


def _airport(peaks: Sequence[int]) -> list[Fraction]:
    """Each step from one peak to the next is shared by all whose peak reaches it."""
    order = sorted(range(len(peaks)), key=peaks.__getitem__)
    shares, below, share = [Fraction(0)] * len(peaks), 0, Fraction(0)
    for place, party in enumerate(order):
        share += Fraction(peaks[party] - below, len(peaks) - place)
        below = peaks[party]
        shares[party] = share
    return shares


def _all_sets(hours: Ints, measure: str) -> list[Fraction]:
    count = len(hours)
    sets = np.arange(1 << count)
    members = (sets[:, None] >> np.arange(count)) & 1
    costs = [int(cost(row @ hours, measure)) if row.any() else 0 for row in members]
    sizes = members.sum(1)
    shares = []
    for party in range(count):
        without = sets[members[:, party] == 0]
        sum_ = sum(
            (costs[each | 1 << party] - costs[each])
            * math.factorial(int(sizes[each]))
            * math.factorial(count - 1 - int(sizes[each]))
            for each in map(int, without)
        )
        shares.append(Fraction(sum_, math.factorial(count)))
    return shares


def _drawn(hours: Ints, measure: str, pairs: int, seed: int) -> tuple[list[Fraction], list[float]]:
    """The mean over so many pairs of orders, and its standard error over what all cost together."""
    count = len(hours)
    bits = np.random.PCG64(seed)  # its stream is the same in all versions, unlike a Generator's
    sums, squares = np.zeros(count, np.int64), np.zeros(count)
    for _ in range(pairs):
        order = np.argsort(bits.random_raw(count), kind="stable")
        both = _added(hours, order, measure) + _added(hours, order[::-1], measure)
        sums += both
        squares += (both / 2) ** 2
    whole = float(sums.sum()) / (2 * pairs) or 1.0
    mean = sums / (2 * pairs)
    variance = np.maximum(squares / pairs - mean**2, 0) / max(pairs - 1, 1)
    return [Fraction(int(each), 2 * pairs) for each in sums], list(np.sqrt(variance) / whole)


def _added(hours: Ints, order: Ints, measure: str) -> Ints:
    """What each adds to those before it in an order."""
    step = max(_BLOCK // hours.shape[1], 1)
    before = np.zeros(hours.shape[1], np.int64)
    costs = np.empty(len(order), np.int64)
    for begin in range(0, len(order), step):
        part = hours[order[begin : begin + step]]
        part[0] += before
        np.cumsum(part, axis=0, out=part)
        before = part[-1].copy()
        costs[begin : begin + step] = cost(part, measure)
    added = np.empty(len(order), np.int64)
    added[order] = np.diff(costs, prepend=0)
    return added
