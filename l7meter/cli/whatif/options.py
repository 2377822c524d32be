"""Options that what-ifs share, and how an answer is printed."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from l7meter.cli.options import Output
from l7meter.cli.printing import console, literal, print_rows, print_table
from l7meter.cli.quality import moment
from l7meter.errors import UsageError

if TYPE_CHECKING:
    import polars as pl

    from l7meter.analysis.whatif import Answer, Selection

OrganizationOption = Annotated[
    str | None, typer.Option("--organization", metavar="NAME", help="Only requests of this organisation: short for --only organization=NAME.")
]  # fmt: skip
OnlyOption = Annotated[
    list[str] | None, typer.Option("--only", metavar="DIMENSION=VALUE", help="Only requests with this value: asn=64500, network-kind=cloud, ecosystem=npm, ...; may be given several times.")
]  # fmt: skip
PriceOption = Annotated[
    str | None, typer.Option("--price", metavar="MONEY/UNIT", help="What bytes cost, such as 0.08/GB or 0.08/GiB: adds a column of money.")
]  # fmt: skip
LimitOption = Annotated[
    int, typer.Option("--limit", min=0, help="Rows that are named, those of most bytes first; 0 names all.")
]  # fmt: skip


def selection(
    since: str | None, until: str | None, only: list[str] | None, organization: str | None
) -> Selection:
    """What the options select. Raises `UsageError` for what names no dimension or no instant."""
    from l7meter.analysis.whatif import Selection
    from l7meter.analysis.whatif.scope import dimension

    pairs = []
    for each in only or ():
        name, equals, value = each.partition("=")
        if not equals:
            raise UsageError(f"--only {each}: give DIMENSION=VALUE")
        dimension(name)
        pairs.append((name, value))
    if organization is not None:
        pairs.append(("organization", organization))
    return Selection(moment(since, "since"), moment(until, "until"), tuple(pairs))


def print_answer(answer: Answer, output: Output) -> None:
    """Rows, and in words what follows and what was assumed: beside them, or on standard error."""
    if output is Output.json:
        rows = json.loads(_json(answer.rows))
        whole = {"title": answer.title, "rows": rows, "notes": answer.notes, "assumptions": answer.assumptions}  # fmt: skip
        print(json.dumps(whole, ensure_ascii=False))
        return
    if output is not Output.table:
        print_rows(answer.rows, output)
        for text in (*answer.notes, *(f"Assumed: {each}" for each in answer.assumptions)):
            print(f"l7meter: {text}", file=sys.stderr)
        return
    print_table(answer.rows, answer.title)
    out = console()
    if answer.notes:
        out.print()
    for note in answer.notes:
        out.print(literal(note), highlight=False)
    if answer.assumptions:
        out.print("\n[bold]Assumed[/bold]")
    for text in answer.assumptions:
        out.print(f"[dim]·[/dim] {literal(text)}", highlight=False)


def _json(rows: pl.DataFrame) -> bytes:
    import io

    from l7meter.reports import files

    stream = io.BytesIO()
    files.write("json", stream, rows)
    return stream.getvalue()
