"""When a cache has to ask whether what it holds is still good (RFC 9111, section 4.2).

A response is fresh for a lifetime after it was fetched or validated; the first request after that
validates it, and the lifetime begins anew. Which requests validate is a chain for each object, each
link found from the one before; all chains are followed at once, by doubling their links.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from l7meter.analysis.whatif.stack import Bools, Ints

_ROOM = 2**62


def validating(following: Ints, fetched: Bools, held: Bools) -> tuple[Bools, Ints]:
    """Which requests make a cache validate what it holds, and for each of those the row that fetched
    or validated the object last (-1 for other rows).

    `following` is of `stale_from`, `fetched` are the requests that the cache had to fetch, `held` those
    whose object it had.
    """
    count = len(following)
    rows = np.arange(count)
    # a fetch begins a chain of its own
    next_fetch = np.full(count + 1, count)
    next_fetch[:-1] = np.minimum.accumulate(np.where(fetched, rows, count)[::-1])[::-1]
    ends = following >= next_fetch[1:]
    link = np.full(count + 1, count)
    link[:-1] = np.where(ends, count, following)
    link[:-1][~np.append(held, False).take(link[:-1])] = count
    reached = np.append(fetched, False)
    while True:
        more = link.take(np.flatnonzero(reached))
        more = more[more < count]
        if not len(more):
            break
        reached[more] = True
        link = link.take(link)
    marked = np.flatnonzero(reached)
    before = np.full(count, -1)
    before[marked[1:]] = marked[:-1]
    validates = reached[:-1] & ~fetched
    before[~validates] = -1
    return validates, before


def stale_from(ts: Ints, lifetime: Ints, first: Bools) -> Ints:
    """For each row the first one of the same object that is later by the lifetime; the number of rows where none is.

    Rows are by object and time; `ts` and `lifetime` are in µs; `first` begins an object.
    """
    count = len(ts)
    starts = np.flatnonzero(first)
    ends = np.append(starts[1:], count)
    spans = ts[ends - 1] - ts[starts] + 1 if count else ts
    result = np.full(count, count)
    # Objects one behind the other on one axis of time, as many as 63 bits hold.
    total = np.cumsum(spans, dtype=np.float64)
    for part in _stretches(total):
        begin, end = starts[part[0]], ends[part[1] - 1]
        sizes = np.diff(np.append(starts[part[0] : part[1]], end))
        offset = np.cumsum(spans[part[0] : part[1]]) - spans[part[0] : part[1]] - ts[starts[part[0] : part[1]]]  # fmt: skip
        axis = ts[begin:end] + np.repeat(offset, sizes)
        wait = np.minimum(lifetime[begin:end], _ROOM // 2)
        found = np.searchsorted(axis, axis + wait) + begin
        found = np.maximum(found, np.arange(begin, end) + 1)
        behind = np.repeat(ends[part[0] : part[1]], sizes)
        result[begin:end] = np.where(found < behind, found, count)
    return result


def _stretches(total: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Numbers of objects, from and to, whose spans together have room in 62 bits."""
    edges = [0]
    while edges[-1] < len(total):
        done = total[edges[-1] - 1] if edges[-1] else 0.0
        end = int(np.searchsorted(total, done + _ROOM / 2, side="right"))
        edges.append(max(end, edges[-1] + 1))
    return list(pairwise(edges))
