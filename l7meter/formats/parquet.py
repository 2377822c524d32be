"""Logs that are Parquet already (CloudFront v2): columns mapped to readings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import polars as pl

from l7meter.errors import SourceError
from l7meter.formats.contract import Raw, Segment
from l7meter.formats.lines import Lines
from l7meter.sources import Block

ROWS = 250_000


class ParquetReader:
    """Reads tables whose columns are named as the fields, other signs than letters as `_`."""

    def __init__(self, fields: Mapping[str, str], required: Iterable[str] = ()) -> None:
        self.fields = {_plain(field): reading for field, reading in fields.items()}
        self.required = tuple(required)

    def cut(self, block: Block, context: Any) -> tuple[list[Segment], Any]:
        """Lines are never of this format."""
        return [Segment(block)], context

    def might(self, line: str) -> bool:
        """Lines are never of this format."""
        return False

    def read(self, segment: Segment, lines: Lines) -> Raw:
        """Lines are never of this format."""
        rows = np.arange(lines.count)
        empty = pl.DataFrame(schema={"source_line": pl.Int64})
        return Raw(empty, lines.reasons(rows, "not a Parquet file"), {})

    def claims(self, name: str) -> bool:
        """Whether the file has the columns of the format."""
        columns = {_plain(column) for column in _scan(name).collect_schema()}
        return set(map(_plain, self.required)) <= columns

    def frames(self, name: str) -> Iterator[Raw]:
        """The readings of a file, some rows at a time; `source_line` is the row, from 1.

        Raises `SourceError` where the file cannot be read.
        """
        scan = _scan(name)
        places = {column: _plain(column) for column in scan.collect_schema()}
        wanted = {column: self.fields[plain] for column, plain in places.items() if plain in self.fields}  # fmt: skip
        columns = [pl.col(c).cast(pl.String).alias(f"{word}\t{c}") for c, word in wanted.items()]
        rows = int(_collect(name, scan.select(pl.len())).item())
        for start in range(0, rows, ROWS):
            frame = _collect(name, scan.slice(start, ROWS).select(columns))
            number = pl.Series("source_line", np.arange(start + 1, start + frame.height + 1))
            unread = pl.DataFrame(schema={"source_line": pl.Int64, "reason": pl.String})
            yield Raw(frame.insert_column(0, number), unread, {})


def _scan(name: str) -> pl.LazyFrame:
    return pl.scan_parquet(name, glob=False)


def _collect(name: str, frame: pl.LazyFrame) -> pl.DataFrame:
    try:
        return frame.collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise SourceError(f"{name}: the Parquet file cannot be read: {error}") from error


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
