"""CSV (RFC 4180) whose first line names the columns, with a declared mapping from them to readings."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from l7meter.formats.contract import Raw, Segment
from l7meter.formats.lines import TOO_LONG, Lines
from l7meter.sources import Block

SEPARATORS = ",\t;|"
NO_HEADER = "the first line names no column of the mapping"
NOT_SO_MANY = "line has not as many cells as the first line"


class Head(NamedTuple):
    """The first line: as it stands, its separator, the columns it names."""

    line: str
    separator: str
    names: tuple[str, ...]


class CsvReader:
    """Reads cells by the names that the first line gives; it may come again.

    `fields` maps names to readings; `required` are names there must be. A cell may hold no line end.
    """

    def __init__(self, fields: Mapping[str, str], required: Iterable[str] = ()) -> None:
        self.fields = dict(fields)
        self.required = frozenset(required)

    def cut(self, block: Block, context: Any) -> tuple[list[Segment], Any]:
        """Every line is read alike, by the first line of the source."""
        if context is None and block.data:
            first = block.data[: block.data.find(b"\n") + 1 or len(block.data)]
            context = _head(first.decode("utf-8", "backslashreplace").strip("\r\n"))
        return [Segment(block, context)], context

    def might(self, line: str) -> bool:
        """Whether the line names columns of the mapping."""
        return self._named(_head(line))

    def _named(self, head: Head) -> bool:
        return bool(self.fields.keys() & set(head.names)) and self.required <= set(head.names)

    def read(self, segment: Segment, lines: Lines) -> Raw:
        """The readings of each line."""
        head: Head = segment.context
        blank, _, long = lines.passed_over()
        unread = lines.reasons(np.flatnonzero(long), TOO_LONG)
        rows = np.flatnonzero(~blank & ~long)
        skipped = {"blank": int(blank.sum())}
        if not self._named(head):
            empty = pl.DataFrame(schema={"source_line": pl.Int64})
            return Raw(empty, unread.vstack(lines.reasons(rows, NO_HEADER)), skipped)
        text = lines.text[rows].str.strip_suffix("\n")
        heads = (text == head.line).to_numpy()
        skipped["header"] = int(heads.sum())
        text, rows = text.filter(~heads), rows[~heads]
        cells, whole = _cells(text, head)
        unread = unread.vstack(lines.reasons(rows[~whole], NOT_SO_MANY))
        named = [pl.Series("source_line", lines.number(rows[whole]))]
        for place, name in enumerate(head.names):
            if reading := self.fields.get(name):
                named.append(cells[place].filter(pl.Series(whole)).alias(f"{reading}\t{place}"))
        return Raw(pl.DataFrame(named), unread, skipped)


def _head(line: str) -> Head:
    separator = max(SEPARATORS, key=line.count)
    return Head(line, separator, tuple(name.strip() for name in _split(line, separator)))


def _split(line: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=separator), [])
    except csv.Error:  # a cell of over 128 KiB
        return []


def _cells(text: pl.Series, head: Head) -> tuple[list[pl.Series], np.ndarray]:
    """The cells of each line, and which lines have as many as the head."""
    width = len(head.names)
    *cells, more = text.str.splitn(head.separator, width + 1).struct.unnest().get_columns()
    whole = cells[-1].is_not_null().to_numpy() & more.is_null().to_numpy()
    quoted = text.str.contains('"', literal=True).arg_true()
    if quoted.len():
        split = [_split(line, head.separator) for line in text[quoted]]
        fits = [len(each) == width for each in split]
        whole[quoted.to_numpy()] = fits
        split = [each if fit else [""] * width for each, fit in zip(split, fits, strict=True)]
        cells = [cell.scatter(quoted, pl.Series([each[place] for each in split], dtype=pl.String)) for place, cell in enumerate(cells)]  # fmt: skip
    return cells, whole
