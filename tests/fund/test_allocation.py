"""Allocation: exact sums, and the properties that make a share fair."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7meter.fund.allocation import Allocation, allocate, owed
from l7meter.fund.period import Period
from l7meter.fund.policy import (
    RULES,
    Allowance,
    Avoidable,
    FundKeys,
    Limits,
    OutsideKeys,
    Peak,
    Policy,
    Pool,
    Rebate,
    Tier,
)
from l7meter.fund.usage import Party, Usage

DAY = Period.parse("2026-10-01")
CENT = Decimal("0.01")
TIERS = (Tier(up_to=50, rate=Decimal("0.5")), Tier(up_to=200, rate=Decimal(1)), Tier(rate=Decimal("2.5")))  # fmt: skip


@st.composite
def parties(draw: st.DrawFn) -> Party:
    managed, unchanged, rest = (draw(st.integers(0, 300)) for _ in range(3))
    octets = managed + unchanged + rest
    return Party(
        name=draw(st.sampled_from("ABCDEFGH")),
        standing=draw(st.sampled_from(["organization"] * 4 + ["exempt", "provider", "shared", "unknown"])),
        bytes=octets, requests=octets // 7 + 1, avoidable_bytes=draw(st.integers(0, octets)),
        managed_bytes=managed, managed_requests=managed // 7, not_modified_bytes=unchanged,
        not_modified_requests=unchanged // 7, packages=draw(st.integers(0, 9)),
    )  # fmt: skip


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    found = {(each.name, each.standing): each for each in draw(st.lists(parties(), min_size=1, max_size=9))}  # fmt: skip
    ordered = tuple(found[key] for key in sorted(found))
    hours = np.array([spread_over_hours(each, draw(st.integers(0, 5))) for each in ordered])
    return Usage(DAY, ordered, hours)


def spread_over_hours(party: Party, pattern: int) -> list[int]:
    """Its octets in some of 24 hours."""
    weights = [(hour * (pattern + 3) + pattern) % 7 if pattern else int(hour == 3) for hour in range(24)]  # fmt: skip
    made = [party.bytes * weight // sum(weights) for weight in weights]
    made[int(np.argmax(weights))] += party.bytes - sum(made)
    return made


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    names = draw(st.lists(st.sampled_from(["bytes", "requests", "packages", "flat"]), min_size=1, max_size=4, unique=True))  # fmt: skip
    way = st.sampled_from(["absorb", "spread", "show"])
    floor = draw(st.none() | st.integers(1, 200).map(Decimal))
    return Policy(
        fund=FundKeys(name="Example"),
        pools=tuple(Pool(name=each, driver=each, amount=draw(st.integers(1, 99999).map(lambda n: n * CENT))) for each in names),
        tiers=TIERS,
        allowance=Allowance(bytes=draw(st.sampled_from([0, 10, 100])), requests=draw(st.sampled_from([0, 3]))),
        avoidable=Avoidable(rate=draw(st.sampled_from([Decimal(1), Decimal("2.5")]))),
        rebate=Rebate(not_modified=draw(st.sampled_from([0, 0.5, 1])), repository_managers=draw(st.sampled_from([0, 0.3]))),
        outside=OutsideKeys(unattributed=draw(way), exempt=draw(way), waived=draw(way)),
        limits=Limits(floor=floor, cap=draw(st.none() | st.integers(200, 500).map(Decimal)), cap_share=draw(st.none() | st.just(0.4)), waive_below=draw(st.none() | st.integers(1, 50).map(Decimal))),
        peak=Peak(measure=draw(st.sampled_from(["peak", "p95"])), orders=40),
    )  # fmt: skip


def shared(usage: Usage, policy: Policy, rule: str) -> Allocation:
    pools = {pool.name: pool.amount or Decimal(0) for pool in policy.pools}
    return allocate(usage, policy, pools, rule)  # type: ignore[arg-type]


def paid(allocation: Allocation) -> dict[tuple[str, str], Decimal]:
    return {(each.party.name, each.party.standing): each.amount for each in allocation.shares}


@given(usages(), policies(), st.sampled_from(RULES))
def test_shares_add_up_and_nobody_unnamed_pays(usage: Usage, policy: Policy, rule: str) -> None:
    made = shared(usage, policy, rule)
    assert sum(each.amount for each in made.shares) == made.total
    assert sum(each.exact for each in made.shares) == made.total
    for each in made.shares:
        assert each.amount >= 0
        assert abs(Fraction(each.amount) - each.exact) < Fraction(1, 100)
        if each.parts:
            assert sum(each.by_pool().values()) == each.amount
            assert min(each.by_pool().values()) >= 0
        if each.status in ("provider", "shared", "unknown") and each.amount:
            assert policy.outside.unattributed == "show"
        if each.status == "exempt" and each.amount:
            assert policy.outside.exempt == "show"
        assert not (each.status in ("waived", "nothing") and each.amount)
    known = {(each.name, each.standing) for each in usage.parties if each.pays}
    assert known <= paid(made).keys()


@given(usages(), policies(), st.sampled_from(RULES), st.data())
def test_the_order_of_parties_changes_nothing(usage: Usage, policy: Policy, rule: str, data: st.DataObject) -> None:  # fmt: skip
    order = data.draw(st.permutations(range(len(usage.parties))))
    turned = Usage(DAY, tuple(usage.parties[n] for n in order), usage.hours[list(order)])
    assert paid(shared(usage, policy, rule)) == paid(shared(turned, policy, rule))


@given(usages(), policies(), st.sampled_from(["proportional", "tiered", "avoidable", "peak"]), st.data())  # fmt: skip
def test_more_use_never_pays_less(usage: Usage, policy: Policy, rule: str, data: st.DataObject) -> None:  # fmt: skip
    n = data.draw(st.integers(0, len(usage.parties) - 1))
    one = usage.parties[n]
    kind = data.draw(st.sampled_from(["plain", "avoidable", "managed", "not_modified"]))
    octets, hour = data.draw(st.integers(1, 1000)), data.draw(st.integers(0, 23))
    more: dict[str, Any] = {"bytes": one.bytes + octets, "requests": one.requests + 1, "packages": one.packages + 1}  # fmt: skip
    if kind == "avoidable":
        more["avoidable_bytes"] = one.avoidable_bytes + octets
    elif kind != "plain":
        more[f"{kind}_bytes"] = getattr(one, f"{kind}_bytes") + octets
        more[f"{kind}_requests"] = getattr(one, f"{kind}_requests") + 1
    hours = usage.hours.copy()
    hours[n, hour] += octets
    grown = (*usage.parties[:n], one._replace(**more), *usage.parties[n + 1 :])
    before = paid(shared(usage, policy, rule)).get((one.name, one.standing), Decimal(0))
    after = paid(shared(Usage(DAY, grown, hours), policy, rule))[one.name, one.standing] if one.pays else before  # fmt: skip
    assert after >= before


@given(usages(), policies(), st.sampled_from(RULES))
def test_equal_use_pays_equal_but_for_a_cent(usage: Usage, policy: Policy, rule: str) -> None:
    first = usage.parties[0]._replace(standing="organization")
    twins = (first._replace(name="X"), first._replace(name="Y"))
    both = Usage(DAY, (*usage.parties[1:], *twins), np.vstack([usage.hours[1:], usage.hours[[0, 0]]]))  # fmt: skip
    made = shared(both, policy, rule)
    x, y = (next(each for each in made.shares if each.party.name == name) for name in "XY")
    if rule != "shapley" or not x.error:
        assert x.exact == y.exact
        assert abs(x.amount - y.amount) <= CENT


@given(usages(), policies())
def test_a_larger_part_of_the_cost_is_paid_by_who_adds_more_to_the_peak(usage: Usage, policy: Policy) -> None:  # fmt: skip
    """Shapley's value of one grows with its use; the share of a fixed sum need not (docs/fund.md)."""
    from l7meter.fund.shapley import value

    hours = usage.hours.copy()
    before = value(hours, "peak", 10, 1)
    hours[0] += 5
    after = value(hours, "peak", 10, 1)
    if not before.errors and not after.errors:
        assert after.shares[0] >= before.shares[0]


def policy(**given: Any) -> Policy:
    pools = (Pool(name="bandwidth", driver="bytes", amount=Decimal(100)),)
    return replace(Policy(fund=FundKeys(name="Example"), pools=pools, tiers=TIERS), **given)


def used(**octets: int) -> Usage:
    made = tuple(Party(name, "organization", each, each) for name, each in octets.items())
    hours = np.zeros((len(made), 24), np.int64)
    for n, each in enumerate(made):
        hours[n, n] = each.bytes
    return Usage(DAY, made, hours)


def amounts(usage: Usage, of: Policy, rule: str = "proportional") -> dict[str, str]:
    made = shared(usage, of, rule)
    return {each.party.name: str(each.amount) for each in made.shares}


def test_thirds_and_what_is_left() -> None:
    assert amounts(used(A=1, B=1, C=1), policy()) == {"A": "33.34", "B": "33.33", "C": "33.33"}


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("proportional", {"C": "73.17", "B": "24.39", "A": "2.44"}),
        # A: 20·½; B: 50·½ + 150; C: 50·½ + 150 + 400·2.5
        ("tiered", {"C": "86.40", "B": "12.87", "A": "0.73"}),
        # no two in one hour: each step is shared by all who reach it (20/3, 180/2, 400)
        ("shapley", {"C": "82.78", "B": "16.11", "A": "1.11"}),
        ("peak", {"C": "73.17", "B": "24.39", "A": "2.44"}),
    ],
)
def test_rules_by_hand(rule: str, expected: dict[str, str]) -> None:
    assert amounts(used(A=20, B=200, C=600), policy(), rule) == expected


@pytest.mark.parametrize(
    ("way", "expected"),
    [
        ("absorb", {"A": "25.00", "B": "25.00", "(the fund)": "50.00"}),
        ("spread", {"A": "50.00", "B": "50.00"}),
        ("show", {"A": "25.00", "B": "25.00", "Cloud": "50.00"}),
    ],
)
def test_what_nobody_can_be_asked_for(way: Any, expected: dict[str, str]) -> None:
    usage = used(A=10, B=10, Cloud=20)
    usage = usage._replace(parties=(*usage.parties[:2], usage.parties[2]._replace(standing="provider")))  # fmt: skip
    assert amounts(usage, policy(outside=OutsideKeys(unattributed=way))) == expected


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"cap": Decimal(50)}, {"A": "12.50", "B": "37.50", "C": "50.00"}),
        ({"cap": Decimal(50), "floor": Decimal(20)}, {"A": "20.00", "B": "30.00", "C": "50.00"}),
        ({"cap": Decimal(10)}, {"A": "10.00", "B": "10.00", "C": "10.00", "(the fund)": "70.00"}),
        ({"floor": Decimal(40)}, {"A": "33.34", "B": "33.33", "C": "33.33"}),
        ({"waive_below": Decimal(15)}, {"A": "0.00", "B": "33.33", "C": "66.67"}),
    ],
)
def test_floors_and_caps(limits: dict[str, Decimal], expected: dict[str, str]) -> None:
    found = amounts(used(A=10, B=30, C=60), policy(limits=Limits(**limits)))
    assert found == expected


def test_shares_of_a_budget_add_up_to_it() -> None:
    pools = tuple(Pool(name=name, driver="bytes", share=share) for name, share in (("a", Decimal("0.333")), ("b", Decimal("0.333")), ("c", Decimal("0.334"))))  # fmt: skip
    whole = policy(fund=FundKeys(name="Example", budget=Decimal("100.01")), pools=pools)
    made = owed(whole, {})
    assert sum(made.values()) == Decimal("100.01")
    assert set(made.values()) <= {Decimal("33.30"), Decimal("33.31"), Decimal("33.40"), Decimal("33.41")}  # fmt: skip


def test_a_large_cast_keeps_every_cent(tmp_path: Path) -> None:
    count = 3000
    usage = Usage(DAY, tuple(Party(f"O{n:05}", "organization", 10**15 // (n + 1), n) for n in range(count)), np.zeros((count, 0), np.int64))  # fmt: skip
    made = shared(usage, policy(limits=Limits(floor=Decimal("0.01"), cap=Decimal(5))), "proportional")  # fmt: skip
    assert sum(each.amount for each in made.shares) == 100
    assert max(each.amount for each in made.shares) == 5
    assert min(each.exact for each in made.shares) >= Fraction(1, 100)
