"""A whole is divided exactly, whatever the weights."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7meter.fund.money import CENT, apportion

cents = st.integers(0, 10**12).map(lambda n: n * CENT)
weight = st.one_of(st.integers(0, 10**20), st.fractions(0, 10**6, max_denominator=10**9))
weighted = st.lists(weight, min_size=1, max_size=12).filter(any)


def named(weights: list[Fraction | int]) -> list[str]:
    return [f"name {n}" for n in range(len(weights))]


def test_what_is_left_goes_to_the_largest_remainders() -> None:
    # 3.33.., 3.33.., 3.33..: the first by name has the cent
    assert apportion(Decimal("10.00"), [1, 1, 1], ["c", "a", "b"]) == [Decimal("3.33"), Decimal("3.34"), Decimal("3.33")]  # fmt: skip
    # 5.999, 3.001, 1.000: one cent is left, and .9 is the largest remainder
    assert apportion(Decimal("10.00"), [5999, 3001, 1000], ["a", "b", "c"]) == [Decimal("6.00"), Decimal("3.00"), Decimal("1.00")]  # fmt: skip


@given(total=cents, weights=weighted)
def test_parts_add_up_and_none_is_negative(total: Decimal, weights: list[Fraction | int]) -> None:
    parts = apportion(total, weights, named(weights))
    assert sum(parts) == total
    assert all(part >= 0 for part in parts)
    whole = sum(map(Fraction, weights))
    for part, each in zip(parts, weights, strict=True):
        assert abs(Fraction(part) - Fraction(total) * each / whole) < Fraction(CENT)


@given(total=cents, weights=weighted, data=st.data())
def test_the_order_of_the_rows_is_nothing(
    total: Decimal, weights: list[Fraction | int], data: st.DataObject
) -> None:
    names = named(weights)
    parts = dict(zip(names, apportion(total, weights, names), strict=True))
    order = data.draw(st.permutations(range(len(names))))
    again = apportion(total, [weights[n] for n in order], [names[n] for n in order])
    assert dict(zip([names[n] for n in order], again, strict=True)) == parts


@given(total=cents, weights=weighted, more=weight, data=st.data())
def test_who_weighs_more_never_gets_less(
    total: Decimal, weights: list[Fraction | int], more: Fraction | int, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(weights) - 1))
    heavier = [each + more if n == place else each for n, each in enumerate(weights)]
    names = named(weights)
    assert apportion(total, heavier, names)[place] >= apportion(total, weights, names)[place]


@given(total=cents, weights=weighted)
def test_equal_weights_are_a_quantum_apart_at_most(
    total: Decimal, weights: list[Fraction | int]
) -> None:
    twice = [*weights, *weights]
    same = defaultdict(list)
    for part, each in zip(apportion(total, twice, named(twice)), twice, strict=True):
        same[each].append(part)
    assert all(max(parts) - min(parts) <= CENT for parts in same.values())


@pytest.mark.parametrize(
    ("total", "weights"), [("1.00", [0, 0]), ("1.00", []), ("1.00", [2, -1]), ("1.005", [1])]
)
def test_no_money_is_lost_in_silence(total: str, weights: list[int]) -> None:
    with pytest.raises(ValueError, match=r"cannot be divided|negative|whole number"):
        apportion(Decimal(total), weights, named(weights))  # type: ignore[arg-type]
