"""`l7meter quality`."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from l7meter.cli.options import DEFAULT_STORE, Output, OutputOption, StoreOption, examples
from l7meter.cli.printing import console, literal, print_rows

if TYPE_CHECKING:
    import polars as pl

FOUND = 3
COLOURS = {"error": "bold red", "warning": "bold yellow", "info": "bold"}
SinceOption = Annotated[
    str | None, typer.Option("--since", metavar="TIME", help="Only records from this instant on: 2026-11-01 or 2026-11-01T12:00Z (UTC without a zone).")
]  # fmt: skip
UntilOption = Annotated[
    str | None, typer.Option("--until", metavar="TIME", help="Only records before this instant.")
]
EXAMPLES = examples(
    "l7meter quality",
    "l7meter quality --since 2026-10-01 --until 2026-11-01 -o csv > findings.csv",
    "l7meter quality --strict && l7meter query top_organizations",
)


def quality(
    store: StoreOption = DEFAULT_STORE,
    since: SinceOption = None,
    until: UntilOption = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 3 if there are errors or warnings.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=0, help="Findings of a check and severity that are named; the rest is one line; 0 names all.")] = 20,
    output: OutputOption = Output.table,
) -> None:  # fmt: skip
    """Say what is doubtful in the data: rejects, gaps, exchanges that count twice, clocks, sampling, sizes.

    docs/quality.md says what each check finds, and by which rule.
    """
    from l7meter.analysis import quality as run
    from l7meter.store import connect

    period = moment(since, "since"), moment(until, "until")
    with connect(store, locked=True) as connection:
        findings = run(connection, *period, limit=limit or None)
    if output is Output.table:
        _print(findings)
    else:
        print_rows(findings, output)
    if strict and findings["severity"].is_in(["error", "warning"]).any():
        raise typer.Exit(FOUND)


def moment(text: str | None, name: str) -> datetime | None:
    """The instant that an option names, UTC. Raises `UsageError` for text that is none."""
    from l7meter.analysis.parameters import Parameter

    value = Parameter(name, "null", "timestamp", name).convert(text)
    return value if isinstance(value, datetime) else None


def _print(findings: pl.DataFrame) -> None:
    """Each finding in a few lines: what, where, when, how much, and the next step."""
    from rich.padding import Padding
    from rich.text import Text

    from l7meter.reports.cells import visible
    from l7meter.units import bytes_text

    out = console()
    for row in findings.iter_rows(named=True):
        ends = [f"{row[end]:%Y-%m-%d %H:%M}" for end in ("since", "until") if row[end]]
        parts = [literal(row["source"] or "several sources"), " to ".join(ends)]
        parts += [bytes_text(row["bytes"])] if row["bytes"] else []
        colour = COLOURS[row["severity"]]
        out.print(f"[{colour}]{row['severity']}[/] [bold]{row['check']}[/]  {'  '.join(filter(None, parts))}", highlight=False)  # fmt: skip
        for text, style in ((row["message"], ""), (f"→ {row['next_step']}", "dim")):
            out.print(Padding(Text(visible(text), style), (0, 0, 0, 2)))
    counts = findings["severity"].value_counts(sort=True)
    told = ", ".join(f"{count:,} {name}" for name, count in counts.iter_rows())
    out.print(f"{'Findings: ' + told if told else 'Nothing was found'}", highlight=False)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EXAMPLES)(quality)
