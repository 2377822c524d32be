"""What a sampled log is worth: totals with their standard errors.

A record of weight w stands for w exchanges: each was kept with probability 1/w, one independently of
the other (Poisson sampling). Then sum(w x) estimates the total of x without bias, and
sum(w (w - 1) x**2) the variance of that estimate: Horvitz and Thompson, "A Generalization of Sampling
Without Replacement From a Finite Universe", JASA 47 (1952), 663-685, https://doi.org/10.2307/2280784;
for Poisson sampling Särndal, Swensson and Wretman, "Model Assisted Survey Sampling" (1992), section 3.5.

Two limits. Sampling whole clients or connections is no Poisson sampling of exchanges: the error is
larger than what comes out here. And the interval is the normal one: where a few records make most of
the sum (a tail as of Pareto's law with exponent below 2), it is too short and covers less than it says,
because the records that would have widened it were mostly not drawn. `effective` tells: it is the number
of equal records that would give the same error, and below 30 the interval is not to be trusted.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import polars as pl

Z95 = 1.959964  # of the normal law, both sides
TRUSTED = 30  # effective records from which the normal interval is


class Estimate(NamedTuple):
    """A total, its standard error and its 95 % interval, in the unit of what was summed.

    `relative` is the standard error over the total, None where that is 0. `effective` is the number of
    equal records that would vary as much, sum(w x)**2 / sum((w x)**2) over the records of a weight
    above 1; None where there are none.
    """

    total: float
    standard_error: float
    relative: float | None
    low: float
    high: float
    effective: float | None


def total_sql(value: str, weight: str = "weight") -> str:
    """The SQL of the estimated total of `value`, a column or an expression in parentheses."""
    return f"sum({weight} * {value}::DOUBLE)"


def variance_sql(value: str, weight: str = "weight") -> str:
    """The SQL of the variance of that estimate, in the square of the unit of `value`."""
    return f"sum({weight} * ({weight} - 1) * {value}::DOUBLE ** 2)"


def effective_sql(value: str, weight: str = "weight") -> str:
    """The SQL of `effective`: null where nothing was sampled."""
    sampled = f"FILTER (WHERE {weight} > 1)"
    return (
        f"sum({weight} * {value}::DOUBLE) {sampled} ** 2 "
        f"/ nullif(sum(({weight} * {value}::DOUBLE) ** 2) {sampled}, 0)"
    )


def interval(total: float, variance: float, effective: float | None = None) -> Estimate:
    """The estimate of a total from its variance; it does not reach below zero, as octets do not."""
    error = math.sqrt(max(variance, 0.0))
    relative = error / total if total else None
    low, high = max(total - Z95 * error, 0.0), total + Z95 * error
    return Estimate(total, error, relative, low, high, effective)


def estimate(values: pl.Series, weights: pl.Series) -> Estimate:
    """The total of values (nulls count nothing) under their weights; a null weight is 1, not sampled.

    Raises `ValueError` for a weight below 1: it is the inverse of a probability.
    """
    w = weights.cast(pl.Float64).fill_null(1)
    if (w < 1).any():
        raise ValueError("a weight below 1: a record stands for 1 exchange at least")
    x = values.cast(pl.Float64).fill_null(0)
    weighted = (w * x).filter(w > 1)
    squares = float((weighted * weighted).sum())
    return interval(
        float((w * x).sum()),
        float((w * (w - 1) * x * x).sum()),
        float(weighted.sum()) ** 2 / squares if squares else None,
    )
