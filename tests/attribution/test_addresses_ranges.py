"""Disjoint ranges and the search in them, against the definition applied number by number."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l7meter.attribution.ranges import Ranges, flatten, keys_of

SMALL = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 12), st.integers(0, 2)).map(
        lambda t: (t[0], t[0] + t[1], t[2])
    ),
    max_size=14,
)
# Numbers whose octets end in, begin with and consist of zeros: what a comparison of text would get wrong.
WIDE = st.one_of(
    st.integers(0, 2**128 - 1),
    st.integers(0, 2**64 - 1).map(lambda n: n << 64),
    st.integers(0, 2**16).map(lambda n: n << 8),
    st.sampled_from([0, 1, 255, 256, 2**128 - 1, 2**127, 2**64, 2**64 - 1]),
)


def owner(number: int, ranges: list[tuple[int, int, int]]) -> int | None:
    holding = [
        (-priority, end - start, -row)
        for row, (start, end, priority) in enumerate(ranges)
        if start <= number <= end
    ]
    return -min(holding)[2] if holding else None


@settings(deadline=None)
@given(SMALL)
def test_every_number_goes_to_the_highest_then_narrowest_then_latest_range(ranges):
    starts, ends, rows = flatten(*([r[i] for r in ranges] for i in range(3)))
    pieces = list(zip(starts, ends, rows, strict=True))
    for number in range(60):
        held = [row for start, end, row in pieces if start <= number <= end]
        assert held == [o for o in [owner(number, ranges)] if o is not None]


@settings(deadline=None)
@given(SMALL)
def test_pieces_ascend_and_neighbours_of_one_row_are_joined(ranges):
    starts, ends, rows = flatten(*([r[i] for r in ranges] for i in range(3)))
    for i in range(1, len(starts)):
        assert ends[i - 1] < starts[i]
        assert not (ends[i - 1] + 1 == starts[i] and rows[i - 1] == rows[i])


def test_a_nested_prefix_cuts_its_parent_in_two():
    assert flatten([0, 4], [15, 7]) == ([0, 4, 8], [3, 7, 15], [0, 1, 0])


def test_a_range_that_ends_before_it_starts_is_refused():
    with pytest.raises(ValueError, match="ends before it starts"):
        flatten([5], [4])


@settings(deadline=None)
@given(st.lists(WIDE, min_size=1, max_size=30), st.lists(WIDE, min_size=1, max_size=30))
def test_ipv6_search_is_exact_to_the_last_bit(borders, queries):
    borders = sorted(set(borders))
    starts, ends = borders[::2], borders[1::2] + [2**128 - 1] * (len(borders) % 2)
    ranges = Ranges(keys_of(starts, 6), keys_of(ends, 6), np.arange(len(starts)))
    queries = [
        *queries,
        *borders,
        *(b - 1 for b in borders if b),
        *(e + 1 for e in ends if e + 1 < 2**128),
    ]
    expected = [
        next((i for i, (s, e) in enumerate(zip(starts, ends, strict=True)) if s <= q <= e), -1)
        for q in queries
    ]
    assert ranges.locate(keys_of(queries, 6)).tolist() == expected


def test_nothing_is_found_in_no_ranges():
    none = Ranges(np.empty(0, np.uint32), np.empty(0, np.uint32), np.empty(0, np.int64))
    assert none.locate(np.array([0, 1], np.uint32)).tolist() == [-1, -1]
