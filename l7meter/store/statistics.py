"""Column statistics of data files: bounds that readers prune by, so they must hold for every value.

Bounds are text, as in `ducklake_file_column_stats`: they need not be exact, but no value may lie
outside. A bound is never left out where there are values: DuckLake's extension takes a missing one
of a table for "all null" when it merges, and then prunes rows that are there.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pyarrow.parquet as pq

from l7meter.schema import Column

TEXT_LIMIT = 256  # characters of a text bound; a request target can be 8 KiB
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_YEAR_1 = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
_YEAR_9999 = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)


class ColumnStats(NamedTuple):
    """One row of `ducklake_file_column_stats`; `values` counts those that are not null."""

    size_bytes: int
    values: int
    nulls: int
    lower: str | None
    upper: str | None
    contains_nan: bool | None


def text_lower(value: str) -> str:
    """A text not above `value`, short and without NUL: a prefix of it.

    >>> text_lower("a\\x00b")
    'a'
    """
    return value.split("\0", 1)[0][:TEXT_LIMIT]


def text_upper(value: str) -> str:
    """A text not below `value`, short and without NUL: a prefix with its last character raised.

    >>> text_upper("a\\x00b")
    'b'
    """
    prefix = text_lower(value)
    if prefix == value:
        return value
    for i in range(len(prefix) - 1, -1, -1):
        point = ord(prefix[i]) + 1
        if point <= 0x10FFFF:
            return prefix[:i] + chr(0xE000 if point == 0xD800 else point)  # no surrogates in UTF-8
    return "\x01" if value.startswith("\0") else value  # nothing but U+10FFFF: kept whole


def _instant(us: int, beyond: str) -> str:
    if not _YEAR_1 <= us <= _YEAR_9999:
        return beyond
    return f"{(_EPOCH + timedelta(microseconds=us)).replace(tzinfo=None)}+00"


def _bounds(column: Column, low: Any, high: Any, nan: bool | None) -> tuple[str, str]:
    match column.type:
        case "string":
            return text_lower(low), text_upper(high)
        case "timestamp":
            return _instant(low, "-infinity"), _instant(high, "infinity")
        case "double":
            # DuckDB orders NaN above infinity, Parquet's statistics leave it out
            return str(low if low is not None else math.inf), "inf" if nan else str(high)
        case "date":
            return (
                f"{_EPOCH + timedelta(days=low):%Y-%m-%d}",
                f"{_EPOCH + timedelta(days=high):%Y-%m-%d}",
            )
        case _:
            return str(int(low)), str(int(high))


def _scan(path: Path, columns: list[Column]) -> dict[str, tuple[Any, Any, int, bool | None]]:
    """Minimum, maximum, nulls and NaN of columns, from the values themselves."""
    wanted = []
    for c in columns:
        values = pl.col(c.name)
        if c.type in ("timestamp", "date"):
            values = values.to_physical()
        elif c.type == "string":
            values = values.cast(pl.String)
        finite = values.fill_nan(None) if c.type == "double" else values
        nan = values.is_nan().any() if c.type == "double" else pl.lit(None, dtype=pl.Boolean)
        wanted.append(
            pl.struct(
                low=finite.min(), high=finite.max(), nulls=values.null_count(), nan=nan
            ).alias(c.name)
        )
    row = pl.scan_parquet(path, glob=False).select(wanted).collect().row(0, named=True)
    return {name: (s["low"], s["high"], s["nulls"], s["nan"]) for name, s in row.items()}


class _Said(NamedTuple):
    """What a footer says of a column: compressed octets, and None where it is silent."""

    size_bytes: int
    nulls: int | None = None
    low: Any = None
    high: Any = None


def _footer(meta: pq.FileMetaData, index: int) -> _Said:
    groups = [meta.row_group(g) for g in range(meta.num_row_groups)]
    chunks = [group.column(index) for group in groups]
    silent = _Said(sum(chunk.total_compressed_size for chunk in chunks))
    nulls, lows, highs = 0, [], []
    for group, chunk in zip(groups, chunks, strict=True):
        stats = chunk.statistics
        if stats is None or not stats.has_null_count:
            return silent
        nulls += stats.null_count
        if stats.null_count == group.num_rows:
            continue
        if not stats.has_min_max:
            return silent
        low, high = stats.min_raw, stats.max_raw
        if isinstance(low, bytes):
            try:
                low, high = low.decode(), high.decode()
            except UnicodeDecodeError:  # a text cut within a character
                return silent
        lows.append(low)
        highs.append(high)
    return _Said(silent.size_bytes, nulls, min(lows, default=None), max(highs, default=None))


def describe(
    path: Path, columns: Mapping[str, Column], nan: Mapping[str, bool] | None = None
) -> tuple[int, int, dict[str, ColumnStats]]:
    """Rows, octets of the footer and statistics by column of a Parquet file that has `columns`.

    Taken from the footer where it speaks, from the values where it does not; `nan` says which
    columns of floating point hold NaN, where the caller knows.
    """
    meta = pq.read_metadata(path)
    order = {meta.schema.column(i).name: i for i in range(meta.num_columns)}
    said = {name: _footer(meta, order[name]) for name in columns}
    silent = [
        column
        for name, column in columns.items()
        if (nulls := said[name].nulls) is None
        or (column.type == "double" and nan is None and nulls < meta.num_rows)
    ]
    scanned = _scan(path, silent) if silent else {}
    stats = {}
    for name, column in columns.items():
        size, nulls, low, high = said[name]
        has_nan = (nan or {}).get(name, False) if column.type == "double" else None
        if name in scanned:
            low, high, nulls, has_nan = scanned[name]
        assert nulls is not None  # a silent footer was scanned
        values = meta.num_rows - nulls
        lower, upper = _bounds(column, low, high, has_nan) if values else (None, None)
        stats[name] = ColumnStats(size, values, nulls, lower, upper, has_nan)
    return meta.num_rows, meta.serialized_size, stats


def _rank(column: Column, bound: str) -> Any:
    """What a bound sorts by; texts of other writers (`0044-03-15 (BC) ...`) included."""
    match column.type:
        case "string" | "date":
            return bound
        case "timestamp":
            if bound.endswith("infinity") or "(BC)" in bound:
                return -math.inf if bound.startswith("-") or "(BC)" in bound else math.inf
            year = int(re.split("-", bound, maxsplit=1)[0])
            if year > 9999:
                return math.inf
            return (datetime.fromisoformat(bound) - _EPOCH) // timedelta(microseconds=1)
        case "double":
            return float(bound)
        case _:
            return int(bound)


def lowest(column: Column, one: str | None, other: str | None) -> str | None:
    """The lower of two lower bounds of a column; None stands for "no values"."""
    bounds = [b for b in (one, other) if b is not None]
    return min(bounds, key=lambda b: _rank(column, b), default=None)


def highest(column: Column, one: str | None, other: str | None) -> str | None:
    """The higher of two upper bounds of a column; None stands for "no values"."""
    bounds = [b for b in (one, other) if b is not None]
    return max(bounds, key=lambda b: _rank(column, b), default=None)
