"""Caches of other rules than LRU: simulated request by request by libCacheSim.

It is licensed under GPL-3.0-or-later and comes with the extra `l7meter[caches]` only.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from l7meter.analysis.whatif.objects import Objects
from l7meter.analysis.whatif.stack import NEVER, Bools, Ints
from l7meter.errors import UsageError

# https://docs.libcachesim.com/python/
POLICIES = {
    "lru": "LRU",
    "fifo": "FIFO",
    "clock": "Clock",
    "sieve": "Sieve",
    "s3fifo": "S3FIFO",
    "lfu": "LFU",
    "arc": "ARC",
    "gdsf": "GDSF",
    "tinylfu": "WTinyLFU",
}
_LARGEST = 2**60


def held_by(policy: str, of: Objects, size: Ints) -> Bools:
    """Which requests find their object in a cache of that policy; `size` has octets for each scope.

    Raises `UsageError` where libCacheSim is not installed.
    """
    try:
        import libcachesim
    except ImportError as error:
        raise UsageError(
            f"--policy {policy} is simulated by libCacheSim, which is not installed: pip install "
            "'l7meter[caches]' (GPL-3.0-or-later), or take lru"
        ) from error
    held = np.zeros(len(of), np.bool_)
    by_time = np.argsort(of.place)
    number = np.cumsum(of.first)
    request = libcachesim.Request()
    caches: dict[int, Any] = {}
    # The policies are sequential; a microsecond a request, in C++.
    for row in by_time[of.size[by_time] < NEVER].tolist():
        scope = int(of.scope[row])
        if of.size[row] > size[scope]:
            continue
        cache = caches.get(scope)
        if cache is None:
            made = getattr(libcachesim, POLICIES[policy])
            cache = caches[scope] = made(min(int(size[scope]), _LARGEST), hashpower=16)
        request.obj_id, request.obj_size = int(number[row]), int(of.size[row])
        if of.keeps[row]:
            held[row] = cache.get(request)
        else:
            held[row] = cache.find(request, update_cache=False) is not None
    return held
