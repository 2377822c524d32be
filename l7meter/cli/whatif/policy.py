"""`l7meter whatif policy`."""

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
from l7meter.cli.whatif.options import OnlyOption, OrganizationOption, print_answer, selection
from l7meter.errors import UsageError

EXAMPLES = examples(
    "l7meter whatif policy --tier 'free: 3/s, 10GB/d'",
    "l7meter whatif policy --by organization --tier 'free: 3/s' --tier 'enterprise: 15/s' --tier 'XL: 50/s'",
    "l7meter whatif policy --tier 'free: 100/m, 5GB/d' --users 20 -o csv > touched.csv",
)


def policy(
    tier: Annotated[list[str], typer.Option("--tier", metavar="NAME:LIMIT,...", help="A tier and its limits: requests (3/s, 100/m) or bytes (10GB/d) per s, m, h or d; may be given several times.")],
    store: StoreOption = DEFAULT_STORE,
    by: Annotated[str, typer.Option("--by", metavar="USER", help="Whom a limit is for: address, organization, network or asn.")] = "address",
    small: Annotated[str, typer.Option("--small", metavar="BYTES", help="Who takes so much in 30 days at most is small, and touched by accident.")] = "1GB",
    users: Annotated[int | None, typer.Option("--users", min=0, metavar="N", help="Name the N users of most excess bytes of each tier; 0 names all.")] = None,
    organization: OrganizationOption = None,
    only: OnlyOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    refdata: RefdataOption = None,
    output: OutputOption = Output.table,
) -> None:  # fmt: skip
    """Whom limits on requests or bytes would touch: how many, how much lies above, and how many small users by accident."""
    from l7meter.analysis.parameters import Parameter
    from l7meter.analysis.whatif import limits
    from l7meter.store import connect

    least = Parameter("small", "null", "bytes", "").convert(small)
    if not isinstance(least, int):
        raise UsageError(f"--small {small}: give bytes, such as 1GB")
    wanted = selection(since, until, only, organization)
    tiers = [limits.Tier.parse(each) for each in tier]
    with connect(store, locked=True) as connection:
        answer = limits.policy(
            connection, tiers, wanted, by=by, small=least, users=users, refdata=refdata
        )
    print_answer(answer, output)


def register(group: typer.Typer) -> None:
    """Add the command."""
    group.command(epilog=EXAMPLES)(policy)
