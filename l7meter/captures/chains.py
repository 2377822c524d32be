"""Records that follow each other by their lengths, found from many places at once.

Where a record starts is said by the lengths of all before it: one after the other, which no column
can be. But from any record on the chain is the same, so a chain is followed from each of many places
where one seems to start, all by the same step, and is true as far as the one before it leads there.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from l7meter.captures.window import Integers

FEW = 32  # chains that are followed faster one by one
Follow = Callable[[int, int], tuple[list[int], int]]


def chain(
    place: int, limit: int, seeming: Integers, step: Callable[[Integers], Integers], walk: Follow
) -> tuple[Integers, int]:
    """The places of a chain from `place` on that are below `limit`, and where it leads to from there.

    `seeming` are later places, ascending, at which records seem to start. `step` gives the places
    that follow some places, `walk` those from one place on that are below a limit, and the one after
    them.
    """
    starts = np.append(place, seeming)
    limits = np.append(seeming, limit)
    at = starts.copy()
    met: list[Integers] = []
    active = np.flatnonzero(at < limits)
    while len(active) > FEW:
        met.append(at[active])
        at[active] = step(met[-1])
        active = active[at[active] < limits[active]]
    for each in active.tolist():
        rest, at[each] = walk(int(at[each]), int(limits[each]))
        met.append(np.array(rest, np.int64))
    places = np.sort(np.concatenate(met)) if met else np.zeros(0, np.int64)
    wrong = np.flatnonzero(at[:-1] != starts[1:])
    if not len(wrong):
        return places, int(at[-1])
    rest, end = walk(
        int(at[wrong[0]]), limit
    )  # no record starts there: a look alike in the content
    true = places[: np.searchsorted(places, starts[wrong[0] + 1])]
    return np.append(true, np.array(rest, np.int64)), end
