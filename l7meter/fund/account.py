"""A fund of a period, reckoned up: what was used, what is shared, and who has which share by each rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from l7meter.attribution import declared
from l7meter.attribution.declared import Declared
from l7meter.errors import UsageError
from l7meter.fund import cards, usage
from l7meter.fund.allocation import Allocation, allocate, owed
from l7meter.fund.cards import Card
from l7meter.fund.cost import cost
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
    attributed: int  # octets of organisations, be they exempt
    unattributed: int  # octets that are nobody's
    organizations: str = ""  # SHA-256 of the file of organisations, where there is one

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
    own = (
        declared.read(policy.fund.organizations) if policy.fund.organizations else declared.NOTHING
    )
    known = _known(own)
    priced = {pool.name: _card(pool.card, policy) for pool in policy.pools if pool.card is not None}
    used = usage.read(con, policy, period, known)
    costs = {name: cost(con, card, by="network-kind", since=period.since, until=period.until).total for name, card in priced.items()}  # fmt: skip
    pools = owed(policy, costs)
    made = {rule: allocate(used, policy, pools, rule) for rule in rules or policy.rules()}
    nobodys = sum(each.bytes for each in used.parties if each.standing in usage.OUTSIDE)
    named = sum(each.bytes for each in used.parties) - nobodys
    return Account(policy, period, used, pools, priced, known, made, named, nobodys, own.digest)


def _known(own: Declared) -> dict[str, Known]:
    found: dict[str, Known] = {}
    for each in own.organizations:  # hunks of other years, too
        before = found.get(each.name, Known())
        found[each.name] = Known(each.category or before.category, each.exempt or before.exempt, each.contact or before.contact)  # fmt: skip
    return found


def _card(name: str, policy: Policy) -> Card:
    """A card that ships, or a file beside the policy."""
    own = policy.path.parent / name
    card = cards.read(own if name.endswith(".toml") else name)
    if card.currency != policy.fund.currency:
        raise UsageError(f"{policy.path}: card {name} is in {card.currency}, the fund in {policy.fund.currency}; no rate is assumed")  # fmt: skip
    return card
