"""Lines whose fields stand between separators: W3C extended logs, and fixed lists of fields."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from l7meter.formats.contract import Raw, Segment
from l7meter.formats.lines import TOO_LONG, Lines
from l7meter.sources import Block

NO_FIELDS = "line stands before any #Fields header"
OTHER_FIELDS = "the #Fields header lacks a field of the format"
TOO_MANY = "line has more fields than its header names"
TOO_FEW = "line has too few fields"


class DelimitedReader:
    """Reads lines with a fixed list of readings (None: read over); the last takes the rest.

    `first` are the words a line may start with; a line with another first field is no record.
    """

    def __init__(
        self, separator: str, readings: Sequence[str | None], first: Sequence[str] = ()
    ) -> None:
        self.separator = separator
        self.readings = tuple(readings)
        self.first = tuple(first)

    def cut(self, block: Block, context: Any) -> tuple[list[Segment], Any]:
        """Every line is read alike."""
        return [Segment(block)], context

    def read(self, segment: Segment, lines: Lines) -> Raw:
        """The readings of each line."""
        blank, _, long = lines.passed_over()
        rows = np.flatnonzero(~blank & ~long)
        cells = _cells(lines, rows, self.separator, len(self.readings))
        few = cells[-1].is_null()
        if self.first:
            few |= ~cells[0].is_in(self.first)
        unread = lines.reasons(np.flatnonzero(long), TOO_LONG)
        unread = unread.vstack(lines.reasons(rows[few.to_numpy()], TOO_FEW))
        frame = _named(lines, rows, cells, self.readings).filter(~few)
        return Raw(frame, unread, {"blank": int(blank.sum())})


class Header(NamedTuple):
    """What the last header lines said: the fields' names, and the day for logs of times alone."""

    fields: tuple[str, ...] = ()
    date: str | None = None


class W3cReader:
    """Reads W3C extended logs (https://www.w3.org/TR/WD-logfile.html): columns by `#Fields`.

    The columns may change in mid-file; `fields` maps their names to readings, others are read over.
    """

    def __init__(
        self, fields: Mapping[str, str], separator: str, required: Iterable[str] = ()
    ) -> None:
        self.required = frozenset(name.lower() for name in required)
        self.fields = {name.lower(): reading for name, reading in fields.items()}
        self.separator = separator

    def cut(self, block: Block, context: Any) -> tuple[list[Segment], Any]:
        """One segment a header: the lines up to the next one."""
        header = context or Header()
        segments = []
        data, line, start = block.data, block.first_line, 0
        place = 0 if data.startswith(b"#") else data.find(b"\n#") + 1
        while place or data.startswith(b"#", start):
            if place > start:
                segments.append(Segment(Block(data[start:place], line), header))
                line += data.count(b"\n", start, place)
            end = data.find(b"\n", place) + 1 or len(data)
            header = _said(header, data[place:end])
            segments.append(Segment(Block(data[place:end], line), header))
            line += 1
            start = end
            place = start if data.startswith(b"#", start) else data.find(b"\n#", start) + 1
            if not place:
                break
        if start < len(data) or block.long_lines:
            segments.append(Segment(Block(data[start:], line, block.long_lines), header))
        return segments, header

    def read(self, segment: Segment, lines: Lines) -> Raw:
        """The readings of each row."""
        header: Header = segment.context
        blank, comment, long = lines.passed_over()
        rows = np.flatnonzero(~blank & ~comment & ~long)
        skipped = {"blank": int(blank.sum()), "header": int(comment.sum())}
        unread = lines.reasons(np.flatnonzero(long), TOO_LONG)
        if not header.fields or not self.required <= {name.lower() for name in header.fields}:
            empty = pl.DataFrame(schema={"source_line": pl.Int64})
            reason = OTHER_FIELDS if header.fields else NO_FIELDS
            return Raw(empty, unread.vstack(lines.reasons(rows, reason)), skipped)
        width = len(header.fields)
        cells = _cells(lines, rows, self.separator, width + 1)
        many = cells.pop().is_not_null()
        few = cells[min(2, width - 1)].is_null()  # a row may be short, but not of its time
        unread = unread.vstack(lines.reasons(rows[many.to_numpy()], TOO_MANY))
        unread = unread.vstack(lines.reasons(rows[(few & ~many).to_numpy()], TOO_FEW))
        readings = [self.fields.get(name.lower()) for name in header.fields]
        frame = _named(lines, rows, cells, readings)
        if header.date and "ts_date" not in readings:
            frame = frame.with_columns(pl.lit(header.date).alias("ts_date\theader"))
        return Raw(frame.filter(~many & ~few), unread, skipped)


def _cells(lines: Lines, rows: np.ndarray, separator: str, width: int) -> list[pl.Series]:
    text = lines.text if len(rows) == lines.count else lines.text[rows]
    split = text.str.strip_suffix("\n").str.splitn(separator, width)
    return split.struct.unnest().get_columns()


def _named(
    lines: Lines, rows: np.ndarray, cells: list[pl.Series], readings: Sequence[str | None]
) -> pl.DataFrame:
    named = [pl.Series("source_line", lines.number(rows))]
    for place, (cell, reading) in enumerate(zip(cells, readings, strict=True)):
        if reading:
            named.append(cell.alias(f"{reading}\t{place}"))
    return pl.DataFrame(named)


def _said(header: Header, line: bytes) -> Header:
    word, _, rest = line.decode("utf-8", "backslashreplace").strip().partition(":")
    if word.lower() == "#fields":
        return header._replace(fields=tuple(rest.split()))
    if word.lower() == "#date":
        return header._replace(date=rest.split()[0] if rest.split() else None)
    return header
