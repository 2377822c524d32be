"""Text kept as codes: a block's strings are let go as soon as it is parsed."""

from __future__ import annotations

import polars as pl

from l7meter.schema import COLUMNS

TEXT = [name for name, column in COLUMNS.items() if column.type == "string"]


class Coding:
    """The codes of one batch: each text column has its own."""

    def __init__(self) -> None:
        self._categories = {name: pl.Categories.random() for name in TEXT}

    def code(self, records: pl.DataFrame) -> pl.DataFrame:
        """The records, their strings as Categorical; may be called from several threads."""
        return records.with_columns(
            pl.col(name).cast(pl.Categorical(self._categories[name]))
            for name in records.columns
            if records.schema[name] == pl.String
        )


class Coder:
    """Hands out codings, a new one after so many octets: codes must not outgrow memory."""

    def __init__(self, octets: int) -> None:
        self._limit = octets
        self._octets = 0
        self._coding = Coding()

    def coding(self, octets: int) -> Coding:
        """The coding for the next block, which has so many octets."""
        if self._octets >= self._limit:
            self._octets, self._coding = 0, Coding()
        self._octets += octets
        return self._coding


def concat(frames: list[pl.DataFrame]) -> pl.DataFrame:
    """Frames one below the other, those of different codings as well (then as strings)."""
    mixed = [
        name
        for name in TEXT
        if len({frame.schema[name] for frame in frames if name in frame.columns}) > 1
    ]
    if mixed:
        frames = [frame.with_columns(pl.col(set(mixed) & set(frame.columns)).cast(pl.String)) for frame in frames]  # fmt: skip
    return pl.concat(frames, how="diagonal")


def same(one: pl.DataFrame, other: pl.DataFrame) -> bool:
    """Whether two frames have one coding."""
    shared = set(one.columns) & set(other.columns)
    return all(one.schema[name] == other.schema[name] for name in shared)
