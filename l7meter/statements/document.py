"""A statement as a document: plain values that JSON holds, in which everything else is rendered.

Money is text with two decimals, octets and counts are integers, shares are numbers from 0 to 1. `SCHEMA`
names its version: keys are added to a version, never taken away or changed. docs/statements.md has them all.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import polars as pl

from l7meter.fund.account import Account
from l7meter.fund.allocation import CENT, Share
from l7meter.fund.uncertainty import Interval, at, interval
from l7meter.statements import figures, setup
from l7meter.units import bytes_text, count_text

SCHEMA = "l7meter.statement/1"
MEANINGS = {
    "declared": "the fund's own file of organisations",
    "published": "a list of ranges that their operator publishes",
    "registry": "the holder of the network in the registries",
    "as_name": "the name of the network's system",
    "none": "not attributed",
}
Document = dict[str, Any]
Frames = Mapping[str, pl.DataFrame]


def documents(
    account: Account,
    names: Sequence[str],
    frames: Frames,
    caches: Mapping[str, Document],
    evidence: Document,
) -> Iterator[Document]:
    """A document for each organisation named, in that order.

    `frames` are those of `figures.read`, and `clients`; `caches` what a cache would have saved, by name, without money;
    `evidence` what stands behind all of them.
    """  # fmt: skip
    split = {name: _by_party(frame) for name, frame in frames.items()}
    shares = {rule: {(each.party.name, each.party.standing): each for each in made.shares} for rule, made in account.allocations.items()}  # fmt: skip
    nobody = account.unattributed
    whole = account.attributed + nobody
    named = account.chosen.named()
    for name in names:
        share = named[name]
        key = (share.party.name, share.party.standing)
        of = {what: rows.get(key, []) for what, rows in split.items()}
        bounds = interval(account, share)
        made: Document = {
            "schema": SCHEMA,
            "fund": _fund(account),
            "period": {"first_day": str(account.period.first), "last_day": str(account.period.last), "days": account.period.days},
            "organization": _organization(account, share),
            "use": _use(share, of, whole),
            "attribution": _attribution(share, of, nobody / whole if whole else 0.0),
            "amount": _amount(account, share, bounds),
            "alternatives": [_alternative(account, share, rule, others.get(key)) for rule, others in shares.items() if rule != account.chosen.rule],
            "uncertainty": [_plain(each._asdict()) for each in bounds.causes],
            "cache": _cache(account, share, caches.get(name)),
            "setup": setup.steps(of["by_tool"]),
            "evidence": {**evidence, "sql": figures.shown(share.party, account.policy, account.period)},
        }  # fmt: skip
        yield {**made, "digest": digest(made)}


def digest(document: Mapping[str, Any]) -> str:
    """SHA-256 of a document's canonical JSON (sorted keys, no blanks, UTF-8), its own `digest` left out."""
    rest = {name: value for name, value in document.items() if name != "digest"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _by_party(frame: pl.DataFrame) -> dict[tuple[str, str], list[Document]]:
    found: dict[tuple[str, str], list[Document]] = {}
    for row in frame.iter_rows(named=True):  # of organisations that have a statement
        found.setdefault((row.pop("name"), row.pop("standing")), []).append(_plain(row))
    return found


def _plain(row: Mapping[str, Any]) -> Document:
    return {name: str(value) if isinstance(value, Decimal | date) else value for name, value in row.items()}  # fmt: skip


def _fund(account: Account) -> Document:
    fund = account.policy.fund
    return {"name": fund.name, "currency": fund.currency, "claim": fund.claim, "wording": fund.wording, "contact": fund.contact}  # fmt: skip


def _organization(account: Account, share: Share) -> Document:
    known = account.known.get(share.party.name)
    return {
        "name": share.party.name,
        "category": known.category if known else None,
        "exempt": share.status == "exempt",
        "contact": known.contact if known else None,
    }


def _use(share: Share, of: Mapping[str, list[Document]], whole: int) -> Document:
    party = share.party
    clients = of["clients"]
    unclosed = any(day["avoidable_bytes"] is None for day in of["by_day"])
    return {
        "bytes": party.bytes,
        "all_bytes": whole,
        "share_of_all": party.bytes / whole if whole else 0.0,
        "requests": party.requests,
        "unmeasured_requests": party.unmeasured,
        "basis": sorted(row["basis"] for row in of["bases"] if row["basis"]),
        "clients": clients[0]["clients"] if clients else None,
        "avoidable_bytes": None if unclosed else party.avoidable_bytes,
        "by_day": of["by_day"],
        "by_network": of["by_network"],
        "by_client": of["by_client"],
        "by_ecosystem": of["by_ecosystem"],
        "by_package": _with_rest(of["by_package"], party.bytes, party.requests),
    }


def _with_rest(rows: list[Document], octets: int, requests: int) -> list[Document]:
    """Packages that are named, and one row for all others."""
    rest = {"ecosystem": None, "package": "(others)", "bytes": octets - sum(row["bytes"] for row in rows), "requests": requests - sum(row["requests"] for row in rows)}  # fmt: skip
    return [*rows, rest] if rest["bytes"] or rest["requests"] else rows


def _attribution(share: Share, of: Mapping[str, list[Document]], nobodys: float) -> Document:
    octets = share.party.bytes
    methods = [
        {"method": row["method"], "bytes": row["bytes"], "share": row["bytes"] / octets if octets else 0.0, "meaning": MEANINGS.get(row["method"], "")}
        for row in of["methods"]
    ]  # fmt: skip
    return {"methods": methods, "unattributed_share_of_all": nobodys}


def _amount(account: Account, share: Share, bounds: Interval) -> Document:
    by_pool = share.by_pool()
    total = account.chosen.total
    before = round(share.unlimited * 100) * CENT
    pools = [
        {
            "pool": part.pool, "driver": part.driver, "pool_amount": str(account.pools[part.pool]),
            "quantity": _number(part.quantity), "of": _number(part.whole), "unit": part.unit,
            "amount": str(by_pool[part.pool]), "explained": f"{_quantity(part.quantity, part.unit)} of {_quantity(part.whole, part.unit)}; {account.chosen.methods[part.pool]}",
        }
        for part in share.parts
    ]  # fmt: skip
    moved = [{"what": "limits", "before": str(before), "after": str(share.amount), "explained": _limited(share)}] if before != share.amount and share.exact != share.unlimited else []  # fmt: skip
    return {
        "currency": account.policy.fund.currency, "rule": account.chosen.rule, "status": share.status,
        "amount": str(share.amount), "low": str(bounds.low), "high": str(bounds.high),
        "total": str(total), "share": float(Fraction(share.amount) / Fraction(total)), "pools": pools, "adjustments": moved,
    }  # fmt: skip


def _limited(share: Share) -> str:
    if not share.exact:
        return "it is exempt" if share.status == "exempt" else "too little to be asked for"
    return "what is waived, and floors and caps of all shares, move what is left among the others"


def _number(value: Fraction | int) -> int | float:
    return value.numerator if value.denominator == 1 else float(value)


def _quantity(value: Fraction | int, unit: str) -> str:
    if unit.startswith("bytes"):
        return bytes_text(float(value)) + unit.removeprefix("bytes")
    return f"{count_text(round(value))} {unit}"


def _alternative(account: Account, share: Share, rule: str, other: Share | None) -> Document:
    amount = other.amount if other else Decimal("0.00")
    made = account.allocations[rule]  # type: ignore[index]
    texts = [text for pool, text in made.methods.items() if text != account.chosen.methods[pool]]
    explained = "; ".join(dict.fromkeys(texts))
    error = str(other.error) if other and other.error is not None else None
    return {"rule": rule, "amount": str(amount), "difference": str(amount - share.amount), "explained": explained, "error": error}  # fmt: skip


def _cache(account: Account, share: Share, cache: Document | None) -> Document | None:
    """With what the share would have been less by."""
    if cache is None or not share.party.bytes:
        return cache
    left = Fraction(max(share.party.bytes - cache["avoidable_bytes"], 0), share.party.bytes)
    return {**cache, "saved": str(max(share.amount - at(account, share, left), Decimal(0)))}
