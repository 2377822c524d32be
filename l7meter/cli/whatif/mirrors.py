"""`l7meter whatif mirrors`."""

from __future__ import annotations

from typing import Annotated

import typer

from l7meter.cli.options import (
    DEFAULT_STORE,
    Output,
    OutputOption,
    RefdataOption,
    StoreOption,
    examples,
)
from l7meter.cli.quality import SinceOption, UntilOption
from l7meter.cli.whatif.cache import LifetimeOption, lifetimes
from l7meter.cli.whatif.options import (
    OnlyOption,
    OrganizationOption,
    PriceOption,
    print_answer,
    selection,
)

EXAMPLES = examples(
    "l7meter whatif mirrors",
    "l7meter whatif mirrors -k 10 --at organization --price 0.08/GB",
    "l7meter whatif mirrors -k 3 --at country,asn --no-fill --only ecosystem=deb",
)


def mirrors(
    store: StoreOption = DEFAULT_STORE,
    count: Annotated[int, typer.Option("-k", "--count", min=1, metavar="K", help="How many mirrors.")] = 5,
    at: Annotated[str, typer.Option("--at", metavar="DIMENSION,...", help="What a place is: asn, organization, network, network-kind, country; several of them with --no-fill.")] = "asn",
    fill: Annotated[bool, typer.Option("--fill/--no-fill", help="Whether a mirror gets what it holds from this origin, once for each object.")] = True,
    organization: OrganizationOption = None,
    only: OnlyOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    ttl: LifetimeOption = None,
    price: PriceOption = None,
    refdata: RefdataOption = None,
    output: OutputOption = Output.table,
) -> None:  # fmt: skip
    """Where a few mirrors would take most bytes off the origin, with and without what fills them."""
    from l7meter.analysis.whatif import mirrors as room
    from l7meter.analysis.whatif.answer import Price
    from l7meter.store import connect

    wanted = selection(since, until, only, organization)
    with connect(store, locked=True) as connection:
        answer = room.mirrors(
            connection,
            wanted,
            count=count,
            at=[each.strip() for each in at.split(",")],
            fill=fill,
            lifetimes=lifetimes(ttl),
            price=Price.parse(price) if price else None,
            refdata=refdata,
        )
    print_answer(answer, output)


def register(group: typer.Typer) -> None:
    """Add the command."""
    group.command(epilog=EXAMPLES)(mirrors)
