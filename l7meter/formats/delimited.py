"""Lines whose fields stand between separators: W3C extended logs, and fixed lists of fields."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from l7meter.formats.contract import Raw, Segment
from l7meter.formats.lines import TOO_LONG, Lines
from l7meter.formats.pattern import passed_by
from l7meter.sources import Block

NO_FIELDS = "line stands before any #Fields header"
OTHER_FIELDS = "the #Fields header lacks a field of the format"
OTHER_SOFTWARE = "the #Software header names another writer"
TOO_MANY = "line has more fields than its header names"
TOO_FEW = "line has too few fields"


class DelimitedReader:
    """Reads lines with a fixed list of readings (None: read over); the last takes the rest.

    `first` are the words a line may start with; a line with another first field is no record.
    `skip` names expressions of lines that are no requests.
    """

    def __init__(
        self,
        separator: str,
        readings: Sequence[str | None],
        first: Sequence[str] = (),
        skip: Mapping[str, str] | None = None,
    ) -> None:
        self.separator = separator
        self.readings = tuple(readings)
        self.first = tuple(first)
        self.skip = skip or {}

    def cut(self, block: Block, context: Any) -> tuple[list[Segment], Any]:
        """Every line is read alike."""
        return [Segment(block)], context

    def might(self, line: str) -> bool:
        """Whether the line has so many fields, or is one to skip."""
        enough = line.count(self.separator) >= len(self.readings) - 1
        starts = not self.first or line.startswith(self.first)
        return (enough and starts) or any(re.search(each, line) for each in self.skip.values())

    def read(self, segment: Segment, lines: Lines) -> Raw:
        """The readings of each line."""
        blank, _, long = lines.passed_over()
        rows = np.flatnonzero(~blank & ~long)
        skipped = {"blank": int(blank.sum())}
        text, rows = passed_by(_text(lines, rows), rows, self.skip, skipped)
        cells = _cells(text, self.separator, len(self.readings))
        few = cells[-1].is_null()
        if self.first:
            few |= ~cells[0].is_in(self.first)
        unread = lines.reasons(np.flatnonzero(long), TOO_LONG)
        unread = unread.vstack(lines.reasons(rows[few.to_numpy()], TOO_FEW))
        frame = _named(lines, rows, cells, self.readings).filter(~few)
        return Raw(frame, unread, skipped)


class Header(NamedTuple):
    """What the last header lines said: fields, the writer, the day for logs of times alone."""

    fields: tuple[str, ...] = ()
    date: str | None = None
    software: str = ""

    @property
    def meaning(self) -> Header:
        """The part that decides how rows are read: no day where each row says its own."""
        return self._replace(date=None) if "date" in self.fields else self


class W3cReader:
    """Reads W3C extended logs (https://www.w3.org/TR/WD-logfile.html): columns by `#Fields`.

    The columns may change in mid-file; `fields` maps their names to readings, others are read over.
    `software` is an expression that the `#Software` header must match; `missing` are words of this
    format for a missing value.
    """

    def __init__(
        self,
        fields: Mapping[str, str],
        separator: str,
        required: Iterable[str] = (),
        software: str | None = None,
        missing: Iterable[str] = (),
    ) -> None:
        self.required = frozenset(name.lower() for name in required)
        self.software = re.compile(software or "")
        self.missing = list(missing)
        self.fields = {name.lower(): reading for name, reading in fields.items()}
        self.separator = separator

    def cut(self, block: Block, context: Any) -> tuple[list[Segment], Any]:
        """Cut before a header that changes how rows are read; one that repeats it does not."""
        header: Header = context or Header()
        segments, rows = [], False
        data, line, start, last = block.data, block.first_line, 0, 0
        for place, end in _header_lines(data):
            said = _said(header, data[place:end])
            rows = rows or place > last
            if rows and said.meaning != header.meaning:
                segments.append(Segment(Block(data[start:place], line), header))
                line += data.count(b"\n", start, place)
                start, rows = place, False
            header, last = said, end
        if start < len(data) or block.long_lines:
            segments.append(Segment(Block(data[start:], line, block.long_lines), header))
        return segments, header

    def might(self, line: str) -> bool:
        """Whether the line is a header, without which no line is a record."""
        return line.startswith("#")

    def read(self, segment: Segment, lines: Lines) -> Raw:
        """The readings of each row."""
        header: Header = segment.context
        blank, comment, long = lines.passed_over()
        rows = np.flatnonzero(~blank & ~comment & ~long)
        skipped = {"blank": int(blank.sum()), "header": int(comment.sum())}
        unread = lines.reasons(np.flatnonzero(long), TOO_LONG)
        reason = self._not_ours(header)
        if reason:
            empty = pl.DataFrame(schema={"source_line": pl.Int64})
            return Raw(empty, unread.vstack(lines.reasons(rows, reason)), skipped)
        width = len(header.fields)
        cells = _cells(_text(lines, rows), self.separator, width + 1)
        many = cells.pop().is_not_null()
        few = cells[min(2, width - 1)].is_null()  # a row may be short, but not of its time
        unread = unread.vstack(lines.reasons(rows[many.to_numpy()], TOO_MANY))
        unread = unread.vstack(lines.reasons(rows[(few & ~many).to_numpy()], TOO_FEW))
        readings = [self.fields.get(name.lower()) for name in header.fields]
        if self.missing:
            cells = [cell.set(cell.is_in(self.missing), None) for cell in cells]
        frame = _named(lines, rows, cells, readings)
        if header.date and "ts_date" not in readings:
            frame = frame.with_columns(pl.lit(header.date).alias("ts_date\theader"))
        return Raw(frame.filter(~many & ~few), unread, skipped)

    def _not_ours(self, header: Header) -> str | None:
        if not header.fields:
            return NO_FIELDS
        if not self.required <= {name.lower() for name in header.fields}:
            return OTHER_FIELDS
        return None if self.software.search(header.software) else OTHER_SOFTWARE


def _text(lines: Lines, rows: np.ndarray) -> pl.Series:
    return lines.text if len(rows) == lines.count else lines.text[rows]


def _cells(text: pl.Series, separator: str, width: int) -> list[pl.Series]:
    """The cells of each line, null where it has fewer; the last of `width` takes the rest."""
    text = text.str.strip_suffix("\n")
    cells = text.str.splitn(separator, width).struct.unnest().get_columns()
    if separator not in _ODD:
        return cells
    odd = text.str.contains(_ODD[separator]).arg_true()
    if odd.len():
        exact = _quoted(text[odd], separator, width)
        cells = [cell.scatter(odd, other) for cell, other in zip(cells, exact, strict=True)]
    return cells


# what a plain split gets wrong: quotation marks (W3C, RFC 4180 §2) and, between cells, runs of blanks
_ODD = {" ": '"|  ', ",": '"'}


def _quoted(text: pl.Series, separator: str, width: int) -> list[pl.Series]:
    """The same for cells in quotation marks, where a doubled one stands for itself."""
    cell = f'("(?:[^"]|"")*"|[^{separator}]*)'
    between = " +" if separator == " " else separator
    nested = f"(?:{between}(.*))?"
    for _ in range(width - 2):
        nested = f"(?:{between}{cell}{nested})?"
    groups = text.str.extract_groups(f"^{cell}{nested}$").struct.unnest().get_columns()
    return [_unquoted(group) for group in groups]


def _unquoted(cell: pl.Series) -> pl.Series:
    bare = cell.str.extract(r'^"((?:[^"]|"")*)"$').str.replace_all('""', '"', literal=True)
    return bare.fill_null(cell)


def _named(
    lines: Lines, rows: np.ndarray, cells: list[pl.Series], readings: Sequence[str | None]
) -> pl.DataFrame:
    named = [pl.Series("source_line", lines.number(rows))]
    for place, (cell, reading) in enumerate(zip(cells, readings, strict=True)):
        if reading:
            named.append(cell.alias(f"{reading}\t{place}"))
    return pl.DataFrame(named)


def _header_lines(data: bytes) -> Iterator[tuple[int, int]]:
    """Where each line that starts with `#` begins and ends."""
    start = 0
    while start < len(data):
        if not data.startswith(b"#", start):
            start = data.find(b"\n#", start) + 1
            if not start:
                return
        end = data.find(b"\n", start) + 1 or len(data)
        yield start, end
        start = end


def _said(header: Header, line: bytes) -> Header:
    text = line.decode("utf-8", "backslashreplace").strip()
    word, rest = re.match(r"#([A-Za-z-]*)[:\t]?(.*)", text, re.S).groups()  # type: ignore[union-attr]
    match word.lower():
        case "fields":
            return header._replace(fields=tuple(rest.split()))
        case "date":
            return header._replace(date=next(iter(rest.split()), None))
        case "software":
            return header._replace(software=rest.strip())
    return header
