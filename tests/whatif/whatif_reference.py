"""What a cache does, request by request: the plain reference that what is computed by columns has to equal."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import NamedTuple

WHOLE, PART, LOOK = 0, 1, 2
SAME_WITHIN = 64


class Request(NamedTuple):
    """A request for an object, `octets` of which were sent."""

    scope: int
    ts: int
    key: int
    action: int
    octets: int


@dataclass
class Held:
    validated: int
    version: int


@dataclass
class Cache:
    """An LRU cache of `room` octets; `lifetimes` by object, `sizes` of objects that were seen whole."""

    room: float
    lifetimes: dict[int, float]
    sizes: dict[int, int]
    unchanged: int
    held: OrderedDict[int, Held] = field(default_factory=OrderedDict)
    versions: dict[int, tuple[int, int]] = field(default_factory=dict)
    asked: int = 0
    octets: int = 0
    validations: int = 0

    def see(self, request: Request) -> None:
        key, size = request.key, self.sizes.get(request.key)
        version = self._version(request)
        if size is None or size > self.room:
            self._ask(request.octets)
            return
        if key not in self.held:
            if request.action == LOOK:
                self._ask(request.octets)
                return
            lasting = self.lifetimes[key] == float("inf")
            self._ask(size if lasting or request.action == PART else request.octets)
            self.held[key] = Held(request.ts, version)
            while sum(self.sizes[each] for each in self.held) > self.room:
                self.held.popitem(last=False)
            return
        if request.action != LOOK:
            self.held.move_to_end(key)
        entry = self.held[key]
        if request.ts - entry.validated >= self.lifetimes[key]:
            self.validations += 1
            whole = request.octets if request.action == WHOLE else size
            self._ask(whole if entry.version != version else self.unchanged)
            self.held[key] = Held(request.ts, version)
            if (
                request.action == LOOK
            ):  # dict order is by insertion of the key: unchanged by the new value
                pass

    def _ask(self, octets: int) -> None:
        self.asked += 1
        self.octets += octets

    def _version(self, request: Request) -> int:
        octets, version = self.versions.get(request.key, (request.octets, 0))
        if request.action == WHOLE:
            if abs(request.octets - octets) > SAME_WITHIN:
                version += 1
            octets = request.octets
        if request.action == WHOLE or request.key in self.versions:
            self.versions[request.key] = (octets, version)
        return version


def sizes_of(requests: list[Request]) -> dict[int, int]:
    """The largest whole response of each object."""
    found: dict[int, int] = {}
    for each in requests:
        if each.action == WHOLE:
            found[each.key] = max(found.get(each.key, 0), each.octets)
    return found
