"""A fund of a period, reckoned up: what was used, what is shared, and who has which share by each rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from l7meter.attribution import declared
from l7meter.fund import cards, usage
from l7meter.fund.allocation import Allocation, allocate, owed
from l7meter.fund.billing import Bill, Use
from l7meter.fund.cards import Card
from l7meter.fund.period import Period
from l7meter.fund.policy import Policy, Rule
from l7meter.fund.usage import Known, Usage
from l7meter.store import Connection


class Account(NamedTuple):
    """What a policy makes of a period. `allocations` has the policy's own rule first."""

    policy: Policy
    period: Period
    usage: Usage
    pools: Mapping[str, Decimal]
    cards: Mapping[str, Card]  # by pool
    known: Mapping[str, Known]
    allocations: Mapping[Rule, Allocation]

    @property
    def chosen(self) -> Allocation:
        """By the policy's own rule."""
        return self.allocations[self.policy.fund.rule]


def account(
    con: Connection, policy: Policy, period: Period, rules: Sequence[Rule] | None = None
) -> Account:
    """Reckon up a period: by all rules that the policy names, or by `rules`.

    Raises `UsageError` for a period without records, for a price card that there is not, or in another
    currency, and for a file of organisations that has faults.
    """
    known = _known(policy)
    priced = {pool.name: _card(pool.card, policy) for pool in policy.pools if pool.card is not None}
    used = usage.read(con, policy, period, known)
    costs = {name: sum((bill.total for bill in bills(con, card, period)), Decimal(0)) for name, card in priced.items()}  # fmt: skip
    pools = owed(policy, costs)
    made = {rule: allocate(used, policy, pools, rule) for rule in rules or policy.rules()}
    return Account(policy, period, used, pools, priced, known, made)


def _known(policy: Policy) -> dict[str, Known]:
    if policy.fund.organizations is None:
        return {}
    found: dict[str, Known] = {}
    for each in declared.read(
        policy.fund.organizations
    ).organizations:  # its hunks of other years, too
        before = found.get(each.name, Known())
        found[each.name] = Known(each.category or before.category, each.exempt or before.exempt, each.contact or before.contact)  # fmt: skip
    return found


def _card(name: str, policy: Policy) -> Card:
    """A card that ships, or a file beside the policy."""
    own = policy.path.parent / name
    card = cards.read(own if name.endswith(".toml") else name)
    if card.currency != policy.fund.currency:
        from l7meter.errors import UsageError

        raise UsageError(f"{policy.path}: card {name} is in {card.currency}, the fund in {policy.fund.currency}; no rate is assumed")  # fmt: skip
    return card


def bills(con: Connection, card: Card, period: Period) -> list[Bill]:
    """What all that was measured costs by a card, a bill for each calendar month of the period."""
    made = []
    for month in period.months():
        sql = """
        SELECT (epoch_us(hour) - epoch_us($since::TIMESTAMPTZ)) // 3600000000 AS place,
            round(sum(server_bytes * weight ORDER BY weight, server_bytes))::BIGINT AS octets,
            round(sum(records * weight ORDER BY weight, records) FILTER (WHERE exchange_kind = 'http'))::BIGINT AS requests
        FROM usage_by_hour($since, $until) GROUP BY 1"""
        found = con.sql(sql, params={"since": month.since, "until": month.until}).pl()
        samples = [0] * (month.days * 24)
        for place, octets in found.select("place", "octets").iter_rows():
            samples[place] = octets or 0
        use = Use({"": sum(samples)}, {"": int(found["requests"].sum() or 0)}, samples, month.days)
        made.append(card.bill(use))
    return made
