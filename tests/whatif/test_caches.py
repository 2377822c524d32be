"""Caches computed by columns serve what caches that see one request after the other serve."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from whatif_caches import LIFETIMES, UNCHANGED, caches
from whatif_reference import LOOK, PART, WHOLE, Cache, Request, sizes_of

from l7meter.analysis.whatif import stack
from l7meter.analysis.whatif.serving import UNLIMITED

REQUESTS = st.lists(
    st.builds(
        Request,
        scope=st.integers(0, 2),
        ts=st.integers(0, 300),
        key=st.integers(0, 11),
        action=st.sampled_from([WHOLE, WHOLE, WHOLE, PART, LOOK]),
        octets=st.sampled_from([0, 1, 10, 100, 170, 1000]),
    ),
    max_size=80,
)


def simulated(requests: list[Request], scope: int, room: float) -> Cache:
    mine = sorted((each for each in requests if each.scope == scope), key=lambda each: each.ts)
    lifetimes = {key: float(LIFETIMES[key % 3]) if key % 3 else float("inf") for key in range(12)}
    cache = Cache(room, lifetimes, sizes_of(mine), UNCHANGED)
    for each in mine:
        cache.see(each)
    return cache


@settings(max_examples=300)
@given(requests=REQUESTS, rooms=st.lists(st.integers(0, 3000), min_size=3, max_size=3))
def test_lru_caches_serve_what_the_reference_serves(requests: list[Request], rooms: list[int]) -> None:  # fmt: skip
    served = caches(requests).serve(np.array(rooms))
    for scope, room in enumerate(rooms):
        expected = simulated(requests, scope, room)
        assert served.asked[scope] == expected.asked
        assert served.octets[scope] == expected.octets
        assert served.validations[scope] == expected.validations


@given(requests=REQUESTS)
def test_unlimited_caches_serve_what_the_reference_serves(requests: list[Request]) -> None:
    served = caches(requests).serve(np.full(3, UNLIMITED))
    for scope in range(3):
        expected = simulated(requests, scope, float("inf"))
        found = (served.asked[scope], served.octets[scope], served.validations[scope])
        assert found == (expected.asked, expected.octets, expected.validations)


@given(requests=REQUESTS, part=st.sampled_from([0.5, 0.9, 1.0]))
def test_the_smallest_cache_saves_so_much_and_a_smaller_one_does_not(requests: list[Request], part: float) -> None:  # fmt: skip
    """Where nothing expires; a cache that is smaller than an object is spared it, and may save more."""
    lasting = [each._replace(key=each.key // 3 * 3, octets=10 + each.key // 3, action=WHOLE) for each in requests]  # fmt: skip
    of = caches(lasting)
    smallest = of.smallest(part)
    sent = np.bincount(of.objects.scope, of.objects.octets, minlength=3)
    unlimited = sent - of.serve(np.full(3, UNLIMITED)).octets
    saved = sent - of.serve(smallest).octets
    less = sent - of.serve((smallest / 1.0109 - 1).astype(np.int64)).octets
    for scope in range(3):
        if unlimited[scope] > 0:
            assert saved[scope] >= part * unlimited[scope]
            assert smallest[scope] < 16 or less[scope] < part * unlimited[scope]


@given(
    keys=st.lists(st.integers(0, 40), max_size=300),
    bits=st.sampled_from([2, 4, 6]),
    chunk=st.integers(1, 40),
)
def test_octets_needed_do_not_depend_on_how_the_sum_is_cut(
    keys: list[int], bits: int, chunk: int
) -> None:
    last: dict[int, int] = {}
    earlier = []
    for place, key in enumerate(keys):
        earlier.append(last.get(key, -1))
        last[key] = place
    given_ = np.array(earlier, np.int64), np.array(keys, np.int64) + 1, np.ones(len(keys), np.bool_)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stack, "_BLOCK", bits)
        patch.setattr(stack, "_CHUNK", chunk)
        patch.setattr(stack, "_TOGETHER", 2 << bits)
        cut = stack.room_needed(*given_)
    distinct = [
        sum(key + 1 for key in {*keys[before + 1 : place + 1]}) if before >= 0 else stack.NEVER
        for place, before in enumerate(earlier)
    ]
    assert cut.tolist() == distinct
    assert stack.room_needed(*given_).tolist() == distinct
