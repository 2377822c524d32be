"""How large a cache has to be for each request to find its object: LRU stack distances, in octets.

Under LRU a cache of C octets holds the objects asked for last, as many as have room. So a request
finds its object if the distinct objects asked for since its last request, and the object itself,
have at most C octets together: one pass answers for every C (Mattson et al., "Evaluation techniques
for storage hierarchies", IBM Systems Journal 9 (1970), 78-117, https://doi.org/10.1147/sj.92.0078).

The sum over distinct objects is made without a tree: an object asked for at `a` and next at `b` is
an interval, and what to leave out of the sum for a request is what intervals around its own weigh.
That is a sum over inversions, counted for all requests at once: by halves of the order down to
blocks of 4,096, and within these by merging four runs into one: columns in, columns out, n log n.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
NEVER = np.int64(2**62)  # no cache is large enough
_BLOCK = 12  # bits: from here on places and ranks are sorted together, in one 32-bit number
_CHUNK = 1 << 15  # rows: what is computed of so many stays in a processor's second cache
_TOGETHER = 1 << 14  # rows of blocks that are looked at together


def room_needed(earlier: Ints, size: Ints, keeps: Bools) -> Ints:
    """Octets a cache must have for each request to find its object, the object itself included.

    The requests are in order of time. `earlier` is the place of the last request before that
    *kept* the same object (-1: none), `size` the object's octets, `keeps` whether the request
    puts the object on top (one that only asks after it does not). `NEVER` where `earlier` is -1.
    """
    found = earlier >= 0
    right = np.flatnonzero(found)
    needed = np.full(len(earlier), NEVER)
    if not len(right):
        return needed
    # By where they begin; what only asks comes before what keeps, as it ends earlier.
    spans = (earlier.take(right) << 32) | right
    spans.sort()
    np.bitwise_and(spans, 0xFFFFFFFF, out=right)
    spans >>= 32
    left = spans
    weight = np.where(keeps, size, 0)
    rank = np.cumsum(found, dtype=np.int32)
    rank -= 1
    room = heavier_before(rank.take(right), weight.take(right))
    del rank
    np.negative(room, out=room)
    last = keeps.copy()
    last[left[keeps.take(right)]] = False  # kept again later
    room += _before(weight, ~found).take(right)  # octets of the distinct objects so far
    room -= _before(weight, last).take(left)  # and of those asked for no more
    needed[right] = room
    return needed


def _before(values: Ints, where: Bools) -> Ints:
    """The sums of the values before each, of those that `where` says."""
    counted = values * where
    sums = np.cumsum(counted)
    sums -= counted
    return sums


class _Rows(NamedTuple):
    """What is moved: ranks, weights, and the sums so far."""

    rank: NDArray[np.int32]
    weight: Ints
    sums: Ints

    @classmethod
    def of(cls, size: int) -> _Rows:
        return cls(np.empty(size, np.int32), np.empty(size, np.int64), np.empty(size, np.int64))

    def part(self, begin: int, end: int) -> _Rows:
        return _Rows(self.rank[begin:end], self.weight[begin:end], self.sums[begin:end])

    def take(self, rows: Ints, to: _Rows) -> None:
        self.rank.take(rows, out=to.rank, mode="clip")  # "raise" would copy once more
        self.weight.take(rows, out=to.weight, mode="clip")
        self.sums.take(rows, out=to.sums, mode="clip")


def heavier_before(rank: NDArray[np.int32], weight: Ints) -> Ints:
    """For each place the sum of the weights at earlier places of greater rank; ranks are 0 to n - 1, each once."""
    count = len(rank)
    size = -(-count >> _BLOCK) << _BLOCK
    now, then = _Rows.of(size), _Rows.of(size)
    now.rank[:count] = rank
    now.rank[count:] = np.arange(count, size)
    now.weight[:count] = weight
    now.weight[count:] = now.sums[:] = 0
    for bits in range((size - 1).bit_length() if size else 0, _BLOCK, -1):
        for begin in range(0, size, 1 << bits):
            end = min(begin + (1 << bits), size)
            _split(now.part(begin, end), then.part(begin, end), 1 << (bits - 1))
        now, then = then, now
    merged, result = _Merged(), then.sums
    for begin in range(0, size, _TOGETHER):
        end = min(begin + _TOGETHER, size)
        merged.add(now.part(begin, end), result[begin:end])
    return result.take(rank)


def _split(now: _Rows, then: _Rows, half: int) -> None:
    """The ranks of the first half first, and to their sums what of the second half was before."""
    zero, one, heavy = 0, half, 0
    for begin in range(0, len(now.rank), _CHUNK):
        chunk = now.part(begin, begin + _CHUNK)
        second = (chunk.rank & half) != 0
        ones, zeros = np.flatnonzero(second), np.flatnonzero(~second)
        of_ones = then.part(one, one + len(ones))
        chunk.take(ones, of_ones)
        before = np.empty(len(ones) + 1, np.int64)
        before[0] = 0
        np.cumsum(of_ones.weight, out=before[1:])
        before += heavy
        of_zeros = then.part(zero, zero + len(zeros))
        chunk.take(zeros, of_zeros)
        zeros -= np.arange(len(zeros))  # how many of the second half are before
        np.add(of_zeros.sums, before.take(zeros), out=of_zeros.sums)
        zero, one, heavy = zero + len(zeros), one + len(ones), before[-1]


class _Merged:
    """The rest within blocks of 4,096, by merging: runs of four, of 16, of 64, ... in order of rank.

    Of four runs, each element is told what weighs more in the runs before its own. Memory is kept:
    fresh memory would take a third of the time.
    """

    def __init__(self) -> None:
        self._place = np.arange(_TOGETHER)
        self._low = (self._place & (1 << _BLOCK) - 1).astype(np.int32)
        self._whole = self._place & -(1 << _BLOCK)
        self._key = np.empty(_TOGETHER, np.int32)
        self._at = np.empty(_TOGETHER, np.int32)
        self._of = np.empty(_TOGETHER, np.int64)
        self._run = np.empty(_TOGETHER, np.int64)
        self._octets = np.empty(_TOGETHER, np.int64)
        self._lower = np.empty(_TOGETHER, np.bool_)
        self._before = np.zeros((4, _TOGETHER), np.int64)  # of the first run: nothing

    def add(self, block: _Rows, result: Ints) -> None:
        """Complete the sums of whole blocks, in order of rank, in `result`."""
        size, low = len(block.rank), (1 << _BLOCK) - 1
        place, key, at, of, run, octets, lower = (
            each[:size] for each in (self._place, self._key, self._at, self._of, self._run, self._octets, self._lower)
        )  # fmt: skip
        np.bitwise_and(block.rank, low, out=key)
        np.subtract(low, key, out=key)  # the greatest rank first
        key <<= _BLOCK
        key |= self._low[:size]
        for bits in range(2, _BLOCK + 1, 2):
            runs = key.reshape(-1, 1 << bits)
            runs.sort(axis=1)
            np.bitwise_and(key, low, out=at)
            of[:] = at
            np.right_shift(of, bits - 2, out=run)
            run &= 3
            of += self._whole[:size]
            block.weight.take(of, out=octets, mode="clip")
            for number in (1, 2, 3):
                np.less(run, number, out=lower)
                before = self._before[number, :size]
                np.multiply(octets, lower, out=before)
                before = before.reshape(runs.shape)
                np.cumsum(before, axis=1, out=before)
            run *= _TOGETHER
            run += place
            self._before.reshape(-1).take(run, out=octets, mode="clip")
            block.sums.take(of, out=run, mode="clip")
            octets += run
            block.sums[of] = octets
        of[:] = block.rank
        of &= _TOGETHER - 1
        result[of] = block.sums
