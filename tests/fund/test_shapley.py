"""Shapley's value: the closed form, all sets and drawn orders agree."""

from __future__ import annotations

from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from l7meter.fund import shapley
from l7meter.fund.shapley import cost, value

HOURS = arrays(np.int64, st.tuples(st.integers(1, 5), st.integers(1, 6)), elements=st.integers(0, 50))  # fmt: skip


def by_hand(hours: np.ndarray, measure: str) -> list[Fraction]:
    """The definition: the mean of what each adds, over all orders there are."""
    shares = [Fraction(0)] * len(hours)
    orders = list(permutations(range(len(hours))))
    for order in orders:
        before, sums = 0, np.zeros(hours.shape[1], np.int64)
        for party in order:
            sums = sums + hours[party]
            now = int(cost(sums, measure))
            shares[party] += Fraction(now - before, len(orders))
            before = now
    return shares


@given(HOURS, st.sampled_from(["peak", "p95"]))
def test_it_is_the_mean_over_all_orders(hours: np.ndarray, measure: str) -> None:
    assert value(hours, measure, 10, 1).shares == by_hand(hours, measure)


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=5))
def test_in_hours_of_their_own_the_airport_is_exact(peaks: list[int]) -> None:
    hours = np.diag(np.array(peaks, np.int64))
    found = value(hours, "peak", 10, 1)
    assert found.shares == by_hand(hours, "peak")
    assert found.method.startswith("closed form") or not any(peaks)


@given(HOURS)
def test_together_they_pay_what_all_need(hours: np.ndarray) -> None:
    assert sum(value(hours, "peak", 10, 1).shares) == int(hours.sum(0).max())


@pytest.mark.parametrize("measure", ["peak", "p95"])
def test_drawn_orders_come_near_and_say_how_near(measure: str, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    random = np.random.default_rng(7)
    hours = random.integers(0, 100, (9, 40)) * (random.random((9, 40)) < 0.4)
    exact = value(hours, measure, 10, 1)
    monkeypatch.setattr(shapley, "FEW", 0)
    whole = float(sum(exact.shares))
    outside = 0
    for seed in range(20):
        drawn = value(hours, measure, 400, seed)
        assert sum(drawn.shares) == sum(exact.shares)
        assert value(hours, measure, 400, seed) == drawn  # the same seed, the same shares
        for share, other, error in zip(drawn.shares, exact.shares, drawn.errors, strict=True):
            outside += abs(float(share - other)) > 3 * error * whole + 1e-9
    assert outside <= 2  # of 180; of the normal law 0.3 % are beyond three standard errors


def test_blocks_of_parties_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    hours = np.random.default_rng(3).integers(0, 100, (30, 24))
    whole = value(hours, "peak", 50, 5)
    monkeypatch.setattr(shapley, "_BLOCK", 70)
    assert value(hours, "peak", 50, 5) == whole


def test_who_uses_nothing_pays_nothing() -> None:
    hours = np.array([[5, 3], [0, 0], [2, 9]])
    assert value(hours, "peak", 10, 1).shares[1] == 0
    assert value(hours * 0, "peak", 10, 1).shares == [0, 0, 0]
