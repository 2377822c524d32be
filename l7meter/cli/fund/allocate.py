"""`l7meter fund allocate`."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from l7meter.cli.fund.options import DEFAULT_POLICY, PeriodOption, PolicyOption
from l7meter.cli.options import (
    DEFAULT_STORE,
    Output,
    OutputOption,
    SnapshotOption,
    StoreOption,
    examples,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from l7meter.fund.account import Account

EXAMPLES = examples(
    "l7meter fund allocate --period 2026-10",
    "l7meter fund allocate --policy policy.toml --period 2026-Q4 --why",
    "l7meter fund allocate --period 2026-10 --limit 0 -o csv > shares.csv",
)


def allocate(
    period: PeriodOption,
    policy: PolicyOption = DEFAULT_POLICY,
    store: StoreOption = DEFAULT_STORE,
    snapshot: SnapshotOption = None,
    limit: Annotated[int, typer.Option("--limit", min=0, help="Shares that are named, the largest first; the rest is one line; 0 names all.")] = 20,
    why: Annotated[bool, typer.Option("--why", help="Say how much each assumption of the policy moves.")] = False,
    output: OutputOption = Output.table,
) -> None:  # fmt: skip
    """Share a fund among organisations by a policy, by several rules side by side, exact to the cent."""
    from l7meter.fund import comparing
    from l7meter.fund import policy as policies
    from l7meter.fund.account import account
    from l7meter.fund.period import Period
    from l7meter.store import connect

    wanted, days = policies.read(policy), Period.parse(period)
    with connect(store, snapshot=snapshot, locked=True) as connection:
        made = account(connection, wanted, days)
    shares = comparing.folded(comparing.side_by_side(made), limit)
    moved = comparing.disagreement(made) if why else None
    _print(made, shares, moved, output)


def _print(made: Account, shares: object, moved: object, output: Output) -> None:
    import polars as pl

    from l7meter.cli.printing import console, literal, print_rows, print_table

    assert isinstance(shares, pl.DataFrame)
    notes = list(_notes(made))
    if output is Output.json:
        whole = {
            "fund": made.policy.fund.name, "period": str(made.period), "currency": made.policy.fund.currency,
            "rule": made.chosen.rule, "total": str(made.chosen.total),
            "pools": {name: str(amount) for name, amount in made.pools.items()},
            "shares": _rows(shares), "notes": notes,
        }  # fmt: skip
        if isinstance(moved, pl.DataFrame):
            whole["assumptions"] = _rows(moved)
        print(json.dumps(whole, ensure_ascii=False))
        return
    if output is not Output.table:
        print_rows(shares, output)
        for note in notes:
            print(f"l7meter: {note}", file=sys.stderr)
        return
    fund = made.policy.fund
    print_table(shares.rename({"amount": made.chosen.rule}), f"{fund.name}, {made.period}: {made.chosen.total:,} {fund.currency} by the rule {made.chosen.rule}")  # fmt: skip
    if isinstance(moved, pl.DataFrame):
        console().print()
        print_table(moved, "What each assumption moves from one to another")
    console().print()
    for note in notes:
        console().print(literal(note), highlight=False)


def _rows(frame: object) -> list[dict[str, object]]:
    """Rows for JSON: money as text, since binary fractions lose cents."""
    import polars as pl
    import polars.selectors as cs

    assert isinstance(frame, pl.DataFrame)
    return frame.with_columns(cs.decimal().cast(pl.String)).to_dicts()


def _notes(made: Account) -> Iterator[str]:
    from l7meter.units import bytes_text, percent_text

    usage, chosen = made.usage, made.chosen
    total = sum(each.bytes for each in usage.parties)
    nobody = sum(each.bytes for each in usage.parties if each.standing in ("provider", "shared", "unknown"))  # fmt: skip
    paying = [each for each in chosen.shares if each.status == "pays"]
    asked = sum((each.amount for each in paying), start=chosen.total * 0)
    yield f"{len(paying):,} organisations have {asked:,} {made.policy.fund.currency} of it."
    if total:
        way = {"absorb": "the fund bears its share", "spread": "the others have its share", "show": "its share stands beside, and nobody has it"}[made.policy.outside.unattributed]  # fmt: skip
        yield f"{bytes_text(nobody)} of {bytes_text(total)} ({percent_text(nobody / total)}) are nobody's: providers' tenants, shared addresses, the unknown; {way}."  # fmt: skip
    if unmeasured := sum(each.unmeasured for each in usage.parties):
        yield f"{unmeasured:,} requests have no byte count: they count as requests alone."
    for name, method in chosen.methods.items():
        yield f"{name}: {made.pools[name]:,} {made.policy.fund.currency}, {method}."
    yield from usage.notes
    yield from chosen.notes


def register(group: typer.Typer) -> None:
    """Add the command."""
    group.command(epilog=EXAMPLES)(allocate)
