"""The completeness factor: metered over billed, with an interval that statements can carry.

The factor is a ratio of sums over days. Its interval has three parts, each 95 %, added as squares since
they do not depend on each other: the days' own variation (leave one day out, jackknife, Student's t with
days - 1 degrees of freedom: Efron and Stein 1981, https://doi.org/10.1214/aos/1176345462), the sampling
error of the metered sum, and for octets half the interval of the assumed or measured header. Of fewer
than two days the first part is not known and left out, and `days` says so.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from l7meter.analysis.sampling import Z95

# Student's t, 97.5 %, by degrees of freedom from 1; beyond, 1.96 + 2.4 / n is within 0.006.
_T = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
    2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
)  # fmt: skip


class Factor(NamedTuple):
    """Metered over billed: 1 is complete; `low` and `high` bound it with 95 %, over `days` days."""

    factor: float
    low: float
    high: float
    days: int


def student(freedom: int) -> float:
    """The quantile of Student's t that leaves 2.5 % above."""
    return _T[freedom - 1] if freedom <= len(_T) else Z95 + 2.4 / freedom


def completeness(
    metered: list[float],
    billed: list[float],
    *,
    sampling_variance: float = 0,
    header_half: float = 0,
) -> Factor | None:
    """The factor of sums by day, of one unit; None where nothing was billed.

    `sampling_variance` is that of the metered sum, `header_half` half the interval of what was added to
    it for headers.
    """
    total, owed = sum(metered), sum(billed)
    days = len(billed)
    if owed <= 0:
        return None
    factor = total / owed
    half = math.hypot(Z95 * math.sqrt(sampling_variance), header_half) / owed
    if days > 1:
        without = [
            (total - m) / (owed - b) for m, b in zip(metered, billed, strict=True) if owed > b
        ]
        mean = sum(without) / len(without)
        spread = math.sqrt((days - 1) / days * sum((w - mean) ** 2 for w in without))
        half = math.hypot(half, student(days - 1) * spread)
    return Factor(factor, max(factor - half, 0), factor + half, days)
