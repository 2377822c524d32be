"""How large a cache has to be for each request to find its object: LRU stack distances, in octets.

Under LRU a cache of C octets holds the objects asked for last, as many as have room. So a request
finds its object if the distinct objects asked for since its last request, and the object itself,
have at most C octets together: one pass answers for every C (Mattson et al., "Evaluation techniques
for storage hierarchies", IBM Systems Journal 9 (1970), 78-117, https://doi.org/10.1147/sj.92.0078).

The sum over distinct objects is made without a tree: an object asked for at `a` and next at `b` is
an interval, and what to leave out of the sum for a request is what intervals around its own weigh.
That is a sum over inversions, counted for all requests at once, one bit of the order after the
other: columns in, columns out, n log n.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
NEVER = np.int64(2**62)  # no cache is large enough
_CACHED = 14  # bits: 2**14 rows of what is sorted fit in a processor's second cache
_DIRECT = 4  # bits: so few are compared each with each


def room_needed(earlier: Ints, size: Ints, keeps: Bools) -> Ints:
    """Octets a cache must have for each request to find its object, the object itself included.

    The requests are in order of time. `earlier` is the place of the last request before that
    *kept* the same object (-1: none), `size` the object's octets, `keeps` whether the request
    puts the object on top (one that only asks after it does not). `NEVER` where `earlier` is -1.
    """
    count = len(earlier)
    found = earlier >= 0
    right = np.flatnonzero(found)
    needed = np.full(count, NEVER)
    if not len(right):
        return needed
    # By where they begin; what only asks comes before what keeps, as it ends earlier.
    spans = (earlier[right] << 32) | right
    spans.sort()
    right, left = spans & 0xFFFFFFFF, spans >> 32
    del spans
    rank = np.cumsum(found, dtype=np.int32)
    rank -= 1
    weight = np.where(keeps, size, 0)
    around = heavier_before(rank[right], weight[right])
    last = keeps.copy()
    last[left[keeps[right]]] = False  # kept again later
    seen = _before(np.where(found, 0, weight))  # octets of the distinct objects so far
    ended = _before(np.where(last, weight, 0))
    needed[right] = seen[right] - ended[left] - around
    return needed


def _before(values: Ints) -> Ints:
    """The sums of what comes before each."""
    sums = np.cumsum(values)
    sums -= values
    return sums


class _Rows(NamedTuple):
    """What is moved: ranks, weights, and the sums so far."""

    rank: NDArray[np.int32]
    weight: Ints
    sums: Ints

    @classmethod
    def of(cls, size: int) -> _Rows:
        return cls(
            np.arange(size, dtype=np.int32), np.zeros(size, np.int64), np.zeros(size, np.int64)
        )

    def part(self, begin: int, end: int) -> _Rows:
        return _Rows(self.rank[begin:end], self.weight[begin:end], self.sums[begin:end])


def heavier_before(rank: NDArray[np.int32], weight: Ints) -> Ints:
    """For each place the sum of the weights at earlier places of greater rank; ranks are 0 to n - 1, each once."""
    count = len(rank)
    top = max((count - 1).bit_length(), _DIRECT)
    size = -(-count >> _DIRECT) << _DIRECT
    now, then, scratch = _Rows.of(size), _Rows.of(size), _Scratch(size)
    now.rank[:count] = rank
    now.weight[:count] = weight
    while top > max(_CACHED, _DIRECT):
        scratch.split(now, then, top)
        now, then = then, now
        top -= 1
    result = np.empty(size, np.int64)
    for begin in range(0, size, 1 << top):  # blocks of 16,384, not rows
        end = min(begin + (1 << top), size)
        block, other = now.part(begin, end), then.part(begin, end)
        np.subtract(block.rank, begin, out=block.rank)
        for bits in range(top, _DIRECT, -1):
            scratch.split(block, other, bits)
            block, other = other, block
        _compare(block, result[begin:end])
    return result[rank]


class _Scratch:
    """Room for what a split computes: fresh memory would take a third of the time."""

    def __init__(self, size: int) -> None:
        self._place = np.arange(size, dtype=np.int32)
        self._bit = np.empty(size, np.int32)
        self._ones = np.empty(size + 1, np.int32)
        self._target = np.empty(size, np.int32)
        self._octets = np.empty(size, np.int64)
        self._heavy = np.empty(size + 1, np.int64)
        self._zero = np.empty(size, np.bool_)

    def split(self, now: _Rows, then: _Rows, top: int) -> None:
        """Within blocks of 2**top: those with a 0 as the next bit first, and to their sums what of 1 was before."""
        n, half = len(now.rank), np.int32(1 << (top - 1))
        bit, octets, target, zero = self._bit[:n], self._octets[:n], self._target[:n], self._zero[:n]  # fmt: skip
        ones, heavy, place = self._ones[: n + 1], self._heavy[: n + 1], self._place[:n]
        np.right_shift(now.rank, top - 1, out=bit)
        bit &= 1
        np.multiply(now.weight, bit, out=octets)
        ones[0] = heavy[0] = 0
        np.cumsum(bit, out=ones[1:])
        np.cumsum(octets, out=heavy[1:])
        _from_block_begin(ones[:n], 1 << top)
        _from_block_begin(heavy[:n], 1 << top)
        np.equal(bit, 0, out=zero)
        np.multiply(heavy[:n], zero, out=octets)
        np.add(now.sums, octets, out=now.sums)
        np.right_shift(place, top, out=target)
        target <<= top
        target += half
        target += ones[:n]
        np.subtract(place, ones[:n], out=bit)
        np.copyto(target, bit, where=zero)
        then.rank[target] = now.rank
        then.weight[target] = now.weight
        then.sums[target] = now.sums


def _compare(block: _Rows, result: Ints) -> None:
    """The last bits: each with each of so few; the sums go to `result`, by rank."""
    rank, weight, sums = (np.ascontiguousarray(each.reshape(-1, 1 << _DIRECT).T) for each in block)
    for k in range(1, 1 << _DIRECT):
        sums[k] += (weight[:k] * (rank[:k] > rank[k])).sum(0)
    result[block.rank] = sums.T.reshape(-1)


def _from_block_begin(sums: NDArray[np.int32] | Ints, width: int) -> None:
    """Let running sums begin anew with each block."""
    whole = len(sums) // width * width
    blocks = sums[:whole].reshape(-1, width)
    blocks -= blocks[:, :1].copy()
    rest = sums[whole:]
    if len(rest):
        rest -= rest[0].copy()
