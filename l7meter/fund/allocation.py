"""Who pays how much of a fund: the pools of a policy, shared by a rule, exact to the last unit of money.

All sums are fractions until the end; then each share is rounded down and what is left goes, a cent each, to
those who lost most by it (largest remainders, ties by name). So the shares always add up to the whole, who
uses the same pays the same but for one cent, and who uses more never pays less (docs/fund.md has the terms).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from l7meter.errors import UsageError
from l7meter.fund.limits import clamped
from l7meter.fund.money import apportion
from l7meter.fund.policy import Outside, Policy, Rule
from l7meter.fund.rules import Counts, Number, counts
from l7meter.fund.usage import OUTSIDE, Party, Usage

CENT = Decimal("0.01")
FUND = Party("(the fund)", "fund")
_NOTHING = Fraction(0)


class Part(NamedTuple):
    """What a party has of a pool: `quantity` of the `whole` that counts, in `unit`, and its `charge`
    before limits and rounding.
    """

    pool: str
    driver: str
    quantity: Number
    whole: Number
    unit: str
    charge: Fraction


class Share(NamedTuple):
    """What a party has of the fund. `status` is `pays`, `nothing` (it uses no more than is free), `waived`,
    `exempt`, `provider`, `shared`, `unknown`, or `fund` for what the fund bears itself.

    `exact` is the amount before it was rounded, `unlimited` also before floors and caps; `error` a standard
    error in money, where the rule estimates.
    """

    party: Party
    status: str
    amount: Decimal
    exact: Fraction
    unlimited: Fraction
    parts: tuple[Part, ...]
    error: Decimal | None = None

    def by_pool(self) -> dict[str, Decimal]:
        """The amount, pool by pool, in whole cents that add up to it."""
        names = [part.pool for part in self.parts]
        if not self.amount or not self.unlimited:
            return dict.fromkeys(names, Decimal("0.00"))
        money = apportion(self.amount, [part.charge for part in self.parts], names, CENT)
        return dict(zip(names, money, strict=True))


class Allocation(NamedTuple):
    """The shares of a fund by one rule, the largest first; their amounts add up to `total`."""

    rule: Rule
    total: Decimal
    shares: tuple[Share, ...]
    pools: Mapping[str, Decimal]
    methods: Mapping[str, str]  # by pool: in words, how it was counted
    notes: tuple[str, ...] = ()

    def named(self) -> dict[str, Share]:
        """The shares by name: of an organisation what it can be asked for, where there is such a share."""
        found: dict[str, Share] = {}
        for each in self.shares:
            if each.party.name not in found or each.party.standing == "organization":
                found[each.party.name] = each
        return found


def allocate(usage: Usage, policy: Policy, pools: Mapping[str, Decimal], rule: Rule) -> Allocation:
    """Share the pools, given as money by their names, among the parties of the usage by a rule.

    Raises `UsageError` where there is nobody who could pay, and nobody who bears it.
    """
    parties = usage.parties
    spread = [_way(each, policy) == "spread" for each in parties]
    wanted = [not each for each in spread]
    counted = [(pool, counts(pool.driver, rule, usage, policy, wanted)) for pool in policy.pools]
    wholes: list[Number] = [sum(of.counts) for _, of in counted]
    charges = [_charges(Fraction(pools[pool.name]), of, whole) for (pool, of), whole in zip(counted, wholes, strict=True)]  # fmt: skip
    unlimited = [sum((column[n] for column in charges), _NOTHING) for n in range(len(parties))]
    total = sum((pools[pool.name] for pool in policy.pools), Decimal(0))
    status = [_status(each, owed) for each, owed in zip(parties, unlimited, strict=True)]
    # what nobody can be asked for stays where it is (show), or goes to the fund
    borne = [owed if party.pays or _way(party, policy) == "show" else _NOTHING for party, owed in zip(parties, unlimited, strict=True)]  # fmt: skip
    payers = [n for n, party in enumerate(parties) if party.pays and borne[n]]
    for n in _waived(borne, payers, policy):
        status[n], borne[n] = "waived", _NOTHING
    left = [n for n in payers if status[n] == "pays"]
    asked = sum((unlimited[n] for n in (payers if policy.outside.waived == "spread" else left)), _NOTHING)  # fmt: skip
    notes = []
    if left:
        paid, note = clamped([unlimited[n] for n in left], asked, policy.limits, Fraction(total))
        notes += [note] if note else []
        for n, each in zip(left, paid, strict=True):
            borne[n] = each
    rest = Fraction(total) - sum(borne, _NOTHING)
    rows = [*zip(parties, status, borne, unlimited, range(len(parties)), strict=True)]
    rows = [row for row in rows if row[0].pays or row[2] or row[1] == "exempt"]
    if rest or not rows:
        rows.append((FUND, "fund", rest, rest, -1))
    amounts = apportion(total, [row[2] for row in rows], [f"{row[0].name}\0{row[0].standing}" for row in rows], CENT) if total else [Decimal(0)] * len(rows)  # fmt: skip
    made = []
    for (party, word, exact, before, n), amount in zip(rows, amounts, strict=True):
        parts = [Part(pool.name, pool.driver, of.counts[n], whole, of.unit, column[n]) for (pool, of), whole, column in zip(counted, wholes, charges, strict=True)] if n >= 0 else []  # fmt: skip
        made.append(Share(party, word, amount, exact, before, tuple(parts), _error(n, policy, pools, counted)))  # fmt: skip
    made.sort(key=lambda each: (each.status == "fund", -each.amount, each.party.name, each.party.standing))  # fmt: skip
    return Allocation(rule, total, tuple(made), {pool.name: pools[pool.name] for pool in policy.pools}, {pool.name: of.method for pool, of in counted}, tuple(notes))  # fmt: skip


def _way(party: Party, policy: Policy) -> Outside | None:
    """What becomes of the share of one that cannot be asked for it; None for one that can."""
    if party.standing in OUTSIDE:
        return policy.outside.unattributed
    return policy.outside.exempt if party.standing == "exempt" else None


def _status(party: Party, owed: Fraction) -> str:
    if not party.pays:
        return party.standing
    return "pays" if owed else "nothing"


def _charges(pool: Fraction, of: Counts, whole: Number) -> list[Fraction]:
    """What of a pool each party has; nobody has anything where nothing counts."""
    if not whole:
        return [_NOTHING] * len(of.counts)
    once = pool / Fraction(whole)
    return [each * once if each else _NOTHING for each in of.counts]


def _waived(borne: Sequence[Fraction], payers: Sequence[int], policy: Policy) -> list[int]:
    least = policy.limits.waive_below
    return [n for n in payers if least is not None and borne[n] < Fraction(least)]


def _error(n: int, policy: Policy, pools: Mapping[str, Decimal], counted: Sequence[tuple[object, Counts]]) -> Decimal | None:  # fmt: skip
    found = [float(pools[pool.name]) * of.errors[n] for pool, (_, of) in zip(policy.pools, counted, strict=True) if of.errors and n >= 0]  # fmt: skip
    return Decimal(f"{sum(found):.2f}") if found else None


def owed(policy: Policy, costs: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """The pools in money; `costs` has those that have a price card, by name. All in whole cents.

    Shares of a budget are rounded together, so that they add up to it. Raises `UsageError` for a whole of nothing.
    """
    budget = policy.fund.budget
    made: dict[str, Decimal] = {}
    for pool in policy.pools:
        if pool.card is not None:
            made[pool.name] = costs[pool.name]
        elif pool.amount is not None:
            made[pool.name] = pool.amount
        elif pool.share is not None and budget is not None:
            made[pool.name] = budget * pool.share
    whole = sum(made.values(), Decimal(0)).quantize(CENT)
    if not whole:
        raise UsageError(
            f"{policy.path}: the pools are nothing together; there is nothing to share"
        )
    return dict(zip(made, apportion(whole, [Fraction(each) for each in made.values()], list(made), CENT), strict=True))  # fmt: skip
