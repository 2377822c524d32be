"""Documents of statements, as small as the writers of files need them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

Document = dict[str, Any]
CENTS = st.integers(0, 10**12).map(lambda cents: Decimal(cents).scaleb(-2))
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


def pool(name: str = "bandwidth", amount: str = "100.00", **more: Any) -> Document:
    return {
        "pool": name,
        "driver": "bytes",
        "pool_amount": "1000.00",
        "quantity": 10**12,
        "of": 10**13,
        "unit": "bytes",
        "amount": amount,
        "explained": "1.00 TB of 10.0 TB; each octet counts once",
        **more,
    }


def document(name: str = "Example Ltd", pools: list[Document] | None = None, **amount: Any) -> Document:  # fmt: skip
    """A statement of October 2026; without `amount`, that of its pools together."""
    pools = [pool()] if pools is None else pools
    return {
        "schema": "l7meter.statement/1",
        "fund": {"name": "Example Registry Fund", "currency": "USD", "claim": "measured", "wording": None, "contact": None},
        "period": {"first_day": "2026-10-01", "last_day": "2026-10-31", "days": 31},
        "organization": {"name": name, "category": "member", "exempt": False, "contact": None},
        "use": {
            "bytes": 2 * 10**12, "all_bytes": 10**13, "share_of_all": 0.2, "requests": 5000, "unmeasured_requests": 0, "basis": ["message"],
            "clients": 12, "avoidable_bytes": None,
            "by_day": [{"day": "2026-10-01", "bytes": 2 * 10**12, "requests": 5000, "avoidable_bytes": None}],
            "by_network": [{"asn": 64500, "as_name": "EXAMPLE", "network_kind": "enterprise", "bytes": 2 * 10**12, "requests": 5000}],
            "by_client": [], "by_ecosystem": [{"ecosystem": "pypi", "bytes": 2 * 10**12, "requests": 5000}], "by_package": [],
        },
        "attribution": {"methods": [{"method": "declared", "bytes": 2 * 10**12, "share": 1.0, "meaning": "the fund's own file"}], "unattributed_share_of_all": 0.25},
        "amount": {
            "currency": "USD", "rule": "proportional", "status": "pays", "amount": str(sum((Decimal(each["amount"]) for each in pools), Decimal("0.00"))),
            "low": "90.00", "high": "120.00", "total": "1000.00", "share": 0.1, "pools": pools, "adjustments": [], **amount,
        },
        "alternatives": [{"rule": "tiered", "amount": "90.00", "difference": "-10.00", "explained": "each octet counts as often as its tier says", "error": None}],
        "uncertainty": [],
        "cache": None,
        "evidence": {
            "l7meter": "0.1.0", "store": {"snapshot": 7, "files": 3, "digest": "blake3:ab"}, "policy": {"file": "policy.toml", "sha256": "cd" * 32},
            "organizations": None, "cards": [], "attributions": [], "sql": {},
        },
        "digest": "ef" * 32,
    }  # fmt: skip


def limited(before: str, after: str, what: str = "cap") -> list[Document]:
    return [{"what": what, "before": before, "after": after, "explained": f"no {what} leaves it"}]
