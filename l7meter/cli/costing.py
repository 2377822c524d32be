"""`l7meter cost`."""

from __future__ import annotations

import io
import json
import sys
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from l7meter.cli.options import DEFAULT_STORE, Output, OutputOption, StoreOption, examples
from l7meter.cli.printing import console, literal, print_cards, print_list, print_rows, print_table
from l7meter.cli.quality import SinceOption, UntilOption, moment
from l7meter.errors import UsageError

if TYPE_CHECKING:
    import polars as pl

    from l7meter.fund.cards import Card
    from l7meter.fund.cost import Cost

EXAMPLES = examples(
    "l7meter cost --card cloudfront --period 2026-10",
    "l7meter cost --card fastly --by ecosystem --region europe",
    "l7meter cost --card cloudfront --unit GiB --commit 5000 --regions asn:64500=india",
    "l7meter cost --card ./our-contract.toml --by asn --limit 0 -o csv > cost.csv",
    "l7meter cost --cards",
)


def cost(
    store: StoreOption = DEFAULT_STORE,
    card: Annotated[str | None, typer.Option("--card", metavar="NAME|FILE", help="The price card: one that ships ('--cards' lists them), or a TOML file of your own.")] = None,
    by: Annotated[str, typer.Option("--by", metavar="DIMENSION", help="By what cost is told apart: organization, parent, asn, network-kind, agent, agent-kind, ecosystem, package, ...")] = "organization",
    period: Annotated[str | None, typer.Option("--period", metavar="PERIOD", help="A month (2026-10), a quarter (2026-Q4), a year, a day, or FIRST..LAST; instead of --since and --until.")] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    region: Annotated[str, typer.Option("--region", metavar="NAME", help="The region of the card that all is billed in.", show_default="the card's first")] = "",
    regions: Annotated[list[str] | None, typer.Option("--regions", metavar="DIMENSION:VALUE=REGION", help="What is billed in another region: asn:64500=europe; may be given several times, the first that fits counts.")] = None,
    unit: Annotated[str | None, typer.Option("--unit", metavar="GB|GiB", help="Read the card's prices for another unit: GB (10^9 octets) or GiB (2^30).", show_default="the card's")] = None,
    commit: Annotated[str | None, typer.Option("--commit", metavar="MONEY", help="What one has committed to pay a month; 0 is nothing.", show_default="the card's")] = None,
    limit: Annotated[int, typer.Option("--limit", min=0, help="Rows that are named, those of most bytes first; 0 names all.")] = 20,
    cards: Annotated[bool, typer.Option("--cards", help="List the price cards that ship, and stop.")] = False,
    output: OutputOption = Output.table,
) -> None:  # fmt: skip
    """What a period cost by a price card, and what each user cost of it: at the margin, and on average.

    Each calendar month (UTC) is a bill of its own; docs/cost.md says how it is made.
    """
    from l7meter.fund.cost import cost as run
    from l7meter.fund.metering import Place
    from l7meter.store import connect

    if cards:
        print_cards(_cards()) if output is Output.table else print_rows(_cards(), output)
        return
    chosen = _card(card, unit, commit)
    first, last = moment(since, "since"), moment(until, "until")
    if period is not None:
        from l7meter.fund.period import Period

        if first or last:
            raise UsageError("--period and --since or --until contradict each other: give one of them")  # fmt: skip
        days = Period.parse(period)
        first, last = days.since, days.until
    places = [Place.parse(each) for each in regions or ()]
    with connect(store, locked=True) as con:
        found = run(con, chosen, by=by, since=first, until=last, limit=limit or None, region=region, places=places)  # fmt: skip
    _print(found, output)


def _card(name: str | None, unit: str | None, commit: str | None) -> Card:
    from l7meter.fund import cards

    if name is None:
        raise UsageError(f"what does it cost? Give --card: {', '.join(cards.names())}, or a file of your own")  # fmt: skip
    # a name that is a file's, too, is the card that ships: ./NAME is the file
    shipped = name in cards.names()
    made = cards.read(Path(name) if not shipped and Path(name).is_file() else name)
    if unit is not None:
        made = made.with_unit(unit)
    if commit is None:
        return made
    try:
        amount = Decimal(commit)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount < 0:
        raise UsageError(f"--commit {commit}: give money a month, as in 5000")
    return made.with_commit(amount or None)


def _cards() -> pl.DataFrame:
    import polars as pl

    from l7meter.fund import cards

    rows = [
        {
            "card": each.name,
            "title": each.title,
            "prices": f"{each.currency} per {each.unit}, as of {each.as_of}",
            "regions": ", ".join(region.name for region in each.regions) or None,
            "origin": each.origin,
            "note": each.note,
        }
        for each in map(cards.read, cards.names())
    ]
    return pl.DataFrame(rows)


def _print(found: Cost, output: Output) -> None:
    """Rows, the bill, and in words what follows and what was assumed: beside them, or on standard error."""
    import polars as pl
    import polars.selectors as cs

    if output is Output.json:
        whole = {
            "title": found.title,
            "rows": _json(found.frame.with_columns(cs.decimal().cast(pl.String))),
            "total": str(found.total),
            "bill": _json(found.lines()),
            "notes": found.notes,
            "assumptions": found.assumptions,
        }
        print(json.dumps(whole, ensure_ascii=False))
        return
    if output is not Output.table:
        print_rows(found.frame, output)
        for text in (found.title, *found.notes, *(f"Assumed: {each}" for each in found.assumptions)):  # fmt: skip
            print(f"l7meter: {literal(text)}", file=sys.stderr)
        return
    print_table(found.frame.drop("unmeasured"), found.title)  # the notes have it
    out = console()
    out.print()
    print_list(_short(found), "The bill")
    out.print()
    for note in found.notes:
        out.print(literal(note), highlight=False)
    out.print("\n[bold]Assumed[/bold]")
    for text in found.assumptions:
        out.print(f"[dim]·[/dim] {literal(text)}", highlight=False)


def _short(found: Cost) -> pl.DataFrame:
    """The lines of the bills, for people: amounts to the cent."""
    import polars as pl

    rows: list[dict[str, str | None]] = []
    for month, bill in found.bills:
        for line in bill.lines:
            quantity = f"{line.quantity:,.6f}".rstrip("0").rstrip(".")
            rows.append({"month": month, "what": line.what, "quantity": quantity, "unit": line.unit, "rate": f"{line.rate:,f}", "amount": f"{line.amount:z,.2f}"})  # fmt: skip
        rows.append({"month": month, "what": "total", "quantity": None, "unit": None, "rate": None, "amount": f"{bill.rounded():,.2f}"})  # fmt: skip
    return pl.DataFrame(rows)


def _json(rows: pl.DataFrame) -> object:
    from l7meter.reports import files

    stream = io.BytesIO()
    files.write("json", stream, rows)
    return json.loads(stream.getvalue())


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EXAMPLES)(cost)
