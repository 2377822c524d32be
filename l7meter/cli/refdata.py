"""`l7meter refdata`: snapshots of reference data, imported, listed and pinned."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from l7meter.cli.options import Output, OutputOption, RefdataOption, examples, parse_day
from l7meter.cli.printing import console, literal, print_rows
from l7meter.errors import UsageError

app = typer.Typer(
    help="Reference data of others as dated snapshots: who announced an address, and whose it was.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)


@app.command(
    epilog=examples("l7meter refdata status", "l7meter refdata status --day 2026-10-15 -o jsonl")
)
def status(
    refdata: RefdataOption = None,
    day: Annotated[str | None, typer.Option("--day", metavar="YYYY-MM-DD", help="The day for which snapshots are chosen; today if not given.")] = None,
    output: OutputOption = Output.table,
) -> None:  # fmt: skip
    """List the snapshots, and which of them hold for a day."""
    from l7meter.attribution.reference.listing import listing, warnings
    from l7meter.attribution.reference.shelf import Shelf

    when = parse_day(day, "--day") or datetime.now(UTC).date()
    shelf = Shelf(refdata)
    rows = listing(shelf, when)
    if output is not Output.table:
        print_rows(rows, output)
    else:
        print_rows(rows.select("name", "kind", "as_of", "rows", "holds", "state"), output)
        out = console()
        out.print(f"Kept in {literal(str(shelf.folder))}", highlight=False)
        for line in warnings(shelf, when):
            out.print(literal(line), highlight=False)


@app.command(
    "import",
    epilog=examples(
        "l7meter refdata import GeoLite2-ASN.mmdb ip-ranges.json",
        "l7meter refdata import --as-of 2026-11-01 geofeed.csv",
        "l7meter refdata import --as tor-exits --as-of 2026-11-20 exits.txt",
    ),
)
def import_(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Files as their makers publish them, compressed or not.")],
    as_: Annotated[str | None, typer.Option("--as", metavar="SOURCE", help="What the files are ('l7meter refdata sources'); told by name and content if not given.")] = None,
    as_of: Annotated[str | None, typer.Option("--as-of", metavar="YYYY-MM-DD", help="The day of the data, where the file does not say it.")] = None,
    sha256: Annotated[str | None, typer.Option("--sha256", metavar="HEX", help="What the file's SHA-256 must be (one file).")] = None,
    refdata: RefdataOption = None,
) -> None:  # fmt: skip
    """Make snapshots of files of reference data."""
    from l7meter.attribution.reference.fetching import named, take
    from l7meter.attribution.reference.shelf import Shelf

    if sha256 and len(files) > 1:
        raise UsageError("--sha256 is of one file: import them one by one")
    importer = named(as_) if as_ else None
    for file in files:
        made = take(
            Shelf(refdata), file, importer, as_of=parse_day(as_of, "--as-of"), sha256=sha256
        )
        _tell(made.name, made.rows, made.dropped, made.attribution)


@app.command(
    epilog=examples(
        "l7meter refdata update",
        "l7meter refdata update aws gcp",
        "HTTPS_PROXY=http://proxy.example:3128 l7meter refdata update",
    )
)
def update(
    sources: Annotated[list[str] | None, typer.Argument(metavar="[SOURCE...]", help="What to fetch; all that its makers publish without registration if not given.")] = None,
    refdata: RefdataOption = None,
) -> None:  # fmt: skip
    """Fetch reference data from where its makers publish it, and make snapshots of it.

    Proxies are those of the environment (HTTPS_PROXY, NO_PROXY). What cannot be fetched is told, and the
    rest goes on.
    """
    from l7meter.attribution.reference.fetching import fetch, fetchable, named
    from l7meter.attribution.reference.shelf import Shelf

    failed = 0
    for importer in [named(name) for name in sources] if sources else fetchable():
        for url in importer.urls:
            made = fetch(Shelf(refdata), importer, url)
            if isinstance(made, str):
                failed += 1
                typer.echo(f"l7meter: {importer.name}: {made}", err=True)
            else:
                _tell(made.name, made.rows, made.dropped, made.attribution)
    if failed:
        raise typer.Exit(3)


@app.command(
    epilog=examples(
        "l7meter refdata use --since 2026-10-01 --until 2026-11-01",
        "l7meter refdata use --since 2026-10-01 --until 2026-11-01 aws-2026-09-30-0f3c5a7be1d2",
    )
)
def use(
    snapshots: Annotated[list[str] | None, typer.Argument(metavar="[SNAPSHOT...]", help="Names as 'l7meter refdata status' lists them; those that hold on the first day if not given.")] = None,
    since: Annotated[str, typer.Option("--since", metavar="YYYY-MM-DD", help="The first day.")] = "",
    until: Annotated[str, typer.Option("--until", metavar="YYYY-MM-DD", help="The day after the last.")] = "",
    refdata: RefdataOption = None,
) -> None:  # fmt: skip
    """Pin snapshots for a period: whatever is imported later, its records are attributed by these."""
    from l7meter.attribution.reference.choosing import Pin, pin
    from l7meter.attribution.reference.listing import holding
    from l7meter.attribution.reference.shelf import Shelf

    first, behind = parse_day(since, "--since"), parse_day(until, "--until")
    if first is None or behind is None:
        raise UsageError("use pins a period: give --since and --until")
    shelf = Shelf(refdata)
    names = tuple(snapshots or (each.name for each in holding(shelf, first)))
    pin(shelf, Pin(first, behind, names))
    for name in names:
        typer.echo(f"{name} holds from {first} until {behind}")


@app.command(epilog=examples("l7meter refdata sources", "l7meter refdata sources -o markdown"))
def sources(output: OutputOption = Output.table) -> None:
    """List what can be imported: who makes it, under which terms, and where it is documented."""
    from l7meter.attribution.reference.listing import importable

    print_rows(importable(), output)


def _tell(name: str, rows: int, dropped: dict[str, int], attribution: str) -> None:
    left = "".join(f"; {count:,} left out: {reason}" for reason, count in dropped.items())
    typer.echo(f"{name}: {rows:,} rows{left}")
    if attribution:
        typer.echo(f"  its terms ask to show: {attribution}")


def register(above: typer.Typer) -> None:
    """Add the commands."""
    above.add_typer(app, name="refdata")
