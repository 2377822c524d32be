"""The tables of a statement as CSV files, for spreadsheets.

Octets and requests are counts, money has two decimals, shares are from 0 to 1; null is an empty field.
Rows of several organisations may stand one below the other: each has the organisation's name and the period.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import polars as pl

from l7meter.reports import files
from l7meter.statements.quantities import QUANTITY, plain, quantity

_MONEY, _COUNT, _SHARE, _TEXT = pl.Decimal(38, 2), pl.Int64(), pl.Float64(), pl.String()
_Columns = Mapping[str, pl.DataType]
_USED: _Columns = {"bytes": _COUNT, "requests": _COUNT}
_OF: _Columns = {"organization": _TEXT, "first_day": pl.Date(), "last_day": pl.Date()}

# file: where its rows stand in the document, and their columns
TABLES: Mapping[str, tuple[tuple[str, str | None], _Columns]] = MappingProxyType(
    {
        "use_by_day.csv": (("use", "by_day"), {"day": pl.Date(), **_USED, "avoidable_bytes": _COUNT}),
        "use_by_network.csv": (("use", "by_network"), {"asn": _COUNT, "as_name": _TEXT, "network_kind": _TEXT, **_USED}),
        "use_by_client.csv": (("use", "by_client"), {"agent_name": _TEXT, "agent_kind": _TEXT, **_USED}),
        "use_by_ecosystem.csv": (("use", "by_ecosystem"), {"ecosystem": _TEXT, **_USED}),
        "use_by_package.csv": (("use", "by_package"), {"ecosystem": _TEXT, "package": _TEXT, **_USED}),
        "attribution.csv": (("attribution", "methods"), {"method": _TEXT, "bytes": _COUNT, "share": _SHARE, "meaning": _TEXT}),
        "pools.csv": (("amount", "pools"), {"pool": _TEXT, "driver": _TEXT, "pool_amount": _MONEY, "quantity": QUANTITY, "of": QUANTITY, "unit": _TEXT, "amount": _MONEY, "explained": _TEXT}),
        "adjustments.csv": (("amount", "adjustments"), {"what": _TEXT, "before": _MONEY, "after": _MONEY, "explained": _TEXT}),
        "alternatives.csv": (("alternatives", None), {"rule": _TEXT, "amount": _MONEY, "difference": _MONEY, "error": _MONEY, "explained": _TEXT}),
        "uncertainty.csv": (("uncertainty", None), {"cause": _TEXT, "low": _MONEY, "high": _MONEY, "explained": _TEXT}),
    }
)  # fmt: skip
# column of summary.csv: where its value stands
SUMMARY: Mapping[str, tuple[pl.DataType, Sequence[str]]] = MappingProxyType(
    {
        "fund": (_TEXT, ("fund", "name")),
        "claim": (_TEXT, ("fund", "claim")),
        "category": (_TEXT, ("organization", "category")),
        "days": (_COUNT, ("period", "days")),
        "bytes": (_COUNT, ("use", "bytes")),
        "all_bytes": (_COUNT, ("use", "all_bytes")),
        "share_of_all_bytes": (_SHARE, ("use", "share_of_all")),
        "requests": (_COUNT, ("use", "requests")),
        "unmeasured_requests": (_COUNT, ("use", "unmeasured_requests")),
        "clients": (_COUNT, ("use", "clients")),
        "avoidable_bytes": (_COUNT, ("use", "avoidable_bytes")),
        "unattributed_share_of_all": (_SHARE, ("attribution", "unattributed_share_of_all")),
        "currency": (_TEXT, ("amount", "currency")),
        "rule": (_TEXT, ("amount", "rule")),
        "status": (_TEXT, ("amount", "status")),
        "amount": (_MONEY, ("amount", "amount")),
        "low": (_MONEY, ("amount", "low")),
        "high": (_MONEY, ("amount", "high")),
        "share": (_SHARE, ("amount", "share")),
        "cache_avoidable_bytes": (_COUNT, ("cache", "avoidable_bytes")),
        "cache_size_for_90": (_COUNT, ("cache", "size_for_90")),
        "cache_saved": (_MONEY, ("cache", "saved")),
        "snapshot": (_COUNT, ("evidence", "store", "snapshot")),
        "store_digest": (_TEXT, ("evidence", "store", "digest")),
        "policy_sha256": (_TEXT, ("evidence", "policy", "sha256")),
        "l7meter": (_TEXT, ("evidence", "l7meter")),
        "statement_digest": (_TEXT, ("digest",)),
    }
)  # fmt: skip


def csv(document: Mapping[str, Any]) -> dict[str, bytes]:
    """A statement's tables by file name: `summary.csv`, one row, and those of `TABLES`.

    Each begins with `organization`, `first_day` and `last_day`. A table without rows has its header. Text that a
    spreadsheet would take for a formula is quoted as in other reports.
    """
    of = {
        "organization": document["organization"]["name"],
        "first_day": document["period"]["first_day"],
        "last_day": document["period"]["last_day"],
    }
    summary = {name: _at(document, path) for name, (_, path) in SUMMARY.items()}
    types = {name: type_ for name, (type_, _) in SUMMARY.items()}
    made = {"summary.csv": _octets(of, [summary], types)}
    for name, (path, columns) in TABLES.items():
        made[name] = _octets(of, _at(document, [each for each in path if each]) or [], columns)
    return made


def _at(document: Mapping[str, Any], path: Sequence[str]) -> Any:
    found: Any = document
    for name in path:
        found = found.get(name) if found is not None else None
    return found


def _octets(of: Mapping[str, str], rows: Sequence[Mapping[str, Any]], columns: _Columns) -> bytes:
    types = {**_OF, **columns}
    made = {
        name: pl.Series(name, [_value(type_, {**row, **of}.get(name)) for row in rows], type_)
        for name, type_ in types.items()
    }
    stream = io.BytesIO()
    files.write("csv", stream, plain(pl.DataFrame(made)))
    return stream.getvalue()


_READ: Mapping[pl.DataType, Callable[[Any], Any]] = MappingProxyType(
    {_MONEY: Decimal, QUANTITY: quantity, pl.Date(): date.fromisoformat, _SHARE: float}
)


def _value(type_: pl.DataType, value: Any) -> Any:
    """A value of JSON as one of the column."""
    return None if value is None else _READ.get(type_, lambda same: same)(value)
