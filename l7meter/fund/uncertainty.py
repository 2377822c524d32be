"""How sure an amount is: for each cause between which bounds it lies, and all of them together.

A cause is looked at alone: the party's octets (or what they are a part of) are what they would be at the
bound, all other use stays, and the pools that octets drive are shared again. Together the distances add
up: the causes need not be independent, and the interval is a bound, not a probability.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from l7meter.fund.account import Account
from l7meter.fund.allocation import CENT, Share
from l7meter.units import percent_text

_Z95 = Fraction(196, 100)


class Cause(NamedTuple):
    """A reason why an amount could be another, and its bounds in money."""

    cause: str
    low: Decimal
    high: Decimal
    explained: str


class Interval(NamedTuple):
    """The bounds of all causes together."""

    low: Decimal
    high: Decimal
    causes: tuple[Cause, ...]


def interval(account: Account, share: Share) -> Interval:
    """How sure the amount of a share is."""
    causes = tuple(_causes(account, share))
    low = share.amount - sum((share.amount - each.low for each in causes), Decimal(0))
    high = share.amount + sum((each.high - share.amount for each in causes), Decimal(0))
    return Interval(max(low, Decimal(0)), high, causes)


def at(account: Account, share: Share, times: Fraction, whole: Fraction | None = None) -> Decimal:
    """The amount if the party had sent for so many times the octets; `whole` is how many times all
    octets there would then be, if not what follows from that.
    """
    if not share.unlimited:
        return share.amount
    changed = Fraction(0)
    for part in share.parts:
        pool = Fraction(account.pools[part.pool])
        if not part.whole or not part.quantity:
            continue
        if part.driver != "bytes":
            changed += part.charge
            continue
        mine = part.quantity * _counted(account, share, times)
        of: Fraction | int = (
            part.whole * whole if whole is not None else part.whole - part.quantity + mine
        )
        changed += pool * mine / of if of else Fraction(0)
    return _money(Fraction(share.amount) * changed / share.unlimited)


def _counted(account: Account, share: Share, times: Fraction) -> Fraction:
    """How many times as much counts, where so many times the octets were sent: the allowance stays."""
    octets, free = share.party.bytes, account.policy.allowance.bytes
    if not octets or octets <= free:
        return times
    return max(octets * times - free, Fraction(0)) / (octets - free)


def _money(value: Fraction) -> Decimal:
    cents = round(value * 100)
    return cents * CENT


def _causes(account: Account, share: Share) -> Iterator[Cause]:
    party, amount = share.party, share.amount
    if not amount or not party.bytes:
        return
    octets = Fraction(party.bytes)
    if party.variance:
        part = _Z95 * Fraction(party.variance**0.5).limit_denominator(10**6) / octets
        yield Cause("sampling", at(account, share, max(1 - part, Fraction(0))), at(account, share, 1 + part), f"Logs are sampled: the octets are {percent_text(float(part))} more or less, with 95 % probability.")  # fmt: skip
    if share.error:
        half = (share.error * Decimal("1.96")).quantize(CENT)
        yield Cause("estimate", max(amount - half, Decimal(0)), amount + half, "The rule is estimated from orders drawn at random; the bounds are those of 95 %.")  # fmt: skip
    if party.unmeasured and party.unmeasured < party.requests:
        more = Fraction(party.requests, party.requests - party.unmeasured)
        yield Cause("unmeasured", amount, max(at(account, share, more), amount), f"{party.unmeasured:,} requests have no byte count; if they were as large as the others, the amount is the upper bound.")  # fmt: skip
    if party.sure_bytes < party.bytes:
        sure = Fraction(party.sure_bytes) / octets
        yield Cause("attribution", min(at(account, share, sure), amount), amount, f"{percent_text(float(1 - sure))} of the octets are attributed by the name of the network's system alone; without these the amount is the lower bound.")  # fmt: skip
    yield from _nobodys(account, share)
    yield from _missing(account, share)


def _nobodys(account: Account, share: Share) -> Iterator[Cause]:
    nobody, named = account.unattributed, account.attributed
    if not nobody:
        return
    part = percent_text(nobody / (nobody + named))
    if account.policy.outside.unattributed == "spread":
        yield Cause("unattributed", share.amount, share.amount, f"{part} of all octets cannot be attributed; the amount assumes that they were used as the others are.")  # fmt: skip
        return
    more = at(account, share, Fraction(named + nobody, named), whole=Fraction(1))
    yield Cause("unattributed", share.amount, max(more, share.amount), f"{part} of all octets cannot be attributed; if they were used as the others are, the amount is the upper bound.")  # fmt: skip


def _missing(account: Account, share: Share) -> Iterator[Cause]:
    low = account.policy.completeness.low
    if low >= 1:
        return
    missing = 1 / Fraction(str(low))
    less = at(account, share, Fraction(1), whole=missing)
    yield Cause("completeness", min(less, share.amount), share.amount, f"The logs have {percent_text(low)} of what was sent, at least; if all of the rest was for others, the amount is the lower bound.")  # fmt: skip
