"""What a cache in front of each scope would have served, and what it would have asked the origin for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from l7meter.analysis.whatif.expiry import stale_from, validating
from l7meter.analysis.whatif.objects import PART, WHOLE, Objects
from l7meter.analysis.whatif.policies import held_by
from l7meter.analysis.whatif.stack import NEVER, Bools, Ints, room_needed

Sums = NDArray[np.float64]
UNLIMITED = NEVER - 1
FOREVER = np.int64(2**61)  # µs: fresh for ever
_LARGEST = 2.0**61 - 2.0**10
_STEPS = 64  # of a doubling: sizes are told apart to 1.1 %
_SPAN = 62 * _STEPS + 1  # steps up to the largest size


@dataclass(frozen=True)
class Rules:
    """How a cache works: the lifetime of each kind (µs), and what a 304 costs (octets)."""

    lifetimes: Ints
    unchanged_octets: int


class Served(NamedTuple):
    """What caches would have done; arrays have a number for each scope.

    `asked` requests go to the origin, `octets` come from there; of them `validations` find what the
    cache holds still good or changed. Of a sample, `variance` is that of `octets`.
    """

    asked: Sums
    octets: Sums
    validations: Sums
    variance: Sums


@dataclass
class Caches:
    """The requests of some scopes before caches of any size. Sizes are in octets, one for each scope."""

    objects: Objects
    scopes: int
    rules: Rules
    policy: str = "lru"

    def serve(self, size: Ints) -> Served:
        """What caches of these sizes would have done."""
        of = self.objects
        room = np.broadcast_to(size, len(of)) if self.scopes == 1 else size[of.scope]
        held = self._held(size, room)
        stored = of.size <= room
        fetched = of.keeps & ~held & stored
        octets = np.where(held, 0, np.where(fetched, self._fetch, of.octets))
        asked = ~held
        validates, since = self._validations(fetched, held)
        octets[validates] = self._validation(validates, since)
        asked[validates] = True
        return self._sums(octets, asked, validates)

    def seen(self) -> tuple[Sums, Sums]:
        """Requests and octets that were asked for."""
        return self._sum(None), self._sum(self.objects.octets)

    def _held(self, size: Ints, room: Ints) -> Bools:
        of = self.objects
        if self.policy != "lru":
            return held_by(self.policy, of, size)
        if (size >= UNLIMITED).all():
            return of.earlier >= 0
        kept = of.size <= room  # what is larger than the cache passes it by
        if (kept == self._known).all():
            return self.needed <= room
        return self._room(kept) <= room

    @cached_property
    def _known(self) -> Bools:
        return self.objects.size < NEVER

    @cached_property
    def needed(self) -> Ints:
        """How large a cache has to be for each request to find its object, under LRU."""
        return self._room(self._known)

    def _room(self, kept: Bools) -> Ints:
        """As `needed`, for some objects with all of their requests, as if there were no others."""
        of = self.objects
        found = np.flatnonzero(kept & (of.earlier >= 0))
        # to the order of time, and back
        earlier = np.full(len(of), -1)
        earlier[of.place.take(found)] = of.place.take(of.earlier.take(found))
        size = of.size if of.copies is None else np.minimum(of.size * of.copies, _LARGEST)
        sizes = np.empty(len(of), np.int64)
        sizes[of.place] = size
        keeps = np.empty(len(of), np.bool_)
        keeps[of.place] = of.keeps & kept
        needed = room_needed(earlier, sizes, keeps).take(of.place)
        if of.copies is not None:  # the object itself is one, whatever it stands for
            needed[found] += of.size[found] - sizes.take(of.place)[found]
        return needed

    @cached_property
    def _fetch(self) -> Ints:
        """What comes from the origin where the object is not held: the whole of it; of what changes, what was sent."""
        of = self.objects
        lasting = self.rules.lifetimes[of.kind] >= FOREVER
        return np.where((of.action == PART) | lasting, of.size, of.octets)

    @cached_property
    def _expiring(self) -> tuple[Ints, Ints]:
        """The rows that are not fresh for ever, and for each of them the one from which it is stale."""
        of = self.objects
        lifetime = self.rules.lifetimes[of.kind]
        rows = np.flatnonzero(lifetime < FOREVER)  # whole objects: kind is of the object
        return rows, stale_from(of.ts[rows], lifetime[rows], of.first[rows])

    def _validations(self, fetched: Bools, held: Bools) -> tuple[Ints, Ints]:
        """The rows that validate, and for each the one that fetched or validated before."""
        rows, following = self._expiring
        found, before = validating(following, fetched.take(rows), held.take(rows))
        return rows[found], rows.take(before[found])

    def _validation(self, validates: Ints, since: Ints) -> Ints:
        of = self.objects
        changed = of.version.take(validates) != of.version.take(since)
        whole = np.where(of.action.take(validates) == WHOLE, of.octets.take(validates), of.size.take(validates))  # fmt: skip
        return np.where(changed, whole, self.rules.unchanged_octets)

    def _sums(self, octets: Ints, asked: Bools, validates: Ints) -> Served:
        return Served(
            self._sum(asked),
            self._sum(octets),
            self._sum(None, validates),
            self._variance(octets),
        )

    def _sum(self, values: NDArray[np.generic] | None, rows: Ints | slice = slice(None)) -> Sums:
        of = self.objects
        if of.times is not None:
            values = of.times[rows] if values is None else values * of.times[rows]  # type: ignore[operator]
        return self._by_scope(of.scope[rows], values)

    def _by_scope(self, scope: NDArray[np.int32], values: NDArray[np.generic] | None) -> Sums:
        if self.scopes == 1:
            return np.array([len(scope) if values is None else values.sum()], np.float64)
        return np.bincount(scope, values, minlength=self.scopes).astype(np.float64, copy=False)

    def _variance(self, octets: Ints) -> Sums:
        """Of a sum over a sample of objects that were drawn one independently of the other."""
        of = self.objects
        if of.times is None or not len(of):
            return np.zeros(self.scopes)
        starts = np.flatnonzero(of.first)
        # rows of one object were drawn together
        each = np.add.reduceat(octets * np.sqrt(of.times * (of.times - 1)), starts)
        return self._by_scope(of.scope[starts], each**2)

    def smallest(self, part: float) -> Ints:
        """The smallest caches that save `part` of the octets that unlimited ones save, larger by 1.1 % at most.

        Validations are those of an unlimited cache: a smaller one asks for more anew, and validates
        less. Below the largest object it is an upper bound: what passes a cache by takes no room.
        """
        of, needed = self.objects, self.needed
        held = of.earlier >= 0
        fetched = of.keeps & ~held
        validates, since = self._validations(fetched, held)
        cost = np.zeros(len(of), np.int64)
        cost[validates] = self._validation(validates, since)
        absent = np.where(of.keeps, self._fetch, of.octets)
        saved = (absent - cost) * (1 if of.times is None else of.times)
        # a cache fetches the whole of what was asked for in part
        absent[~self._known] = of.octets[~self._known]
        extra = self._sum(absent - of.octets)
        rows = np.flatnonzero(held)
        step = np.ceil(np.log2(np.maximum(needed.take(rows), 1)) * _STEPS).astype(np.int64)
        cells, sums = _by_cell(of.scope[rows] * np.int64(_SPAN) + step, saved.take(rows), self.scopes * _SPAN)  # fmt: skip
        scope = cells // _SPAN
        total = np.bincount(scope, sums, self.scopes)
        running = np.cumsum(sums) - (np.cumsum(total) - total)[scope]
        gain = total - extra
        reached = np.flatnonzero((gain > 0)[scope] & (running - extra[scope] >= part * gain[scope]))
        found, first = np.unique(scope[reached], return_index=True)
        result = np.zeros(self.scopes, np.int64)
        result[found] = np.ceil(2.0 ** (cells[reached[first]] % _SPAN / _STEPS)).astype(np.int64)
        return result


def _by_cell(cells: Ints, values: NDArray[np.generic], count: int) -> tuple[Ints, Sums]:
    """The cells (0 to `count` - 1) that have something, in order, and the sums of their values."""
    if count <= len(cells):
        table = np.bincount(cells, values, count).astype(np.float64, copy=False)
        found = np.flatnonzero(table)
        return found, table[found]
    order = np.argsort(cells)
    found, starts = np.unique(cells[order], return_index=True)
    return found, np.add.reduceat(values[order].astype(np.float64), starts) if len(starts) else np.zeros(0)  # fmt: skip
