"""Text kept as codes: a block's strings are let go as soon as it is parsed."""

from __future__ import annotations

import polars as pl

from l7meter.attribution import Memo
from l7meter.schema import COLUMNS

VALUES = 400_000  # addresses, agents and targets: some 200 MB; a new coding costs all of them again
OCTETS = 2 << 30  # of content: the other columns' values are not counted
TEXT = [name for name, column in COLUMNS.items() if column.type == "string"]


class Coding:
    """The codes of text, each column its own, and what was concluded of the values they stand for."""

    def __init__(self) -> None:
        self.memo = Memo()
        self._types = {name: pl.Categorical(pl.Categories.random()) for name in TEXT}
        # Polars forgets codes that no column has any more, and would give them to other values
        self._kept = [pl.Series([], dtype=kind) for kind in self._types.values()]

    def type(self, column: str) -> pl.Categorical:
        """The type of a text column."""
        return self._types[column]

    def code(self, records: pl.DataFrame) -> pl.DataFrame:
        """The records, their strings as Categorical; may be called from several threads."""
        return records.with_columns(
            pl.col(name).cast(self._types[name])
            for name, kind in records.schema.items()
            if kind == pl.String
        )

    def made(self, records: pl.DataFrame) -> bool:
        """Whether the records have these codes."""
        schema = records.schema
        return all(
            schema[name] == kind
            for name, kind in self._types.items()
            if isinstance(schema.get(name), pl.Categorical)
        )


class Coder:
    """Hands out the coding, a new one when it holds too much: codes must not outgrow memory."""

    def __init__(self) -> None:
        self._coding = Coding()
        self._octets = 0

    def coding(self, octets: int) -> Coding:
        """The coding for the next block, which has so many octets."""
        self._octets += octets
        if self._coding.memo.size > VALUES or self._octets > OCTETS:
            self._coding.memo = Memo()  # not to hold two: blocks of this coding are still under way
            self._octets, self._coding = octets, Coding()
        return self._coding

    def code(self, records: pl.DataFrame) -> pl.DataFrame:
        """A frame that is no block of text, in the coding that its own octets call for."""
        return self.coding(int(records.estimated_size())).code(records)

    def memo(self, records: pl.DataFrame) -> Memo | None:
        """What is remembered under the coding of these records, if it is the present one."""
        coding = self._coding
        return coding.memo if coding.made(records) else None


def concat(frames: list[pl.DataFrame]) -> pl.DataFrame:
    """Frames one below the other, those of different codings as well (then as strings)."""
    schemas = [frame.schema for frame in frames]
    mixed = [name for name in TEXT if len({of[name] for of in schemas if name in of}) > 1]
    if mixed:
        frames = [frame.with_columns(pl.col(set(mixed) & set(frame.columns)).cast(pl.String)) for frame in frames]  # fmt: skip
    return pl.concat(frames, how="diagonal")
