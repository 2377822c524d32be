"""What a person sees of long work: a bar on a terminal, else a line of numbers now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from l7meter.cli.printing import literal

if TYPE_CHECKING:
    from l7meter.ingest.outcome import Source

SECONDS = 10.0  # between two lines where there is no terminal


@contextmanager
def progress(sources: int) -> Iterator[Callable[[Source], None]]:
    """A callback for the sources as they are read; everything goes to standard error."""
    if sys.stderr.isatty():
        with _bar(sources) as report:
            yield report
    else:
        yield _lines(sources)


def _lines(sources: int) -> Callable[[Source], None]:
    seen: dict[int, Source] = {}
    last = time.monotonic()

    def report(source: Source) -> None:
        nonlocal last
        seen[id(source)] = source
        if time.monotonic() - last < SECONDS:
            return
        last = time.monotonic()
        lines = sum(each.lines for each in seen.values())
        octets = sum(each.bytes_read for each in seen.values())
        print(f"l7meter: source {len(seen):,} of {sources:,}, {lines:,} lines, {octets:,} bytes read", file=sys.stderr, flush=True)  # fmt: skip

    return report


@contextmanager
def _bar(sources: int) -> Iterator[Callable[[Source], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[lines]} lines"), TimeElapsedColumn())  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=sources, lines="0")
        seen: dict[int, Source] = {}

        def report(source: Source) -> None:
            seen[id(source)] = source
            done = len(seen) - 1
            if source.size:
                done += min(source.bytes_read / source.size, 1)  # type: ignore[assignment]
            lines = sum(each.lines for each in seen.values())
            bar.update(
                task,
                completed=int(done),
                description=literal(source.name[-30:]),
                lines=f"{lines:,}",
            )

        yield report


@contextmanager
def counting(what: str) -> Iterator[Callable[[int, int], None]]:
    """A callback for how many are done, and of how many; everything goes to standard error."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import Progress

        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(what)
            yield lambda done, total: bar.update(task, completed=done, total=total)
        return
    last = time.monotonic()

    def report(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last >= SECONDS:
            last = time.monotonic()
            print(f"l7meter: {done:,} of {total:,} {what}", file=sys.stderr, flush=True)

    yield report
