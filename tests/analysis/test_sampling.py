"""Errors of sampled sums: the estimator against simulation, and where its interval fails."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7meter.analysis.sampling import (
    TRUSTED,
    Z95,
    effective_sql,
    estimate,
    interval,
    total_sql,
    variance_sql,
)
from l7meter.store import Connection, select

DRAWS = 2_000


def covered(sizes: np.ndarray, weights: np.ndarray, seed: int) -> tuple[float, float, float]:
    """Share of draws whose interval holds the truth, mean of the totals, and mean of the variances."""
    rng = np.random.default_rng(seed)
    kept = rng.random((DRAWS, sizes.size)) < 1 / weights
    totals = kept @ (weights * sizes)
    variances = kept @ (weights * (weights - 1) * sizes**2)
    inside = np.abs(totals - sizes.sum()) <= Z95 * np.sqrt(variances)
    return float(inside.mean()), float(totals.mean()), float(variances.mean())


@pytest.mark.parametrize("seed", [1, 2])
def test_the_interval_covers_what_it_says(seed: int) -> None:
    rng = np.random.default_rng(100 + seed)
    sizes = rng.lognormal(10, 0.8, 5_000)
    weights = rng.choice([1.0, 4.0, 10.0, 25.0], sizes.size)  # adaptive sampling: several rates
    coverage, total, variance = covered(sizes, weights, seed)
    truth = float(((weights - 1) * sizes**2).sum())
    assert 0.93 <= coverage <= 0.97
    assert total == pytest.approx(sizes.sum(), rel=0.005)
    assert variance == pytest.approx(truth, rel=0.05)


def test_heavy_tails_cover_less_and_say_so() -> None:
    """Pareto's law, exponent 1.1: the records that would widen the interval are mostly not drawn."""
    rng = np.random.default_rng(7)
    sizes = (1 - rng.random(4_000)) ** (-1 / 1.1)
    weights = np.full(sizes.size, 20.0)
    coverage, _, _ = covered(sizes, weights, 3)
    assert coverage < 0.9
    kept = rng.random(sizes.size) < 1 / 20
    one = estimate(pl.Series(sizes[kept]), pl.Series(weights[kept]))
    even = estimate(pl.Series(np.ones(kept.sum())), pl.Series(weights[kept]))
    assert one.effective is not None
    assert even.effective is not None
    assert one.effective < TRUSTED < even.effective == pytest.approx(kept.sum())


def test_what_is_not_sampled_has_no_error() -> None:
    told = estimate(pl.Series([5, None, 7]), pl.Series([None, 1.0, 1.0]))
    assert told == (12, 0, 0, 12, 12, None)


def test_a_weight_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="weight below 1"):
        estimate(pl.Series([1]), pl.Series([0.5]))


def test_the_interval_ends_at_zero() -> None:
    assert interval(10, 100).low == 0


RECORDS = st.lists(
    st.tuples(st.none() | st.integers(0, 2**40), st.none() | st.floats(1, 1e4)),
    min_size=1,
    max_size=20,
)


@given(rows=RECORDS)
def test_sql_and_python_agree(
    real_store: Connection, rows: list[tuple[int | None, float | None]]
) -> None:
    frame = pl.DataFrame(rows, schema={"x": pl.Int64, "w": pl.Float64}, orient="row")
    sums = ", ".join(
        f"{sql('x', 'w')} AS c{n}" for n, sql in enumerate((total_sql, variance_sql, effective_sql))
    )
    sql = f"SELECT {sums} FROM (SELECT unnest($x::BIGINT[]) AS x, coalesce(unnest($w::DOUBLE[]), 1) AS w)"
    total, variance, effective = select(
        real_store, sql, {"x": frame["x"].to_list(), "w": frame["w"].to_list()}
    ).row(0)
    told = estimate(frame["x"], frame["w"])
    assert (total or 0) == pytest.approx(told.total)
    assert (variance or 0) ** 0.5 == pytest.approx(told.standard_error)
    assert effective == pytest.approx(told.effective) if told.effective else not effective
