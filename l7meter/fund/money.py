"""Money that adds up: a whole divided into parts, exact to its smallest unit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

CENT = Decimal("0.01")


def apportion(
    total: Decimal, weights: Sequence[Fraction | int], names: Sequence[str], quantum: Decimal = CENT
) -> list[Decimal]:
    """The total divided in proportion to the weights, in whole quanta that add up to it.

    Largest remainders (Hamilton's method): each part is rounded down, and what is left goes, one quantum
    each, to those with the largest remainders; of equal ones the name that comes first. So equal weights
    differ by one quantum at most, and who weighs more while the others stay never gets less.
    Raises `ValueError` for a negative weight, a total that is no whole number of quanta, and where no
    weight is above zero, but there is something to divide.
    """
    quanta = Fraction(total) / Fraction(quantum)
    if quanta.denominator != 1 or quanta < 0:
        raise ValueError(f"{total} is no whole number of {quantum}")
    if any(weight < 0 for weight in weights):
        raise ValueError("a weight is negative")
    common = math.lcm(*(weight.denominator for weight in weights))
    parts = [weight.numerator * (common // weight.denominator) for weight in weights]
    whole = sum(parts)
    if not whole:
        if quanta:
            raise ValueError(f"{total} cannot be divided: no weight is above zero")
        return [0 * quantum for _ in weights]
    both = [divmod(quanta.numerator * part, whole) for part in parts]
    counts = [count for count, _ in both]
    if left := quanta.numerator - sum(counts):
        order = sorted(range(len(both)), key=lambda n: (-both[n][1], names[n]))
        for n in order[:left]:
            counts[n] += 1
    return [quantum * count for count in counts]
