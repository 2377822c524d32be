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
    # A null has no code: it takes the place behind the last one.
    codes = values.to_physical().fill_null(2**32 - 1).to_numpy()
    order = np.argsort(codes)
    has_null = values.null_count() > 0
    places = np.empty(int(codes.max()) + 1 if not has_null else int(_top(codes)) + 2, np.uint32)
    places[codes[order][: len(codes) - has_null]] = order[: len(codes) - has_null]
    if has_null:
        places[-1] = order[-1]
    rows = coded.to_physical().fill_null(len(places) - 1).to_numpy()
    return values.cast(pl.String), places[rows]


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


def _coded(series: pl.Series) -> pl.Series:
    if isinstance(series.dtype, pl.Categorical):
        return series
    return series.cast(pl.Categorical(pl.Categories.random()))


def _top(codes: np.ndarray) -> int:
    real = codes[codes != 2**32 - 1]
    return int(real.max()) if len(real) else -1
