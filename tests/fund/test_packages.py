"""The packages of each party: against a plain loop, in whatever ranges and with whatever weights."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import pytest
from fund_stores import Row, request, stored
from hypothesis import given, settings
from hypothesis import strategies as st

from l7meter.fund import packages
from l7meter.fund.period import Period
from l7meter.fund.policy import FundKeys, Policy
from l7meter.fund.usage import name_sql, party_sql
from l7meter.store import connect

OCTOBER = Period.parse("2026-10")
Of = dict[tuple[str, str], Any]
REQUESTS = st.lists(
    st.builds(
        request,
        hour=st.integers(0, 700),
        organization=st.sampled_from(["A", "B", "C", "D", None]),
        size=st.sampled_from([0, 10, 500, 3000, None]),
        parent_organization=st.sampled_from([None, None, "D"]),
        attributable=st.sampled_from([True, True, True, False]),
        network_kind=st.sampled_from(["enterprise", "education", None]),
        exchange_kind=st.sampled_from(["http", "http", "tls"]),
        package_ecosystem=st.sampled_from(["pypi", "npm", None]),
        package_name=st.sampled_from(["a", "b", "c", None]),
        sample_weight=st.sampled_from([None, None, 1.0, 4.0]),
    ),
    min_size=1,
    max_size=40,
)


def by_hand(rows: list[Row], payer: str) -> tuple[Of, Of]:
    """How many packages, and octets and requests by package."""
    counts: Of = defaultdict(set)
    sums: Of = defaultdict(lambda: defaultdict(lambda: [0, 0]))
    for row in rows:
        organization = row["organization"]
        name = (row["parent_organization"] or organization) if payer == "parent" else organization
        standing = "unknown" if organization is None else "organization" if row["attributable"] else "provider"  # fmt: skip
        of = str(name or "(unknown)"), standing
        package = row["package_ecosystem"], row["package_name"]
        counts[of] |= {package} if row["package_name"] else set()
        weight = row["sample_weight"] or 1
        sums[of][package][0] += (row["server_bytes"] or 0) * weight  # type: ignore[operator]
        sums[of][package][1] += (row["exchange_kind"] == "http") * weight
    return counts, sums


@settings(max_examples=25, deadline=None)
@given(rows=REQUESTS, payer=st.sampled_from(["parent", "organization"]), span=st.sampled_from([1, 5, 1000]), weighed=st.booleans())  # fmt: skip
def test_packages_are_what_their_records_say(tmp_path_factory: pytest.TempPathFactory, rows: list[Row], payer: str, span: int, weighed: bool) -> None:  # fmt: skip
    rows = rows if weighed else [{**row, "sample_weight": None} for row in rows]
    path = stored(tmp_path_factory.mktemp("packages") / "store", rows)
    policy = Policy(fund=FundKeys(name="Example", payer=payer))
    counts, sums = by_hand(rows, payer)
    with pytest.MonkeyPatch.context() as patch, connect(path, locked=True) as con:
        patch.setattr(packages, "TOP", 2)
        patch.setattr(packages, "RANGE_RECORDS", span)
        con.execute("CREATE TEMP TABLE fund_exempt AS SELECT '' AS name WHERE false")
        con.execute("CREATE TEMP TABLE fund_kinds AS SELECT '' AS kind WHERE false")
        found = packages.packages(con, party_sql(policy), OCTOBER)
        some = packages.packages(con, party_sql(policy), OCTOBER, f"{name_sql(policy)} = 'D'")
        names = {row["hashed"]: (row["ecosystem"], row["package"]) for row in packages.named(con, OCTOBER).to_dicts()}  # fmt: skip
    told = {(row["name"], row["standing"]): row["packages"] for row in found.counts.to_dicts()}
    assert told == {of: len(each) for of, each in counts.items()}
    expected = Counter()
    for of, each in sums.items():
        least = sorted((octets for octets, _ in each.values()), reverse=True)[:2][-1]
        expected.update((*of, package, *both) for package, both in each.items() if both[0] >= least)
    top = Counter((row["name"], row["standing"], names[row["hashed"]], row["bytes"], row["requests"]) for row in found.top.to_dicts())  # fmt: skip
    assert top == expected
    assert sorted(some.top.rows()) == sorted(row for row in found.top.rows() if row[found.top.columns.index("name")] == "D")  # fmt: skip
