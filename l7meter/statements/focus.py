"""Statements as FOCUS, the FinOps Open Cost and Usage Specification, which cost tools read.

https://github.com/FinOps-Open-Cost-and-Usage-Spec/FOCUS_Spec/tree/v1.0/specification/columns has the columns;
docs/fund-formats.md says what each holds here.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import polars as pl

from l7meter.errors import UsageError
from l7meter.fund.money import apportion
from l7meter.reports import files
from l7meter.statements.quantities import QUANTITY, plain, quantity
from l7meter.statements.writing import put

VERSION = "1.0"
_MONEY, _TEXT, _TIME = pl.Decimal(38, 2), pl.String(), pl.Datetime("us", "UTC")
# All columns of FOCUS 1.0 but AvailabilityZone, which is for resources in one; in the specification's order.
SCHEMA = pl.Schema(
    {
        "BilledCost": _MONEY,
        "BillingAccountId": _TEXT,
        "BillingAccountName": _TEXT,
        "BillingCurrency": _TEXT,
        "BillingPeriodEnd": _TIME,
        "BillingPeriodStart": _TIME,
        "ChargeCategory": _TEXT,
        "ChargeClass": _TEXT,
        "ChargeDescription": _TEXT,
        "ChargeFrequency": _TEXT,
        "ChargePeriodEnd": _TIME,
        "ChargePeriodStart": _TIME,
        "CommitmentDiscountCategory": _TEXT,
        "CommitmentDiscountId": _TEXT,
        "CommitmentDiscountName": _TEXT,
        "CommitmentDiscountStatus": _TEXT,
        "CommitmentDiscountType": _TEXT,
        "ConsumedQuantity": QUANTITY,
        "ConsumedUnit": _TEXT,
        "ContractedCost": _MONEY,
        "ContractedUnitPrice": QUANTITY,
        "EffectiveCost": _MONEY,
        "InvoiceIssuerName": _TEXT,
        "ListCost": _MONEY,
        "ListUnitPrice": QUANTITY,
        "PricingCategory": _TEXT,
        "PricingQuantity": QUANTITY,
        "PricingUnit": _TEXT,
        "ProviderName": _TEXT,
        "PublisherName": _TEXT,
        "RegionId": _TEXT,
        "RegionName": _TEXT,
        "ResourceId": _TEXT,
        "ResourceName": _TEXT,
        "ResourceType": _TEXT,
        "ServiceCategory": _TEXT,
        "ServiceName": _TEXT,
        "SkuId": _TEXT,
        "SkuPriceId": _TEXT,
        "SubAccountId": _TEXT,
        "SubAccountName": _TEXT,
        "Tags": _TEXT,
    }
)
COSTS = ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost")
CLAIMS = {
    "measured": "A measured share: this is no invoice, and nothing is asked for.",
    "asked": "A share that the fund asks for; it is a contribution.",
}
# specification/attributes/unit_format.md: sizes abbreviated, other units capitalised
_UNITS = {"bytes": "B", "bytes an hour": "B/Hour"}
_USED = {"bytes": ("bytes", "B"), "requests": ("requests", "Requests")}  # by driver
_FORMATS = {".csv": "csv", ".parquet": "parquet"}


def rows(documents: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """The charges of statements, by `SCHEMA`: a row for each pool, then one for each adjustment.

    Each of `COSTS` adds up to the amount of the statement exactly, over the rows of an organisation: where limits move the
    amount, the pools have what they were before. Octets and requests consumed are those of `use`, or where a document comes
    without it what the pool counts. Raises `ValueError` for a document whose amount does not follow from its parts.
    """  # fmt: skip
    # A few rows for each organisation, out of nested documents.
    made = [row for document in documents for row in _document(document)]
    return pl.DataFrame(made, schema=SCHEMA, orient="row")


def write(path: Path, documents: Iterable[Mapping[str, Any]]) -> None:
    """Write the rows as CSV or Parquet, by the file's ending; the file is there whole or not at all.

    In CSV, times are ISO 8601 with `Z`, null is an empty field, and text that a spreadsheet would take for a formula
    is quoted as in other reports. Raises `UsageError` for another ending.
    """
    format_ = _FORMATS.get(path.suffix.lower())
    if format_ is None:
        raise UsageError(f"{path}: FOCUS is written as .csv or .parquet; name the file so")
    frame = rows(documents)
    stream = io.BytesIO()
    files.write(format_, stream, _plain(frame) if format_ == "csv" else frame)
    put(path, stream.getvalue())


def _plain(frame: pl.DataFrame) -> pl.DataFrame:
    """Times to the second, as the specification writes them."""
    times = [name for name, type_ in frame.schema.items() if type_ == _TIME]
    return plain(frame).with_columns(pl.col(times).dt.strftime("%Y-%m-%dT%H:%M:%SZ"))


def _document(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    fund, name, amount = document["fund"], document["organization"]["name"], document["amount"]
    start = _midnight(document["period"]["first_day"])
    end = _midnight(document["period"]["last_day"]) + timedelta(days=1)
    said = " ".join(filter(None, (CLAIMS[fund["claim"]], fund.get("wording"))))
    common = {
        "BillingAccountId": name,
        "BillingAccountName": name,
        "BillingCurrency": amount["currency"],
        "BillingPeriodStart": start,
        "BillingPeriodEnd": end,
        "ChargePeriodStart": start,
        "ChargePeriodEnd": end,
        "InvoiceIssuerName": fund["name"],
        "ProviderName": fund["name"],
        "PublisherName": fund["name"],
        "ServiceCategory": "Developer Tools",
        "ServiceName": "Package registry",
        "Tags": _tags(document),
    }
    adjustments = amount["adjustments"]
    charges, moves = _charges(amount), [_moved(each) for each in adjustments]
    if (whole := sum((*charges, *moves), Decimal(0))) != Decimal(amount["amount"]):
        raise ValueError(f"{name}: pools and adjustments are {whole}, the amount is {amount['amount']}")  # fmt: skip
    for pool, charge in zip(amount["pools"], charges, strict=True):
        yield {**common, **_usage(pool, document.get("use", {})), **_cost(charge, f"{pool['pool']}: {pool['explained']}. {said}")}  # fmt: skip
    for each, move in zip(adjustments, moves, strict=True):
        yield {
            **common,
            "ChargeCategory": "Adjustment",
            "ChargeFrequency": "One-Time",
            **_cost(move, f"{each['what']}: {each['explained']}. {said}"),
        }


def _usage(pool: Mapping[str, Any], use: Mapping[str, Any]) -> dict[str, Any]:
    counted, unit = quantity(pool["quantity"]), _unit(pool["unit"])
    key, used_unit = _USED.get(pool["driver"], ("", unit))
    used = use.get(key)
    return {
        "ChargeCategory": "Usage",
        "ChargeFrequency": "Usage-Based",
        "ConsumedQuantity": counted if used is None else quantity(used),
        "ConsumedUnit": unit if used is None else used_unit,
        "PricingCategory": "Other",  # no price: a part of what there is to share
        "PricingQuantity": counted,
        "PricingUnit": unit,
        "SkuId": pool["pool"],
        "SkuPriceId": pool["pool"],  # who has none gives the SkuId (skupriceid.md)
    }


def _cost(money: Decimal, description: str) -> dict[str, Any]:
    return {**dict.fromkeys(COSTS, money), "ChargeDescription": description}


def _charges(amount: Mapping[str, Any]) -> Sequence[Decimal]:
    """What each pool comes to before adjustments."""
    pools, adjustments = amount["pools"], amount["adjustments"]
    own = [Decimal(each["amount"]) for each in pools]
    before = Decimal(adjustments[0]["before"]) if adjustments else Decimal(amount["amount"])
    if not adjustments or sum(own) == before:
        return own
    # the pools' amounts are those after the limits: 0.00 each of who is exempt
    weights = [_share(each) for each in pools]
    return apportion(before, weights if any(weights) else [Fraction(each) for each in own], [each["pool"] for each in pools])  # fmt: skip


def _share(pool: Mapping[str, Any]) -> Fraction:
    whole = Fraction(pool["of"])
    return Fraction(pool["pool_amount"]) * Fraction(pool["quantity"]) / whole if whole else whole


def _moved(adjustment: Mapping[str, Any]) -> Decimal:
    return Decimal(adjustment["after"]) - Decimal(adjustment["before"])


def _tags(document: Mapping[str, Any]) -> str:
    """Keys of a provider have its prefix (specification/columns/tags.md)."""
    stands, amount = document["evidence"], document["amount"]
    said = {
        "rule": amount["rule"],
        "status": amount.get("status"),
        "claim": document["fund"]["claim"],
        "snapshot": str(stands["store"]["snapshot"]),
        "policy_sha256": stands["policy"]["sha256"],
        "statement": document.get("digest"),
    }
    return json.dumps({f"l7meter/{name}": value for name, value in said.items() if value is not None}, ensure_ascii=False)  # fmt: skip


def _midnight(day: str) -> datetime:
    return datetime.combine(date.fromisoformat(day), time(), UTC)


def _unit(unit: str) -> str:
    return _UNITS.get(unit) or unit.capitalize()
