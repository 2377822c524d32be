"""What a cache in front of each scope would have served, and what it would have asked the origin for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import polars as pl
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
        room = size[of.scope]
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
        held = np.zeros(len(of), np.bool_)
        held[kept] = self._room(kept) <= room[kept]
        return held

    @cached_property
    def _known(self) -> Bools:
        return self.objects.size < NEVER

    @cached_property
    def needed(self) -> Ints:
        """How large a cache has to be for each request to find its object, under LRU."""
        needed = np.full(len(self.objects), NEVER)
        needed[self._known] = self._room(self._known)
        return needed

    def _room(self, kept: Bools) -> Ints:
        """As `needed`, for some objects with all of their requests, as if there were no others."""
        of = self.objects
        place, size = of.place[kept], of.size[kept]
        # to the order of time, and back
        rank = np.zeros(int(of.place.max(initial=-1)) + 1, np.int32)
        rank[place] = 1
        rank = np.cumsum(rank, dtype=np.int32) - 1
        when = rank[place]
        earlier = np.full(len(when), -1)
        before = of.earlier[kept]
        found = before >= 0
        earlier[when[found]] = rank[of.place[before[found]]]
        del rank, place, before  # a tenth of all memory
        sizes = np.empty_like(size)
        sizes[when] = size if of.copies is None else np.minimum(size * of.copies[kept], _LARGEST)
        keeps = np.empty(len(when), np.bool_)
        keeps[when] = of.keeps[kept]
        needed = room_needed(earlier, sizes, keeps)[when]
        if of.copies is not None:  # the object itself is one, whatever it stands for
            needed[found] += size[found] - sizes[when][found]
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
        found, before = validating(following, fetched[rows], held[rows])
        return rows[found], rows[before[found]]

    def _validation(self, validates: Ints, since: Ints) -> Ints:
        of = self.objects
        changed = of.version[validates] != of.version[since]
        whole = np.where(of.action[validates] == WHOLE, of.octets[validates], of.size[validates])
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
        of = self.objects
        held = of.earlier >= 0
        fetched = of.keeps & ~held
        validates, since = self._validations(fetched, held)
        cost = np.zeros(len(of), np.int64)
        cost[validates] = self._validation(validates, since)
        absent = np.where(of.keeps, self._fetch, of.octets)
        needed = self.needed[held]
        saved = pl.DataFrame(
            {
                "scope": of.scope[held],
                "step": np.ceil(np.log2(np.maximum(needed, 1)) * _STEPS).astype(np.int32),
                "saved": ((absent - cost) * (1 if of.times is None else of.times))[held],
            }
        )
        steps = saved.group_by("scope", "step").agg(pl.col("saved").sum()).sort("scope", "step")
        # a cache fetches the whole of what was asked for in part
        absent[~self._known] = of.octets[~self._known]
        extra = self._sum(absent - of.octets)
        steps = steps.join(pl.DataFrame({"scope": np.arange(self.scopes, dtype=np.int32), "extra": extra}), on="scope")  # fmt: skip
        running = pl.col("saved").cum_sum().over("scope")
        total = pl.col("saved").sum().over("scope")
        gain = total - pl.col("extra")
        reached = steps.filter((gain > 0) & (running - pl.col("extra") >= part * gain))
        first = reached.group_by("scope").agg(pl.col("step").min())
        result = np.zeros(self.scopes, np.int64)
        result[first["scope"].to_numpy()] = np.ceil(2.0 ** (first["step"].to_numpy() / _STEPS)).astype(np.int64)  # fmt: skip
        return result
