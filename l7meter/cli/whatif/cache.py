"""`l7meter whatif cache`."""

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

LifetimeOption = Annotated[
    list[str] | None, typer.Option("--ttl", metavar="KIND=TIME", help="How long an artifact, sidecar, metadata, index or other response is fresh: 10m, inf for ever, none for not kept.", show_default="metadata=10m, index=10m, other=none, else inf")
]  # fmt: skip
EXAMPLES = examples(
    "l7meter whatif cache",
    "l7meter whatif cache --organization 'Example Ltd' --sizes 1GB,10GB,100GB,inf --price 0.08/GB",
    "l7meter whatif cache --by network-kind --ttl index=1h --ttl metadata=1h",
    "l7meter whatif cache --only ecosystem=npm --limit 0 --sample 0.01 -o csv > caches.csv",
)


def cache(
    store: StoreOption = DEFAULT_STORE,
    by: Annotated[str, typer.Option("--by", metavar="DIMENSION", help="In front of whom: organization, asn, network, network-kind, address, agent, agent-kind, ecosystem, host, or all.")] = "organization",
    organization: OrganizationOption = None,
    only: OnlyOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    sizes: Annotated[str, typer.Option("--sizes", metavar="SIZE,...", help="Sizes of the cache: 10GB, 10GiB, inf for one without limit.")] = "10GB,100GB,1TB,inf",
    ttl: LifetimeOption = None,
    policy: Annotated[str, typer.Option("--policy", help="What the cache drops when it is full: lru is exact at all sizes; fifo, clock, sieve, s3fifo, lfu, arc, gdsf and tinylfu need the extra 'caches'.")] = "lru",
    sample: Annotated[float | None, typer.Option("--sample", metavar="PART", help="Look at this part of all objects only, such as 0.01; the error is stated.")] = None,
    limit: LimitOption = 20,
    price: PriceOption = None,
    refdata: RefdataOption = None,
    output: OutputOption = Output.table,
) -> None:  # fmt: skip
    """What a private cache would have saved: for each organisation, at each size, and the smallest that is nearly as good."""
    from l7meter.analysis.whatif import caches
    from l7meter.analysis.whatif.answer import Price
    from l7meter.store import connect

    wanted = selection(since, until, only, organization)
    with connect(store, locked=True) as connection:
        answer = caches.cache(
            connection,
            wanted,
            by=by,
            sizes=[_size(each) for each in sizes.split(",")],
            lifetimes=lifetimes(ttl),
            policy=policy,
            limit=limit or None,
            sample=sample,
            price=Price.parse(price) if price else None,
            refdata=refdata,
        )
    print_answer(answer, output)


def _size(text: str) -> int | None:
    from l7meter.analysis.parameters import Parameter

    if text.strip() == "inf":
        return None
    value = Parameter("sizes", "null", "bytes", "").convert(text)
    if not isinstance(value, int) or value < 1:
        raise UsageError(f"--sizes {text}: give sizes such as 10GB, or inf")
    return value


def lifetimes(ttl: list[str] | None) -> dict[str, timedelta | None]:
    """How long each kind is fresh. Raises `UsageError` for what is no KIND=TIME."""
    from l7meter.analysis.whatif.caches import LIFETIMES

    return {**LIFETIMES, **dict(map(_lifetime, ttl or ()))}


def _lifetime(text: str) -> tuple[str, timedelta | None]:
    from l7meter.analysis.parameters import Parameter

    kind, equals, time = text.partition("=")
    if not equals:
        raise UsageError(f"--ttl {text}: give KIND=TIME, such as index=10m")
    if time in ("inf", "none"):
        return kind, timedelta.max if time == "inf" else None
    value = Parameter(f"ttl {kind}", "null", "duration", "").convert(time)
    return kind, value if isinstance(value, timedelta) else None


def register(group: typer.Typer) -> None:
    """Add the command."""
    group.command(epilog=EXAMPLES)(cache)
