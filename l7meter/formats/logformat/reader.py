"""Lines written by a format string, as readings."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import polars as pl

from l7meter.formats.contract import Raw, Segment
from l7meter.formats.lines import LONG, TOO_LONG, Lines
from l7meter.formats.logformat.match import expression, match
from l7meter.formats.logformat.split import Splitter
from l7meter.formats.logformat.template import Item, Var
from l7meter.sources import Block

NO_MATCH = "line does not match the format"


class LogFormatReader:
    """Reads lines by a format string: fast where the line can be cut, exact everywhere else.

    `fast=False` takes the exact path for every line; both give the same records.
    """

    def __init__(self, items: list[Item], *, escapes: bool = True, fast: bool = True) -> None:
        self.items = items
        self.readings = [item.reading for item in items if isinstance(item, Var)]
        self.pattern = expression(items, escapes=escapes)
        self._whole = re.compile(self.pattern)
        self._splitter = Splitter(items, escapes=escapes) if fast else None

    def cut(self, block: Block, context: Any) -> tuple[list[Segment], Any]:
        """Every line is read alike."""
        return [Segment(block)], context

    def might(self, line: str) -> bool:
        """Whether the line matches."""
        return len(line) > LONG or self._whole.match(line) is not None

    def read(self, segment: Segment, lines: Lines) -> Raw:
        """The readings of each line that matches."""
        blank, comment, long = lines.passed_over()
        passed = blank | comment | long
        if self._splitter:
            columns, fits = self._splitter.split(lines)
            fits &= ~passed
        else:
            columns, fits = self._nothing(lines.count), np.zeros(lines.count, np.bool_)
        rest = np.flatnonzero(~fits & ~passed)
        unread = lines.reasons(np.flatnonzero(long), TOO_LONG)
        if len(rest):
            matched, hit = match(lines.some(rest), self.pattern, len(self.readings))
            unread = unread.vstack(lines.reasons(rest[~hit.to_numpy()], NO_MATCH))
            exact = rest[hit.to_numpy()]
            if len(exact):
                matched = matched.filter(hit)
                columns = pl.DataFrame([column.scatter(exact, matched[column.name]) for column in columns])  # fmt: skip
                fits[exact] = True
        skipped = {"blank": int(blank.sum()), "comment": int(comment.sum())}
        return Raw(self._frame(columns, fits, lines), unread, skipped)

    def _frame(self, columns: pl.DataFrame, fits: np.ndarray, lines: Lines) -> pl.DataFrame:
        """The readings of the rows that fit."""
        taken = columns if fits.all() else columns.filter(pl.Series(fits))
        named = [pl.Series("source_line", lines.number(np.flatnonzero(fits)))]
        for place, reading in enumerate(self.readings):
            if reading:
                named.append(taken[str(place)].alias(f"{reading}\t{place}"))
        return pl.DataFrame(named)

    def _nothing(self, rows: int) -> pl.DataFrame:
        empty = pl.Series([None], dtype=pl.String).new_from_index(0, rows)
        return pl.DataFrame([empty.alias(str(place)) for place in range(len(self.readings))])
