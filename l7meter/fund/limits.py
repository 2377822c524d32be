"""Floors and caps: shares kept between two bounds, in proportion as far as the bounds let them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from l7meter.fund.policy import Limits

_NOTHING = Fraction(0)


def clamped(
    owed: Sequence[Fraction], total: Fraction, limits: Limits, whole: Fraction
) -> tuple[list[Fraction], str]:
    """Shares in proportion to `owed`, none below the floor or above the cap, `total` together.

    All of them are above 0. `whole` is what `cap_share` is a part of. Where all are at the cap they add up to
    less. A sentence says where the bounds did not hold.
    """
    count, note = len(owed), ""
    floor = Fraction(limits.floor) if limits.floor is not None else _NOTHING
    if floor * count > total:
        floor = total / count
        note = f"{count:,} floors are more than there is to share: each pays the same."
    caps = [Fraction(limits.cap)] if limits.cap is not None else []
    caps += [Fraction(str(limits.cap_share)) * whole] if limits.cap_share is not None else []
    cap = max(min(caps), floor) if caps else total
    if cap * count <= total:
        if cap * count < total:
            note = f"All {count:,} are at the cap; the fund bears what is left."
        return [cap] * count, note
    bounded = floor or cap < total
    scale = _scale(owed, total, floor, cap) if bounded else total / sum(owed, _NOTHING)
    return [min(max(scale * each, floor), cap) for each in owed], note


def _scale(owed: Sequence[Fraction], total: Fraction, floor: Fraction, cap: Fraction) -> Fraction:
    """The factor at which the bounded shares add up to the total.

    Their sum grows with it, in straight lines between the points where a share meets a bound.
    """
    points = sorted({bound / each for each in owed for bound in (floor, cap)})
    low, high = 0, len(points) - 1  # at the first all are at the floor, at the last all at the cap
    while high - low > 1:
        middle = (low + high) // 2
        if sum((min(max(points[middle] * each, floor), cap) for each in owed), _NOTHING) <= total:
            low = middle
        else:
            high = middle
    between = (points[low] + points[high]) / 2
    below = sum(between * each <= floor for each in owed)
    above = sum(between * each >= cap for each in owed)
    free = sum((each for each in owed if floor < between * each < cap), _NOTHING)
    return (total - below * floor - above * cap) / free if free else between
