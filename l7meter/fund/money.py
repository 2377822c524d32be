"""Money that adds up: a whole divided into parts, exact to its smallest unit."""

from __future__ import annotations

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
    whole = sum(weights, Fraction(0))
    if any(weight < 0 for weight in weights):
        raise ValueError("a weight is negative")
    if not whole:
        if quanta:
            raise ValueError(f"{total} cannot be divided: no weight is above zero")
        return [Decimal(0) * quantum for _ in weights]
    once = quanta / whole
    exact = [weight * once for weight in weights]
    counts = [each.numerator // each.denominator for each in exact]
    left = int(quanta) - sum(counts)
    order = sorted(range(len(exact)), key=lambda n: (counts[n] - exact[n], names[n]))
    for n in order[:left]:
        counts[n] += 1
    return [quantum * count for count in counts]
