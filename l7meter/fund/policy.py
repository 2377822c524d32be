"""The policy of a fund: a file that says how much is to be shared, by what, and who is left out.

A key is one field here: its type, its default, its sentence. `docs/fund.md` shows them in tables.
"""
# ruff: noqa: RUF009 (`key` gives a `dataclasses.field`)

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Literal, get_args

from l7meter import tomlfile
from l7meter.errors import UsageError
from l7meter.tomlkeys import COUNT, PATH, SHARE, TEXT, Kind, choice, key, many
from l7meter.tomlreading import Reader
from l7meter.units import octets

Rule = Literal["proportional", "tiered", "avoidable", "peak", "shapley"]
Driver = Literal["bytes", "requests", "packages", "flat"]
Outside = Literal["absorb", "spread", "show"]
Claim = Literal["measured", "asked"]
Measure = Literal["peak", "p95"]
Payer = Literal["organization", "parent"]
RULES: tuple[Rule, ...] = get_args(Rule)
EXAMPLE = Path(__file__).with_name("policy.example.toml")


def _money(value: Any, _: Path) -> Decimal:
    try:
        made = Decimal(str(value))
    except InvalidOperation:
        made = Decimal("NaN")
    if isinstance(value, bool) or not made.is_finite() or made < 0 or made.adjusted() > 15:
        raise ValueError('is no money; write "250000.00"')
    return made


def _rate(value: Any, _: Path) -> Decimal:
    if not isinstance(value, int | float | str) or isinstance(value, bool):
        raise ValueError("is no rate; write a number from 0 on, as in 1.5")
    try:
        made = Decimal(str(value))
    except InvalidOperation:
        made = Decimal("NaN")
    if not made.is_finite() or made < 0 or made.adjusted() > 9:
        raise ValueError("is no rate; write a number from 0 on, as in 1.5")
    return made


def _octets(value: Any, _: Path) -> int:
    try:
        return octets(value)
    except (ValueError, AttributeError):
        raise ValueError('is no size; write "1TB" (10^12) or "1TiB" (2^40)') from None


MONEY = Kind("money", _money, Decimal(0))
RATE = Kind("rate", _rate, Decimal(1))
OCTETS = Kind("bytes", _octets, 0)
NAMES = many(TEXT, '["Example Corp"]')


@dataclass(frozen=True, kw_only=True)
class FundKeys:
    """What is shared, and in which words."""

    name: str = key(TEXT, "What statements call the fund.")
    currency: str = key(TEXT, "ISO 4217: USD, EUR.", "USD")
    budget: Decimal | None = key(MONEY, "What is shared in the period; if not given, what the pools cost together.", None)  # fmt: skip
    rule: Rule = key(choice(Rule), "How pools that bytes drive are shared.", "proportional")
    compare: tuple[str, ...] = key(many(choice(Rule), '["tiered"]'), "Rules that are shown beside it.", ["tiered", "avoidable", "peak", "shapley"])  # fmt: skip
    payer: Payer = key(choice(Payer), "Who has a share: the organisation, or the company that owns it where one is known.", "organization")  # fmt: skip
    claim: Claim = key(choice(Claim), "Whether statements say what was measured, or ask for a contribution.", "measured")  # fmt: skip
    wording: str | None = key(TEXT, "A sentence of the fund's own that each statement has.", None)
    contact: str | None = key(TEXT, "Where an organisation asks and objects.", None)
    organizations: Path | None = key(PATH, "The foundation's own organisations: categories, exemptions, contacts.", None)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Pool:
    """A part of the cost, and what drives it. One of `share`, `amount` and `card` says how large it is."""

    name: str = key(TEXT, "bandwidth, storage, people, ...")
    driver: Driver = key(choice(Driver), "By what it is shared: bytes sent (by the fund's rule), requests, distinct packages (a measure of how much of what is stored one uses), or each organisation alike.")  # fmt: skip
    share: Decimal | None = key(RATE, "Its part of the budget: 0.25.", None)
    amount: Decimal | None = key(MONEY, "In money.", None)
    card: str | None = key(TEXT, "A price card (`l7meter cost --cards`, or a file): what all that was measured costs.", None)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Tier:
    """For the rule `tiered`: how often an octet counts, up to so many in the period. The last has no `up_to`."""

    up_to: int | None = key(OCTETS, "The edge.", None)
    rate: Decimal = key(RATE, "How often each octet below it counts.")


@dataclass(frozen=True, kw_only=True)
class Allowance:
    """What each organisation has free in the period: it counts nothing, and others do not pay for it alone."""

    bytes: int = key(OCTETS, "Octets.", "0B")
    requests: int = key(COUNT, "Requests.", 0)


@dataclass(frozen=True, kw_only=True)
class Avoidable:
    """For the rule `avoidable`: octets that were fetched again within 24 hours."""

    rate: Decimal = key(RATE, "How often each of them counts; others count once.", 2)


@dataclass(frozen=True, kw_only=True)
class Rebate:
    """Less for who caches, under each rule; 1 is free, 0 no rebate."""

    not_modified: float = key(SHARE, "Of what is answered with 304: a client that asked whether its copy is good.", 0)  # fmt: skip
    repository_managers: float = key(SHARE, "Of what repository managers and mirrors fetch.", 0)


@dataclass(frozen=True, kw_only=True)
class Peak:
    """For the rules `peak` and `shapley`, which look at each hour."""

    measure: Measure = key(choice(Measure), "What capacity is paid for: the busiest hour, or that which 5 % of the hours are above.", "peak")  # fmt: skip
    orders: int = key(COUNT, "Orders that are tried for Shapley's value where there is no closed form.", 1000)  # fmt: skip
    seed: int = key(COUNT, "What they are drawn with: the same seed gives the same shares.", 1)


@dataclass(frozen=True, kw_only=True)
class Exempt:
    """Who has no share, beside those that the file of organisations exempts."""

    network_kinds: tuple[str, ...] = key(many(TEXT, '["education"]'), "Use from networks of these kinds.", [])  # fmt: skip
    organizations: tuple[str, ...] = key(NAMES, "By name.", [])
    categories: tuple[str, ...] = key(NAMES, "By the category that the file of organisations gives.", [])  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class OutsideKeys:
    """What becomes of shares that nobody can be asked for: the fund bears them (`absorb`), the others pay
    them (`spread`), or they stand beside and nobody pays (`show`).
    """

    unattributed: Outside = key(choice(Outside), "Of providers whose tenants are not known, shared addresses, and the unknown.", "absorb")  # fmt: skip
    exempt: Outside = key(choice(Outside), "Of who is exempt.", "spread")
    waived: Outside = key(choice(Outside), "Of what is waived as too little.", "spread")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Of what one organisation pays."""

    floor: Decimal | None = key(MONEY, "At least, if anything.", None)
    cap: Decimal | None = key(MONEY, "At most.", None)
    cap_share: float | None = key(SHARE, "At most such a part of the whole.", None)
    waive_below: Decimal | None = key(MONEY, "Less than that is not asked for.", None)


@dataclass(frozen=True, kw_only=True)
class Completeness:
    """What part of what was sent is in the logs, between two bounds: `l7meter reconcile` says it."""

    low: float = key(SHARE, "At least.", 1)
    high: float = key(SHARE, "At most.", 1)


@dataclass(frozen=True, kw_only=True)
class Policy:
    """A policy as read. Paths are absolute."""

    fund: FundKeys
    pools: tuple[Pool, ...] = ()
    tiers: tuple[Tier, ...] = ()
    allowance: Allowance = Allowance()
    avoidable: Avoidable = Avoidable()
    rebate: Rebate = Rebate()
    peak: Peak = Peak()
    exempt: Exempt = Exempt()
    outside: OutsideKeys = OutsideKeys()
    limits: Limits = Limits()
    completeness: Completeness = Completeness()
    path: Path = Path("policy.toml")
    digest: str = ""  # SHA-256 of the file

    def rules(self) -> tuple[Rule, ...]:
        """The rule, and those beside it, each once; `tiered` only where there are tiers."""
        wanted = dict.fromkeys((self.fund.rule, *self.fund.compare))
        return tuple(rule for rule in RULES if rule in wanted and (rule != "tiered" or self.tiers))


TABLES: dict[str, type] = {
    "fund": FundKeys,
    "allowance": Allowance,
    "avoidable": Avoidable,
    "rebate": Rebate,
    "peak": Peak,
    "exempt": Exempt,
    "outside": OutsideKeys,
    "limits": Limits,
    "completeness": Completeness,
}
ARRAYS: dict[str, type] = {"pool": Pool, "tier": Tier}


def read(path: Path) -> Policy:
    """Read and check a policy; `UsageError` names every fault with its line."""
    reader = Reader(tomlfile.read(path))
    made = reader.read(Policy, TABLES, ARRAYS)
    if not reader.faults:  # what contradicts itself is asked of values that are sound
        _check(made, reader)
    if reader.faults:
        raise UsageError("\n".join(reader.said()))
    return made


def _check(policy: Policy, reader: Reader) -> None:
    budget, pools = policy.fund.budget, policy.pools
    if not pools:
        reader.fault((), 'there is no [[pool]]; write one: name = "bandwidth", driver = "bytes", share = 1')  # fmt: skip
    for number, pool in enumerate(pools):
        place = ("pool", number)
        said = [name for name in ("share", "amount", "card") if getattr(pool, name) is not None]
        if len(said) != 1:
            reader.fault(place, f"pool {pool.name} has {' and '.join(said) or 'no size'}; give one of share, amount and card")  # fmt: skip
        elif said == ["share"] and budget is None:
            reader.fault((*place, "share"), f"pool {pool.name} is a share of a budget that [fund] does not have")  # fmt: skip
        if pool.name in [other.name for other in pools[:number]]:
            reader.fault((*place, "name"), f"pool {pool.name} is there already")
    if budget is not None and not any(pool.card for pool in pools):
        whole = sum((budget * pool.share if pool.share is not None else pool.amount or Decimal(0) for pool in pools), Decimal(0))  # fmt: skip
        if pools and whole != budget:
            reader.fault(("fund", "budget"), f"the pools are {whole:f} together, and the budget {budget:f}: make them equal, or leave the budget out")  # fmt: skip
    elif budget is not None:
        reader.fault(("fund", "budget"), "a pool has a price card, so what the pools cost is the whole: leave the budget out")  # fmt: skip
    edges = [tier.up_to for tier in policy.tiers]
    known = [edge for edge in edges if edge is not None]
    if edges and (edges[-1] is not None or len(known) != len(edges) - 1 or known != sorted(set(known))):  # fmt: skip
        reader.fault(("tier", 0), "tiers go up: each with its up_to, the last without")
    if policy.fund.rule == "tiered" and not edges:
        reader.fault(("fund", "rule"), "the rule tiered needs [[tier]]s")
    if policy.completeness.low > policy.completeness.high or policy.completeness.low == 0:
        reader.fault(("completeness", "low"), "completeness lies between low, above 0, and high")
    limits = policy.limits
    if limits.floor is not None and limits.cap is not None and limits.floor > limits.cap:
        reader.fault(("limits", "floor"), f"the floor {limits.floor} is above the cap {limits.cap}")
    if policy.avoidable.rate < 1:
        reader.fault(("avoidable", "rate"), f"rate {policy.avoidable.rate} makes who fetches again pay less; write 1 or more")  # fmt: skip
    if "shapley" in policy.rules() and not policy.peak.orders:
        reader.fault(("peak", "orders"), "at least 1 order has to be tried")
