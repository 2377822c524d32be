"""What use costs by a price card: exact decimal arithmetic, each line of the bill quantity times rate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import NamedTuple

from l7meter.errors import UsageError
from l7meter.fund.card_file import OCTETS, CardKeys, Commit, Region, Size, Tier
from l7meter.fund.money import CENT

HOUR = 3600
_MBIT = Decimal(10**6)
# An octet is 2^-30 GiB, 30 digits behind the point; quantity, price and discount need 90 together.
DIGITS = 120


class Use(NamedTuple):
    """What was used in a month, or in a part of one.

    `octets` and `requests` are by region of the card; "" is its default region. `samples` are the octets
    of each hour of the period, zeros included; only cards that bill by percentile look at them. `days` is
    how many days it has. It changes no price: a part of a month is billed as a month.
    """

    octets: Mapping[str, int]
    requests: Mapping[str, int] = {}
    samples: Sequence[int] = ()
    days: int = 30


class Line(NamedTuple):
    """A line of a bill: `amount` is `quantity` times `rate`, exactly; what is taken off has a negative rate."""

    what: str
    quantity: Decimal
    unit: str
    rate: Decimal
    amount: Decimal


class Bill(NamedTuple):
    """A bill; `total` is the sum of its lines, exact and not rounded."""

    currency: str
    lines: tuple[Line, ...]
    total: Decimal

    def rounded(self) -> Decimal:
        """The total to cents, a half cent up."""
        with localcontext(prec=DIGITS):
            return self.total.quantize(CENT, ROUND_HALF_UP)


def bill(card: CardKeys, commit: Commit | None, use: Use) -> Bill:
    """The bill of a month.

    Raises `UsageError` for a region that the card does not have, and where it bills by percentile
    and there are octets, but no samples; `ValueError` for a negative number.
    """
    numbers = (*use.octets.values(), *use.requests.values(), *use.samples)
    if any(each < 0 for each in numbers):
        raise ValueError("use is never negative")
    with localcontext(prec=DIGITS):
        lines = list(_lines(card, commit, use))
        total = sum((line.amount for line in lines), Decimal(0))
        for line in _topped(card, commit, total):
            lines.append(line)
            total += line.amount
        return Bill(card.currency, tuple(lines), total)


def marginal(card: CardKeys, commit: Commit | None, use: Use, region: str = "") -> Decimal:
    """What one octet more in a region would cost, in the card's currency.

    It is zero where the octet is free, or a minimum or a commitment is not used up. By percentile an
    octet more is thought of as spread over all hours alike.
    """
    more = {**use.octets, region: use.octets.get(region, 0) + 1}
    plain = use._replace(samples=(0,) if use.samples else ())
    with localcontext(prec=DIGITS):
        made = bill(card, commit, plain._replace(octets=more)).total - bill(card, commit, plain).total  # fmt: skip
        price = card.percentile.price
        if price is not None and use.samples:
            reached = mbits(use.samples) >= card.percentile.commit
            above = card.percentile.burst if card.percentile.burst is not None else price
            bits = Decimal(8) / (HOUR * len(use.samples)) / _MBIT
            made += bits * (above if reached else 0)
        return made


def mbits(samples: Sequence[int]) -> Decimal:
    """The 95th percentile of hourly octets in Mbit/s, to the bit/s: the highest 5 % left out, rounded down to whole samples, the highest that is left.

    https://docs.console.zenlayer.com/welcome/pricing/network-billing/burstable-95th
    """
    if not samples:
        return Decimal(0)
    left_out = len(samples) * 5 // 100
    highest = sorted(samples, reverse=True)[left_out]
    return (Decimal(highest * 8) / HOUR / _MBIT).quantize(Decimal("1e-6"), ROUND_HALF_UP)


def _line(what: str, quantity: Decimal | int, unit: str, rate: Decimal) -> Line:
    quantity = Decimal(quantity)
    return Line(what, quantity, unit, rate, quantity * rate)


def _lines(card: CardKeys, commit: Commit | None, use: Use) -> Iterator[Line]:
    """What was used at the prices of the list, less what is free, less the discount."""
    listed: list[Line] = []
    regions = _flat(card.regions, commit)
    octets, requests = (_by_region(card, each) for each in (use.octets, use.requests))
    for region in regions:
        listed += _transfer(card, region, octets[region.name], "")
        listed += _asked(card, region, requests[region.name], "")
    free, asked = card.free_bytes.octets if card.free_bytes else 0, card.free_requests
    for region in regions:
        part, some = min(free, octets[region.name]), min(asked, requests[region.name])
        free, asked = free - part, asked - some
        listed += _transfer(card, region, part, "free: ")
        listed += _asked(card, region, some, "free: ")
    listed += _percentile(card, use)
    yield from listed
    if commit is not None and commit.discount:
        whole = sum((line.amount for line in listed), Decimal(0))
        told = f"{commit.discount * 100:f}".rstrip("0").rstrip(".")
        if commit.beyond == "list":
            # As AWS does it: 100 a month at 30 % covers 142.86 of the list (docs/cost.md).
            covered = ((card.committed or 0) / (1 - commit.discount)).quantize(CENT, ROUND_HALF_UP)
            covered = min(covered, whole)
            yield _line("covered by the commitment", covered, card.currency, Decimal(-1))
            yield _line("commitment", 1, "month", Decimal(card.committed or 0))
        else:
            yield _line(f"discount of {told} %", whole, card.currency, -commit.discount)


def _topped(card: CardKeys, commit: Commit | None, total: Decimal) -> Iterator[Line]:
    """What is missing to the commitment, and then to the minimum."""
    if commit is not None and (short := (card.committed or 0) - total) > 0:
        yield _line("up to the commitment", 1, "month", short)
        total += short
    if (short := card.minimum - total) > 0:
        yield _line("up to the minimum", 1, "month", short)


def _flat(regions: Sequence[Region], commit: Commit | None) -> list[Region]:
    if commit is None or commit.rate is None:
        return list(regions)
    tiers = (Tier(None, commit.rate),)
    return [Region(name=each.name, covers=each.covers, tiers=tiers, requests=each.requests) for each in regions]  # fmt: skip


def _by_region(card: CardKeys, said: Mapping[str, int]) -> dict[str, int]:
    """Use by the regions of the card, those without use with 0."""
    made = {region.name: 0 for region in card.regions}
    default = card.regions[0].name if card.regions else ""
    for name, count in said.items():
        if (name or default) not in made and name:
            there = f"there are {', '.join(made)}" if made else "it has no regions"
            raise UsageError(f"card {card.path.stem}: no region {name}; {there}")
        made[name or default] = made.get(name or default, 0) + count
    return made


def _transfer(card: CardKeys, region: Region, octets: int, free: str) -> Iterator[Line]:
    below = 0
    for tier in region.tiers:
        edge = tier.up_to.octets if tier.up_to else octets
        part = min(octets, edge) - below
        if part <= 0:
            return
        yield _line(
            f"{free}{region.name}, {_span(below, tier.up_to, region)}",
            Decimal(part) / OCTETS[card.unit],
            card.unit,
            -tier.price if free else tier.price,
        )
        below = edge


def _span(below: int, up_to: Size | None, region: Region) -> str:
    if up_to is not None:
        return f"up to {up_to}"
    edges = [tier.up_to for tier in region.tiers if tier.up_to]
    return f"beyond {edges[-1]}" if edges else "bytes"


def _asked(card: CardKeys, region: Region, requests: int, free: str) -> Iterator[Line]:
    if region.requests is not None and requests:
        quantity = Decimal(requests) / card.requests_per
        rate = -region.requests if free else region.requests
        yield _line(f"{free}{region.name}, requests", quantity, f"{card.requests_per:,} requests", rate)  # fmt: skip


def _percentile(card: CardKeys, use: Use) -> Iterator[Line]:
    of = card.percentile
    if of.price is None:
        return
    if not use.samples and any(use.octets.values()):
        raise UsageError(f"card {card.path.stem} bills by the 95th percentile, and there are no samples; ask a store for it")  # fmt: skip
    rate = mbits(use.samples)
    above = max(rate - of.commit, Decimal(0))
    what = f"95th percentile of {len(use.samples)} hours"
    if of.commit:
        yield _line("committed rate", of.commit, "Mbit/s", of.price)
    yield _line(f"{what}, above it" if of.commit else what, above, "Mbit/s", of.price if of.burst is None else of.burst)  # fmt: skip
