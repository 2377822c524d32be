"""A few places that together hold most: chosen greedily, with a bound of what any choice could have.

What a set of places covers grows ever less with each one added (it is submodular), so that the greedy choice has
at least 1 - 1/e of the best (Nemhauser, Wolsey and Fisher, "An analysis of approximations for maximizing submodular set
functions", Mathematical Programming 14 (1978), doi:10.1007/BF01588971). How far the best can be ahead of
the choice at hand is told by the gains that are left, as a rule by much less.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from l7meter.analysis.whatif.stack import Ints


class Choice(NamedTuple):
    """A place that was chosen: of which dimension, and which cells nobody before it had."""

    dimension: int
    cells: NDArray[np.intp]


def greedy(codes: Sequence[Ints], weight: Ints, count: int) -> tuple[list[Choice], int]:
    """The `count` places that cover most weight, in order of their gains, and a bound of what any `count` cover.

    `codes` have for each dimension the number of each cell's place (-1: of none), `weight` is the cells'.
    Of equal gains the earlier dimension and the smaller number goes first.
    """
    left = weight.astype(np.int64).copy()
    free = np.ones(len(left), np.bool_)  # also cells without weight are somebody's
    chosen: list[Choice] = []
    covered = 0
    bound = int(weight.sum())
    for step in range(count + 1):  # mirrors, not rows
        gains = [_gains(each, left) for each in codes]
        together = np.concatenate(gains) if gains else np.zeros(0, np.int64)
        best = np.sort(together)[::-1][:count]
        bound = min(bound, covered + int(best.sum()))
        if step == count or not len(best) or best[0] <= 0:
            break
        place = int(np.argmax(together))
        of = 0
        while place >= len(gains[of]):
            place -= len(gains[of])
            of += 1
        cells = np.flatnonzero((codes[of] == place) & free)
        covered += int(left[cells].sum())
        left[cells] = 0
        free[cells] = False
        chosen.append(Choice(of, cells))
    return chosen, bound


def _gains(codes: Ints, left: Ints) -> Ints:
    known = codes >= 0
    gains = np.zeros(int(codes.max(initial=-1)) + 1, np.int64)
    np.add.at(gains, codes[known], left[known])
    return gains
