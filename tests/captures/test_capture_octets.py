"""Columns of octets find and number what Python's own bytes would."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from l7meter.captures.octets import Met, find, stretches

FILLER = st.sampled_from(
    [b"\r\n", b"\r\n\r\n", b"\r\nDate: ", b"\n", b"D", b"\r", b"x" * 40, b"y" * 300]
)
DATA = st.lists(FILLER | st.binary(max_size=3), max_size=40).map(b"".join)
ENDS = st.lists(st.tuples(st.integers(0, 9000), st.integers(0, 9000)), max_size=8)


def within(data: bytes, ends: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    places = [sorted(min(each, len(data)) for each in both) for both in ends]
    start, behind = np.array(places, np.int64).reshape(-1, 2).T
    return start, behind


@given(DATA, ENDS, st.sampled_from([b"\n", b"\r\n\r\n", b"\r\nDate: "]), st.sampled_from([0, 320]))
def test_it_is_found_where_bytes_find_it(
    data: bytes, ends: list[tuple[int, int]], what: bytes, width: int
) -> None:
    start, behind = within(data, ends)
    expected = [data.find(what, *both) for both in zip(start.tolist(), behind.tolist(), strict=True)]  # fmt: skip
    assert find(data, start, behind, what, width).tolist() == expected


@given(st.lists(st.tuples(DATA, ENDS), max_size=3))
def test_equal_octets_have_one_number(windows: list[tuple[bytes, list[tuple[int, int]]]]) -> None:
    met, order = Met(), list[bytes]()
    for data, ends in windows:
        start, behind = within(data, ends)
        octets = [data[a:b] for a, b in zip(start.tolist(), behind.tolist(), strict=True)]
        made = stretches(data, start, behind - start)
        assert made.to_list() == octets
        numbers, fresh = met.numbers(made)
        order += fresh
        assert [order[number] for number in numbers.tolist()] == octets
    assert len(set(order)) == len(order)
    assert met.octets == sum(map(len, order))
