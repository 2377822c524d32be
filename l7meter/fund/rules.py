"""Rules: how much each party counts, of what drives a pool.

A rule says what octets count; requests, packages and heads count alike under each. More use never
counts less under any of them, and who uses the same counts the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from l7meter.fund.policy import Policy, Rule
from l7meter.fund.shapley import Value, value
from l7meter.fund.usage import Party, Usage

Ints = NDArray[np.int64]
Number = Fraction | int


class Counts(NamedTuple):
    """How much each party counts, in the order of the usage, and in what unit.

    `errors` are standard errors, as parts of the sum of all, where counts are estimates; `method` says
    in words how they were found.
    """

    counts: Sequence[Number]
    unit: str
    method: str = ""
    errors: Sequence[float] = ()


def octets(party: Party, policy: Policy) -> Number:
    """The octets that count: less what rebates and the allowance take off."""
    return _above(_rebated(party.bytes, party.managed_bytes, party.not_modified_bytes, policy), policy.allowance.bytes)  # fmt: skip


def requests(party: Party, policy: Policy) -> Number:
    """The requests that count."""
    return _above(_rebated(party.requests, party.managed_requests, party.not_modified_requests, policy), policy.allowance.requests)  # fmt: skip


def _rebated(whole: int, managed: int, unchanged: int, policy: Policy) -> Number:
    rebate = policy.rebate
    made: Number = whole
    for part, of in ((rebate.repository_managers, managed), (rebate.not_modified, unchanged)):
        if part and of:
            made -= Fraction(str(part)) * of
    return made


def _above(used: Number, free: int) -> Number:
    return max(used - free, 0) if free else used


def tiered(party: Party, policy: Policy) -> Number:
    """Each octet as often as its tier says."""
    used, below, sum_ = octets(party, policy), Fraction(0), Fraction(0)
    for tier in policy.tiers:
        top = Fraction(used if tier.up_to is None else min(used, tier.up_to))
        sum_ += max(top - below, Fraction(0)) * Fraction(tier.rate)
        below = max(top, below)
    return sum_


def avoidable(party: Party, policy: Policy) -> Number:
    """Octets that were fetched again count more often; what is free is taken off behind that."""
    again = (Fraction(policy.avoidable.rate) - 1) * party.avoidable_bytes
    rebated = _rebated(party.bytes, party.managed_bytes, party.not_modified_bytes, policy)
    return _above(rebated + again, policy.allowance.bytes)


def _each(of: Callable[[Party, Policy], Number], unit: str, method: str) -> _Counter:
    def count(usage: Usage, policy: Policy, wanted: Sequence[bool]) -> Counts:
        return Counts([of(party, policy) if each else 0 for party, each in zip(usage.parties, wanted, strict=True)], unit, method)  # fmt: skip

    return count


_Counter = Callable[[Usage, Policy, Sequence[bool]], Counts]


def own_peak(hours: Ints, policy: Policy) -> Ints:
    """The busiest hour of each row, or the hour that 5 % are above (nearest rank, empty hours counted)."""
    if not hours.shape[1]:
        return np.zeros(len(hours), np.int64)
    if policy.peak.measure == "peak":
        found: Ints = hours.max(1)
        return found
    place = rank95(hours.shape[1])
    ordered: Ints = np.partition(hours, place, axis=1)[:, place]
    return ordered


def rank95(hours: int) -> int:
    """The place, from 0, of the 95th percentile by nearest rank among so many in order."""
    return math.ceil(0.95 * hours) - 1


def _beyond_allowance(usage: Usage, policy: Policy, wanted: Sequence[bool]) -> Ints:
    """Octets by the hour, of each hour the same part free."""
    hours = np.where(np.array(wanted, np.bool_)[:, None], usage.hours, 0)
    if free := policy.allowance.bytes:
        totals = hours.sum(1)
        hours[totals <= free] = 0
        for number in np.flatnonzero(totals > free):  # those who pay; exact, where floats are not
            total = int(totals[number])
            hours[number] = [each * (total - free) // total for each in hours[number].tolist()]
    return hours


def _peak(usage: Usage, policy: Policy, wanted: Sequence[bool]) -> Counts:
    peaks = own_peak(_beyond_allowance(usage, policy, wanted), policy)
    which = "busiest hour" if policy.peak.measure == "peak" else "95th percentile of its hours"
    return Counts([int(each) for each in peaks], "bytes an hour", f"each by its own {which}, whenever that was")  # fmt: skip


def _shapley(usage: Usage, policy: Policy, wanted: Sequence[bool]) -> Counts:
    found: Value = value(_beyond_allowance(usage, policy, wanted), policy.peak.measure, policy.peak.orders, policy.peak.seed)  # fmt: skip
    which = "busiest hour" if policy.peak.measure == "peak" else "95th percentile of all hours"
    return Counts(found.shares, "bytes an hour", f"each by what it adds to the {which}, in the mean of all orders of joining ({found.method})", found.errors)  # fmt: skip


RULES: Mapping[Rule, _Counter] = MappingProxyType(
    {
        "proportional": _each(octets, "bytes", "each octet counts once"),
        "tiered": _each(tiered, "bytes", "each octet counts as often as its tier says"),
        "avoidable": _each(avoidable, "bytes", "octets fetched again within 24 hours count more often"),
        "peak": _peak,
        "shapley": _shapley,
    }
)  # fmt: skip


def counts(driver: str, rule: Rule, usage: Usage, policy: Policy, wanted: Sequence[bool]) -> Counts:
    """What counts of a driver; of parties that are not `wanted`, nothing."""
    if driver == "bytes":
        return RULES[rule](usage, policy, wanted)
    if driver == "requests":
        return _each(requests, "requests", "each request counts once")(usage, policy, wanted)
    if driver == "packages":
        return _each(lambda party, _: party.packages if _used(party, policy) else 0, "packages", "each distinct package counts once")(usage, policy, wanted)  # fmt: skip
    return _each(lambda party, _: int(party.pays and _used(party, policy)), "organisations", "each organisation counts once")(usage, policy, wanted)  # fmt: skip


def _used(party: Party, policy: Policy) -> bool:
    """Whether it used more than everybody has free."""
    return octets(party, policy) > 0 or requests(party, policy) > 0
