"""How far rules disagree, and which assumption of a policy moves most money."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import polars as pl

from l7meter.fund.account import Account
from l7meter.fund.allocation import Allocation, allocate
from l7meter.fund.policy import Allowance, Avoidable, Limits, OutsideKeys, Policy, Rebate
from l7meter.fund.usage import Usage

MONEY = pl.Decimal(38, 2)


def side_by_side(account: Account) -> pl.DataFrame:
    """A row for each party: `organization`, `status`, `bytes`, `requests`, `share` (of the whole) and
    `amount` by the policy's rule, then a column of money for each other rule, and `lowest`, `highest`.
    """
    chosen = account.chosen
    others = {rule: made for rule, made in account.allocations.items() if made is not chosen}
    by_rule: dict[str, dict[tuple[str, str], Decimal]] = {rule: {(each.party.name, each.party.standing): each.amount for each in made.shares} for rule, made in others.items()}  # fmt: skip
    parties = {(each.party.name, each.party.standing): each for each in chosen.shares}
    for made in others.values():  # what the fund bears by one rule it may not by another
        for each in made.shares:
            parties.setdefault((each.party.name, each.party.standing), each._replace(amount=Decimal(0)))  # fmt: skip
    rows = []
    for key, each in parties.items():
        money = {rule: found.get(key, Decimal(0)) for rule, found in by_rule.items()}
        amounts = [each.amount, *money.values()]
        rows.append(
            {
                "organization": each.party.name, "status": each.status,
                "bytes": each.party.bytes, "requests": each.party.requests,
                "share": float(Fraction(each.amount) / Fraction(chosen.total)),
                "amount": each.amount, **money, "lowest": min(amounts), "highest": max(amounts),
            }
        )  # fmt: skip
    columns = dict.fromkeys(("amount", *others, "lowest", "highest"), MONEY)
    schema = {"organization": pl.String(), "status": pl.String(), "bytes": pl.Int64(), "requests": pl.Int64(), "share": pl.Float64(), **columns}  # fmt: skip
    return pl.DataFrame(rows, schema=schema)


def disagreement(account: Account) -> pl.DataFrame:
    """What each assumption moves: `assumption`, in words; `moved`, the money that others would pay if it
    were different; `moved_share`, its part of the whole; the largest first.
    """
    chosen = account.chosen
    rows = []
    for words, usage, policy in _variants(account):
        other = allocate(usage, policy, account.pools, policy.fund.rule)
        rows.append((words, moved(chosen, other)))
    for rule, other in account.allocations.items():
        if other is not chosen:
            rows.append((f"the rule: {rule} instead of {chosen.rule}", moved(chosen, other)))
    total = Fraction(chosen.total)
    made = [
        (words, Decimal(f"{float(each):.2f}"), float(each / total) if total else 0.0)
        for words, each in rows
    ]
    schema = {"assumption": pl.String(), "moved": MONEY, "moved_share": pl.Float64()}
    frame = pl.DataFrame(made, schema=schema, orient="row")
    return frame.sort("moved", "assumption", descending=[True, False])


def moved(one: Allocation, other: Allocation) -> Fraction:
    """The money that is paid by somebody else: half the sum of all differences."""
    amounts: dict[tuple[str, str], Fraction] = {}
    for sign, made in ((1, one), (-1, other)):
        for each in made.shares:
            key = (each.party.name, each.party.standing)
            amounts[key] = amounts.get(key, Fraction(0)) + sign * each.exact
    return sum(map(abs, amounts.values()), Fraction(0)) / 2


def _variants(account: Account) -> Iterator[tuple[str, Usage, Policy]]:
    """The same with one assumption changed, each in words."""
    policy, usage = account.policy, account.usage
    now = policy.outside
    told = {"absorb": "borne by the fund", "spread": "paid by the others", "show": "shown and not paid"}  # fmt: skip
    for what, key in (("the unattributed", "unattributed"), ("the exempt", "exempt")):
        standings = ("exempt",) if key == "exempt" else ("provider", "shared", "unknown")
        if not any(each.standing in standings for each in usage.parties):
            continue
        for way in ("absorb", "spread"):
            if way != getattr(now, key):
                changed = OutsideKeys(**{**vars(now), key: way})
                yield f"{what}: {told[way]} instead of {told[getattr(now, key)]}", usage, replace(policy, outside=changed)  # fmt: skip
    if any(each.standing == "exempt" for each in usage.parties):
        nobody = tuple(each._replace(standing="organization") if each.standing == "exempt" else each for each in usage.parties)  # fmt: skip
        yield "nobody exempt", usage._replace(parties=nobody), policy
    if policy.allowance != Allowance():
        yield "no allowance", usage, replace(policy, allowance=Allowance())
    if policy.rebate != Rebate():
        yield "no rebates", usage, replace(policy, rebate=Rebate())
    if policy.limits != Limits():
        yield "no floor, no cap, nothing waived", usage, replace(policy, limits=Limits())
    if policy.fund.rule == "avoidable":
        yield "what was fetched again counts once", usage, replace(policy, avoidable=Avoidable(rate=Decimal(1)))  # fmt: skip


def folded(shares: pl.DataFrame, limit: int) -> pl.DataFrame:
    """The first `limit` rows of `side_by_side` (0: all), what the fund bears, and one row for the rest."""
    fund = pl.col("status") == "fund"
    named = shares.filter(~fund)
    if not limit or named.height <= limit:
        return shares
    rest = named.slice(limit).select(
        *(
            pl.col(name).sum().cast(type_)
            for name, type_ in shares.schema.items()
            if name not in ("organization", "status")
        ),
        organization=pl.lit(f"({named.height - limit:,} more)"),
        status=pl.lit(""),
    )
    return pl.concat([named.head(limit), rest.select(shares.columns), shares.filter(fund)])
