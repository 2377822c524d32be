"""`l7meter fund publish`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from l7meter.cli.fund.options import PeriodOption
from l7meter.cli.options import DEFAULT_STORE, SnapshotOption, StoreOption, examples

EXAMPLES = examples(
    "l7meter fund publish --period 2026-10 --to report",
    "l7meter fund publish --period 2026-Q4 --to report --publisher 'Example Foundation' --min-clients 10 --digits 2",
    "l7meter fund publish --period 2026-10 --to report --name-organizations --force",
)


def publish(
    period: PeriodOption,
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="Where the page, the JSON and the CSVs go: a new folder.")],
    min_clients: Annotated[int, typer.Option("--min-clients", min=2, help="No row stands for fewer clients, by itself or by subtraction.")] = 5,
    digits: Annotated[int, typer.Option("--digits", min=1, max=9, help="Significant digits of all figures.")] = 3,
    names: Annotated[bool, typer.Option("--name-organizations/--no-name-organizations", help="Name the largest organisations that are known themselves.")] = False,
    growth: Annotated[bool, typer.Option("--growth/--no-growth", help="Compare with the period before: reads that, too.")] = True,
    title: Annotated[str, typer.Option("--title", help="Title of the page.")] = "Who used the bandwidth",
    publisher: Annotated[str | None, typer.Option("--publisher", help="Who publishes it.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Put it in the place of a report that is there.")] = False,
    store: StoreOption = DEFAULT_STORE,
    snapshot: SnapshotOption = None,
) -> None:  # fmt: skip
    """Write a report for the public: a page, JSON and CSV, without anybody in it who could be told.

    docs/publishing.md says what it protects from, and from what it does not.
    """
    from l7meter.fund.period import Period
    from l7meter.statements import public, public_files

    public_files.check(to, force)
    terms = public.Terms(min_clients, digits, names, growth, title, publisher)
    made = public.make(store, Period.parse(period), terms, snapshot=snapshot)
    files = public_files.write(to, made, force)
    for each in made.document["left_out"]:
        print(each)
    print(f"{to / 'index.html'}, and {len(files) - 1} files beside it")


def register(group: typer.Typer) -> None:
    """Add the command."""
    group.command(epilog=EXAMPLES)(publish)
