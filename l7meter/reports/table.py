"""A frame as a terminal table that fits: text is shortened, then columns give way, never digits."""

from __future__ import annotations

from typing import NamedTuple

import polars as pl
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.style import Style
from rich.table import Table
from rich.text import Text

from l7meter.reports.cells import flat, visible
from l7meter.reports.columns import Kind, kind_of, shown

GAP = 2
LEAST_TEXT = 14  # columns to which text is shortened before another column is left out
BAR = 6  # columns of the bar beside a share
BLOCKS = " ▏▎▍▌▋▊▉█"
KEPT = ("bytes", "share", "basis")  # a sum is never shown without what it counts
FIRST_OUT = ("clients", "unattributed", "requests", "unmeasured")
# Okabe and Ito's blue: told from the text by readers of every colour vision.
BLUE = Style(color="#0072B2")


class _Column(NamedTuple):
    name: str
    kind: Kind
    cells: list[str]
    empty: bool  # nothing but nulls and zeros
    bars: list[str]

    @property
    def width(self) -> int:
        bar = BAR + 1 if self.bars else 0
        return max(map(cell_len, (self.name, *self.cells))) + bar


def print_table(frame: pl.DataFrame, console: Console, title: str = "") -> None:
    """Print a frame at the console's width, with a note on the columns that had no room."""
    unicode = console.encoding.lower().startswith("utf")
    table, left_out = fit(frame, console.width, unicode=unicode)
    if title:
        console.print(Text(title, style="bold"), soft_wrap=True)
    console.print(table)
    if left_out:
        names = ", ".join(left_out)
        console.print(Text(f"No room for: {names}. A wider terminal or a file shows them.", "dim"))


def fit(frame: pl.DataFrame, width: int, *, unicode: bool = True) -> tuple[Table, list[str]]:
    """Return a table no wider than `width` columns, and the names of the columns left out.

    Bytes are shown in SI units, ratios (0 to 1) as percentages with a bar where there is room.
    Every row becomes text: meant for answers, not for millions of records.
    """
    columns = _columns(frame, unicode=unicode)
    if _total([column.width for column in columns]) > width:
        columns = [column._replace(bars=[]) for column in columns]
    left_out: list[str] = []
    while True:
        widths = _shortened(columns, width)
        if _total(widths) <= width or len(columns) <= 1:
            break
        column = columns.pop(_least(columns))
        left_out.append(column.name)
    table = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="bold")
    for column, column_width in zip(columns, widths, strict=True):
        table.add_column(
            Text(column.name),
            justify="left" if column.kind == "text" else "right",
            no_wrap=True,
            width=column_width,
        )
    for row, first in enumerate(columns[0].cells if columns else []):
        style = "dim" if first.startswith("(") else ""
        cells = (_cell(c, row, w, unicode) for c, w in zip(columns, widths, strict=True))
        table.add_row(*cells, style=style)
    return table, left_out


def _columns(frame: pl.DataFrame, *, unicode: bool) -> list[_Column]:
    found = []
    for series, type_ in zip(flat(frame).get_columns(), frame.dtypes, strict=True):
        kind = kind_of(series.name, type_)
        values = series.to_list()
        name, *cells = (visible(text) for text in (series.name, *(shown(v, kind) for v in values)))
        if not unicode:
            name, *cells = (
                text.encode("ascii", "backslashreplace").decode() for text in (name, *cells)
            )
        is_share = unicode and kind == "ratio" and name.endswith("share")
        drawn = [_bar(value or 0) for value in values] if is_share else []
        found.append(_Column(name, kind, cells, not any(values), drawn))
    return found


def _bar(ratio: float) -> str:
    eighths = round(min(max(ratio, 0), 1) * BAR * 8)
    return (BLOCKS[8] * (eighths // 8) + BLOCKS[eighths % 8].strip()).ljust(BAR)


def _cell(column: _Column, row: int, width: int, unicode: bool) -> Text:
    text = column.cells[row]
    if cell_len(text) > width:
        mark = "…" if unicode else "..."
        text = set_cell_size(text, max(width - len(mark), 0)).rstrip() + mark
    if column.bars:
        return Text.assemble((column.bars[row], BLUE), " ", text.rjust(width - BAR - 1))
    return Text(text)


def _total(widths: list[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)


def _shortened(columns: list[_Column], width: int) -> list[int]:
    """Widths of the columns, the longest texts cut to one length as far as needed and allowed."""
    widths = [column.width for column in columns]
    whole = KEPT if _droppable(columns) else ()  # the basis is cut when nothing else can give way
    texts = {n for n, c in enumerate(columns) if c.kind == "text" and c.name not in whole}
    for most in range(min(max(widths, default=0), width), LEAST_TEXT - 1, -1):
        if _total(widths) <= width:
            break
        widths = [min(w, most) if n in texts else w for n, w in enumerate(widths)]
    return widths


def _droppable(columns: list[_Column]) -> list[int]:
    return [n for n in range(1, len(columns)) if columns[n].name not in KEPT]


def _least(columns: list[_Column]) -> int:
    """Position of the column to leave out next: what says nothing, what matters least, the last."""
    droppable = _droppable(columns)
    if not droppable:
        return len(columns) - 1
    for n in droppable:
        if columns[n].empty:
            return n
    names = {columns[n].name: n for n in droppable}
    return next((names[name] for name in FIRST_OUT if name in names), droppable[-1])
