"""Work on distinct values once and spread the result over the rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl


def distinct(series: pl.Series) -> tuple[pl.Series, np.ndarray | None]:
    """The distinct values of a string column and each row's place among them.

    Returns the values as strings (null is one of them where it occurs) and, a row, the index of
    its value; the index is None where every row has the same value.
    """
    coded = _coded(series)
    values = coded.unique()
    if values.len() <= 1:
        return values.cast(pl.String), None
    codes = codes_of(values)
    places = np.empty(int(codes.max()) + 1, np.uint32)
    places[codes] = np.arange(len(codes), dtype=np.uint32)
    return values.cast(pl.String), places[codes_of(coded)]


def spread(concluded: pl.DataFrame, places: np.ndarray | None, height: int) -> pl.DataFrame:
    """Rows of a frame made from `distinct` values, spread over `height` rows."""
    if places is None:
        places = np.zeros(height, np.uint32)
    return concluded[places]


def map_distinct(series: pl.Series, change: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """The column with `change` applied to its distinct values."""
    if series.is_empty():
        return change(series)
    values, places = distinct(series)
    changed = change(values).alias(series.name).to_frame()
    return spread(changed, places, series.len()).to_series()


def map_runs(series: pl.Series, change: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """The column with `change` applied to the first of each run of equal neighbours."""
    fresh = series.ne_missing(series.shift(1))
    if fresh.len():
        fresh[0] = True
    changed = change(series.filter(fresh)).alias(series.name)
    return changed[fresh.cum_sum() - 1]


def recode(coded: pl.Series, change: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """A Categorical column with `change` applied to its distinct texts, in the same categories."""
    values = coded.unique()
    before = values.cast(pl.String)
    after = change(before.clone())  # `Series.scatter` changes it in place
    if after.equals(before):
        return coded
    codes, dtype = codes_of(values), coded.dtype
    table = pl.Series([None], dtype=pl.UInt32).new_from_index(0, int(codes.max()) + 1)
    table = table.scatter(codes, after.cast(dtype).to_physical())
    return table[codes_of(coded)].cat.to(dtype).alias(coded.name)


def without_nulls(objects: pl.Expr) -> pl.Expr:
    """JSON objects, compactly written, without their members that are null.

    A quote inside a text is escaped, so that nothing inside of one is taken for a member.
    """
    return objects.str.replace_all(r'"[^"\\]*":null,', "").str.replace_all(
        r',?"[^"\\]*":null\}', "}"
    )


def _coded(series: pl.Series) -> pl.Series:
    if isinstance(series.dtype, pl.Categorical):
        return series
    return series.cast(pl.Categorical(pl.Categories.random()))


def codes_of(coded: pl.Series) -> np.ndarray:
    """The code of each row of a Categorical column, from 1; a null has none and is 0."""
    stored = coded.to_physical()
    if stored.null_count():
        stored = stored.cast(pl.Int64).fill_null(-1)
    codes: np.ndarray = np.add(stored.to_numpy(), 1, dtype=np.int64)
    return codes
