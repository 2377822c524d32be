"""Work on columns that every room shares."""

from __future__ import annotations

import json

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from l7meter.columns import without_nulls

VALUES = st.one_of(
    st.none(), st.booleans(), st.text(st.sampled_from('a",:{}[]\\null\n'), max_size=12)
)


@given(st.lists(VALUES, min_size=1, max_size=5))
def test_without_nulls_leaves_out_members_that_are_null_and_nothing_else(values: list) -> None:
    members = {f"k{number}": value for number, value in enumerate(values)}
    text = pl.Series([json.dumps(members, separators=(",", ":"), ensure_ascii=False)])
    (left,) = text.to_frame("t").select(without_nulls(pl.col("t"))).to_series()
    assert json.loads(left) == {name: value for name, value in members.items() if value is not None}
