"""`l7meter whatif peers`."""

from __future__ import annotations

from datetime import timedelta
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
from l7meter.cli.whatif.options import (
    LimitOption,
    OnlyOption,
    OrganizationOption,
    PriceOption,
    print_answer,
    selection,
)
from l7meter.errors import UsageError

EXAMPLES = examples(
    "l7meter whatif peers",
    "l7meter whatif peers --scope asn --window 7d --participation 0.1 --upload 1MB/s",
    "l7meter whatif peers --scope country --min-size 1MB --only ecosystem=npm --price 0.08/GB",
    "l7meter whatif peers --scope all --limit 0 -o csv > peers.csv",
)


def peers(
    store: StoreOption = DEFAULT_STORE,
    window: Annotated[str, typer.Option("--window", metavar="TIME", help="How long a peer keeps an artifact after it got it last: 24h, 7d.")] = "24h",
    scope: Annotated[str, typer.Option("--scope", metavar="DIMENSION", help="Who are peers: the clients of one organization, asn, country (needs imported reference data), network or ecosystem, ..., or all.")] = "organization",
    participation: Annotated[float, typer.Option("--participation", metavar="PART", help="The probability that an address takes part, 0 to 1.")] = 1.0,
    upload: Annotated[str | None, typer.Option("--upload", metavar="RATE", help="What a peer uploads a second at most, such as 1MB/s or 1MiB/s.", show_default="no limit")] = None,
    min_size: Annotated[str, typer.Option("--min-size", metavar="SIZE", help="Only artifacts of so many bytes or more are worth a peer: 100kB, 1MiB.")] = "0B",
    organization: OrganizationOption = None,
    only: OnlyOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    refdata: RefdataOption = None,
    limit: LimitOption = 20,
    price: PriceOption = None,
    output: OutputOption = Output.table,
) -> None:  # fmt: skip
    """What peers could have served: artifacts that another client of the same scope had shortly before."""
    from l7meter.analysis.whatif import peers as whatif
    from l7meter.analysis.whatif.answer import Price
    from l7meter.store import connect

    wanted = selection(since, until, only, organization)
    rate = _rate(upload) if upload is not None else None
    smallest = _octets("--min-size", min_size, min_size)
    money = Price.parse(price) if price else None
    with connect(store, locked=True) as connection:
        answer = whatif.peers(
            connection,
            wanted,
            by=scope,
            window=_time(window),
            participation=participation,
            upload=rate,
            smallest=smallest,
            limit=limit or None,
            price=money,
            refdata=refdata,
        )
    print_answer(answer, output)


def _time(text: str) -> timedelta:
    from l7meter.analysis.parameters import Parameter

    value = Parameter("window", "null", "duration", "").convert(text)
    if not isinstance(value, timedelta):
        raise UsageError(f"--window {text}: give a time, such as 24h")
    return value


def _rate(text: str) -> int:
    amount = text.strip().removesuffix("/s")
    return _octets("--upload", text, amount)


def _octets(option: str, text: str, amount: str) -> int:
    from l7meter.analysis.parameters import Parameter

    try:
        value = Parameter(option, "null", "bytes", "").convert(amount)
    except UsageError:
        value = None
    if not isinstance(value, int):
        per = "1MB/s or 1MiB/s" if option == "--upload" else "100kB or 1MiB"
        raise UsageError(f"{option} {text}: give an amount such as {per}")
    return value


def register(group: typer.Typer) -> None:
    """Add the command."""
    group.command(epilog=EXAMPLES)(peers)
