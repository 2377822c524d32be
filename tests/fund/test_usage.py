"""What each party used: against a plain loop over the records, however it is stored."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fund_stores import Row, request, stored
from hypothesis import given, settings
from hypothesis import strategies as st

from l7meter.errors import UsageError
from l7meter.fund import usage
from l7meter.fund.period import Period
from l7meter.fund.policy import Exempt, FundKeys, Policy, Pool, Rebate, Tier
from l7meter.fund.usage import Known
from l7meter.store import Store, close, connect

OCTOBER = Period.parse("2026-10")
POOLS = tuple(Pool(name=each, driver=each, amount=Decimal(1)) for each in ("bytes", "requests", "packages"))  # fmt: skip
POLICY = Policy(fund=FundKeys(name="Example"), pools=POOLS, tiers=(Tier(rate=Decimal(1)),), rebate=Rebate(not_modified=0.5))  # fmt: skip

REQUESTS = st.lists(
    st.builds(
        request,
        hour=st.integers(-30, 800),
        organization=st.sampled_from(["A", "B", "C", None]),
        size=st.sampled_from([0, 10, 500, None]),
        attributable=st.sampled_from([True, True, True, False]),
        shared_egress=st.sampled_from([None, None, None, "cgnat"]),
        network_kind=st.sampled_from(["enterprise", "education", None]),
        agent_kind=st.sampled_from(["package-manager", "repository-manager", None]),
        organization_method=st.sampled_from(["declared", "as_name"]),
        response_status_code=st.sampled_from([200, 304]),
        exchange_kind=st.sampled_from(["http", "http", "tls"]),
        package_name=st.sampled_from(["a", "b", None]),
        client_asn=st.sampled_from([64500, 64501]),
    ),
    min_size=1,
    max_size=40,
)


def party_of(row: Row, exempt: set[str], kinds: set[str]) -> tuple[str, str]:
    name = row["organization"]
    if name is None:
        return "(unknown)", "unknown"
    if not row["attributable"]:
        return str(name), "provider"
    if row["shared_egress"]:
        return str(name), "shared"
    return str(name), "exempt" if name in exempt or row["network_kind"] in kinds else "organization"


def by_hand(rows: list[Row], exempt: set[str], kinds: set[str]) -> dict[tuple[str, str], dict[str, Any]]:  # fmt: skip
    sums: dict[tuple[str, str], dict[str, Any]] = defaultdict(lambda: {"bytes": 0, "requests": 0, "managed_bytes": 0, "not_modified_requests": 0, "not_modified_bytes": 0, "sure_bytes": 0, "unmeasured": 0, "packages": set(), "hours": np.zeros(744, np.int64)})  # fmt: skip
    for row in rows:
        if not OCTOBER.since <= row["ts"] < OCTOBER.until:  # type: ignore[operator]
            continue
        of, size = sums[party_of(row, exempt, kinds)], int(row["server_bytes"] or 0)  # type: ignore[call-overload]
        http, managed = row["exchange_kind"] == "http", row["agent_kind"] == "repository-manager"
        of["bytes"] += size
        of["requests"] += http
        of["managed_bytes"] += size * managed
        of["sure_bytes"] += size * (row["organization_method"] == "declared")
        of["unmeasured"] += row["server_bytes"] is None
        if http and row["response_status_code"] == 304 and not managed:
            of["not_modified_requests"] += 1
            of["not_modified_bytes"] += size
        if row["package_name"]:
            of["packages"].add(row["package_name"])
        of["hours"][int((row["ts"] - OCTOBER.since).total_seconds() // 3600)] += size  # type: ignore[operator]
    return sums


@settings(max_examples=25)
@given(rows=REQUESTS, how=st.sampled_from(["records", "rollups", "closed"]))
def test_parties_are_what_their_records_say(tmp_path_factory: pytest.TempPathFactory, rows: list[Row], how: str) -> None:  # fmt: skip
    path = stored(tmp_path_factory.mktemp("usage") / "store", rows)
    if how != "records":
        with Store.open(path) as store:
            close(store, date(2026, 12, 1) if how == "closed" else date(2026, 10, 10))
    policy = replace(POLICY, exempt=Exempt(network_kinds=("education",), organizations=("C",)))
    expected = by_hand(rows, {"C"}, {"education"})
    with connect(path, locked=True) as con:
        if not expected:
            with pytest.raises(UsageError, match="no records in 2026-10"):
                usage.read(con, policy, OCTOBER, {})
            return
        found = usage.read(con, policy, OCTOBER, {})
    assert {(each.name, each.standing) for each in found.parties} == expected.keys()
    for each, hours in zip(found.parties, found.hours, strict=True):
        of = expected[each.name, each.standing]
        for name in ("bytes", "requests", "managed_bytes", "not_modified_requests", "not_modified_bytes", "sure_bytes", "unmeasured"):  # fmt: skip
            assert getattr(each, name) == of[name], name
        assert each.packages == len(of["packages"])
        assert (hours == of["hours"]).all()


def test_splitting_an_organisations_networks_changes_nothing(tmp_path: Path) -> None:
    whole = [request(hour, "A") for hour in range(10)]
    split = [{**each, "client_asn": 64500 + n % 3} for n, each in enumerate(whole)]
    found = []
    for name, rows in (("whole", whole), ("split", split)):
        with connect(stored(tmp_path / name, rows), locked=True) as con:
            made = usage.read(con, POLICY, OCTOBER, {})
            found.append((made.parties, made.hours.tolist()))
    assert found[0] == found[1]


def test_sampled_logs_are_weighed(tmp_path: Path) -> None:
    rows = [request(1, "A", 100, sample_weight=10.0), request(2, "A", 7), request(3, "A", 100, sample_weight=2.5)]  # fmt: skip
    with connect(stored(tmp_path / "store", rows), locked=True) as con:
        (party,) = usage.read(con, POLICY, OCTOBER, {}).parties
    assert (party.bytes, party.requests) == (1257, 14)  # 13.5, a half to the even one
    assert party.variance == pytest.approx(10 * 9 * 100**2 + 2.5 * 1.5 * 100**2)


def test_the_file_of_organisations_exempts(tmp_path: Path) -> None:
    rows = [request(1, "A"), request(1, "B"), request(1, "D", parent_organization="B")]
    known = {"A": Known(category="education"), "B": Known(exempt=True)}
    policy = replace(POLICY, exempt=Exempt(categories=("education",)))
    with connect(stored(tmp_path / "store", rows), locked=True) as con:
        found = usage.read(con, policy, OCTOBER, known)
        parents = usage.read(con, replace(policy, fund=FundKeys(name="E", payer="parent")), OCTOBER, known)  # fmt: skip
    assert {each.name: each.standing for each in found.parties} == {"A": "exempt", "B": "exempt", "D": "exempt"}  # fmt: skip
    assert {each.name: each.bytes for each in parents.parties} == {"A": 1000, "B": 2000}
