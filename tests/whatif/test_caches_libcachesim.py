"""Caches beside those of libCacheSim, which sees one request after the other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from whatif_caches import caches
from whatif_reference import WHOLE, Request

libcachesim = pytest.importorskip("libcachesim", reason="the oracle of caches: pip install libcachesim")  # fmt: skip


@settings(max_examples=40)
@given(
    trace=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 5)), min_size=1, max_size=200),
    room=st.integers(1, 4000),
)
def test_lru_misses_are_those_of_libcachesim(trace: list[tuple[int, int]], room: int) -> None:
    sizes = [1 + key * 37 % 400 for key in range(31)]
    requests = [Request(0, now, 3 * key, WHOLE, sizes[key]) for now, (key, _) in enumerate(trace)]
    served = caches(requests).serve(np.full(3, room))
    cache = libcachesim.LRU(room, hashpower=10)
    asked = octets = 0
    request = libcachesim.Request()
    for key, _ in trace:
        request.obj_id, request.obj_size = key, sizes[key]
        if sizes[key] > room or not cache.get(request):  # what is larger passes it by
            asked, octets = asked + 1, octets + sizes[key]
    assert (served.asked[0], served.octets[0]) == (asked, octets)


@pytest.mark.parametrize("policy", ["fifo", "sieve", "s3fifo"])
def test_other_policies_hold_no_more_than_there_is(policy: str) -> None:
    """A cache with room for everything serves the same under every policy; an empty one nothing."""
    random = np.random.default_rng(5)
    requests = [Request(0, now, 3 * int(key), WHOLE, 100) for now, key in enumerate(random.zipf(1.5, 500) % 40)]  # fmt: skip
    lru, other = caches(requests), caches(requests, policy)
    for room in (0, 10**9):
        assert other.serve(np.full(3, room)).octets.tolist() == lru.serve(np.full(3, room)).octets.tolist()  # fmt: skip
    middle = other.serve(np.full(3, 2500)).octets[0]
    assert lru.serve(np.full(3, 10**9)).octets[0] < middle < lru.serve(np.full(3, 0)).octets[0]
