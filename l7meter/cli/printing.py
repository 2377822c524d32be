"""Rows on standard output: as a table for people, in a format for programs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from l7meter.cli.options import Output

if TYPE_CHECKING:
    import polars as pl
    from rich.console import Console

FIRST = 50  # rows of records shown as a table


def console() -> Console:
    """Where a person reads: no colour and 100 columns where there is no terminal."""
    from rich.console import Console

    class Piped(Console):
        def on_broken_pipe(self) -> None:
            _gone()
            raise typer.Exit

    return Console() if sys.stdout.isatty() else Piped(width=100)


def literal(text: str) -> str:
    """Text as it is, in a line that has markup."""
    from rich.markup import escape

    from l7meter.reports.cells import visible

    return escape(visible(text))


def print_table(frame: pl.DataFrame, title: str = "") -> None:
    """A table of answers: numbers whole, text shortened to fit."""
    from l7meter.reports import table

    table.print_table(frame, console(), title)


def print_list(frame: pl.DataFrame, title: str = "") -> None:
    """A table of descriptions: text wrapped, none of it lost."""
    from rich.table import Table
    from rich.text import Text

    from l7meter.reports.cells import flat, visible

    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", title=title or None, title_justify="left", title_style="bold")  # fmt: skip
    rows = [["" if cell is None else visible(str(cell)) for cell in row] for row in flat(frame).iter_rows()]  # fmt: skip
    longest = max((len(row[0]) for row in rows), default=0)
    for place, name in enumerate(frame.columns):
        # a name is to be copied: in one piece where there is room
        grid.add_column(name, overflow="fold", no_wrap=not place and 3 * longest < console().width)
    for row in rows:
        grid.add_row(*map(Text, row))
    console().print(grid)


def print_cards(frame: pl.DataFrame) -> None:
    """Each row for itself: its first value, and under it what else is not null."""
    from rich.text import Text

    from l7meter.reports.cells import flat, visible

    with _closing():
        out = console()
        width = max(map(len, frame.columns))
        for row in flat(frame).iter_rows(named=True):
            (_, first), *others = row.items()
            out.print(Text(visible(str(first)), style="bold"))
            for name, cell in others:
                if cell is not None:
                    out.print(Text(f"  {name.ljust(width)}  {visible(str(cell))}"))


def print_rows(
    frame: pl.DataFrame, output: Output, title: str = "", *, wrapped: bool = False
) -> None:
    """Rows in the wanted form; `wrapped` tables lose no text."""
    from l7meter.reports import files

    with _closing():
        if output is Output.table:
            (print_list if wrapped else print_table)(frame, title)
        else:
            files.write(output.value, sys.stdout.buffer, frame)


@contextmanager
def row_writer(output: Output) -> Iterator[Callable[[pl.DataFrame], None]]:
    """A function that writes one frame after the other; JSON lines leave out what is null."""
    from l7meter.reports import files

    writer: files.Writer | None = None
    shown = 0

    def write(frame: pl.DataFrame) -> None:
        nonlocal writer, shown
        if output is Output.table:
            if shown < FIRST and frame.height:
                part = frame.head(FIRST - shown)
                shown += part.height
                print_table(part.select(name for name in part.columns if part[name].null_count() < part.height))  # fmt: skip
            return
        if writer is None:
            options = {"absent_nulls": True} if output is Output.jsonl else {}
            writer = files.open_writer(output.value, sys.stdout.buffer, frame.schema, **options)
        writer.write(frame)

    with _closing():
        yield write
        if writer is not None:
            writer.close()


@contextmanager
def _closing() -> Iterator[None]:
    """A reader that has gone (`| head`) is no error."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        _gone()
        raise typer.Exit from None


def outlets() -> None:
    """Let there be a standard output and a standard error; a job may have been started without."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))


def flush() -> None:
    """Write what is left; a reader that has gone is no error."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _gone()


def _gone() -> None:
    # Python would flush again at its end, and complain.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
