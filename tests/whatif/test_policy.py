"""Limits: who is touched, and what lies above, beside a count request by request."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner
from whatif_stores import START, Row, delivery, made, opened

from l7meter.analysis.whatif import Selection, limits
from l7meter.analysis.whatif.limits import Limit, Tier, policy
from l7meter.attribution.reference.importers import load
from l7meter.attribution.reference.shelf import Shelf
from l7meter.cli.app import app
from l7meter.errors import UsageError
from l7meter.store import Connection


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("free: 3/s", [Limit("requests", 3, 1)]),
        ("x y: 100/m , 10GB/day", [Limit("requests", 100, 60), Limit("bytes", 10**10, 86_400)]),
        ("a: 0.5/s", [Limit("requests", 1, 2)]),
        ("a: 1.5GiB/h", [Limit("bytes", 3 * 2**29, 3600)]),
    ],
)
def test_tiers_are_read(text: str, expected: list[Limit]) -> None:
    assert list(Tier.parse(text).limits) == expected


@pytest.mark.parametrize("text", ["free", "free:", "free: 3", "free: 3/w", "free: x/s", "free: 0/s", "free: 3/s, ", "free: 10XB/d"])  # fmt: skip
def test_what_is_no_tier_is_told(text: str) -> None:
    with pytest.raises(UsageError, match="tier"):
        Tier.parse(text)


def requests(count: int = 1500) -> list[Row]:
    random = np.random.default_rng(9)
    rows = []
    for second in np.sort(random.integers(0, 400, count)):
        n = int(random.zipf(1.3)) % 12
        rows.append(
            delivery(
                float(second) * 977, f"192.0.2.{n}", "/a.tgz", int(random.integers(0, 900)) if n else None,
                organization=f"O{n % 4}", attributable=n % 4 > 1, shared_egress="cgnat" if n % 3 == 0 else None,
                client_asn=None if n == 4 else 64500 + n % 3,
                client_network=None if n == 5 else f"192.0.2.{n // 4 * 4}/30",
            )
        )  # fmt: skip
    return rows


@pytest.fixture(scope="module")
def con(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    with opened(tmp_path_factory.mktemp("policy") / "store", requests()) as connection:
        yield connection


def counted(tier: Tier, by: str, log: list[Row] | None = None) -> dict[str, tuple[int, int]]:
    """Requests and octets above the limits of each user."""

    def user(row: Row) -> str:
        known = {"address": None, "organization": row["organization"] if row["attributable"] else None, "network": row["client_network"], "asn": row["client_asn"] and f"AS{row['client_asn']}"}[by]  # fmt: skip
        return str(known or row["client_address"])

    passed: dict[object, int] = defaultdict(int)
    above: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for row in requests() if log is None else log:
        octets = int(row["server_bytes"] or 0)  # type: ignore[call-overload]
        refused = False
        for number, limit in enumerate(tier.limits):
            window = (number, user(row), row["ts"].timestamp() // limit.seconds)
            refused |= passed[window] >= limit.amount
            passed[window] += 1 if limit.what == "requests" else octets
        if refused:
            above[user(row)][0] += 1
            above[user(row)][1] += octets
    return {name: (one, other) for name, (one, other) in above.items()}


TIERS = [Tier.parse(each) for each in ("a: 1/s", "b: 3/h, 2kB/d", "c: 2kB/h", "d: 100/d", "e: 1000000/d")]  # fmt: skip


@pytest.mark.parametrize("by", ["address", "organization", "network", "asn"])
@pytest.mark.parametrize("rows", [200, 10_000])
def test_what_lies_above_is_counted_request_by_request(con: Connection, by: str, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setattr(limits, "PART_ROWS", rows)
    told = policy(con, TIERS, by=by).rows.to_dicts()
    named = policy(con, TIERS, by=by, users=0).rows
    for tier, row in zip(TIERS, told, strict=True):
        expected = counted(tier, by)
        assert row["touched_users"] == len(expected)
        assert row["excess_requests"] == sum(one for one, _ in expected.values())
        assert row["excess_bytes"] == sum(other for _, other in expected.values())
        of = named.filter(pl.col("tier") == tier.name)
        found = {name: (one, other) for name, one, other in of.select("user", "excess_requests", "excess_bytes").rows()}  # fmt: skip
        assert found == expected


LOG = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 2), st.sampled_from([None, 0, 500, 1000, 1500])),
    min_size=1,
    max_size=30,
)


@settings(max_examples=20, deadline=None)
@given(log=LOG, requests=st.integers(1, 6), octets=st.sampled_from([500, 1000, 2500]))
def test_limits_that_are_reached_to_the_octet(tmp_path_factory: pytest.TempPathFactory, log: list[tuple[int, int, int | None]], requests: int, octets: int) -> None:  # fmt: skip
    rows = [delivery(minute * 300, f"192.0.2.{n}", size=size) for minute, n, size in sorted(log, key=lambda each: each[0])]  # fmt: skip
    tiers = [Tier.parse(f"a: {octets / 1000}kB/h"), Tier.parse(f"b: {octets / 1000}kB/h, {requests}/m"), Tier.parse(f"c: {requests + 0.5}/m")]  # fmt: skip
    with opened(tmp_path_factory.mktemp("limits") / "store", rows) as con:
        found = policy(con, tiers, users=0).rows
    for tier in tiers:
        of = found.filter(pl.col("tier") == tier.name)
        assert {name: (one, other) for name, one, other in of.select("user", "excess_requests", "excess_bytes").rows()} == counted(tier, "address", rows)  # fmt: skip


def test_a_higher_limit_touches_nobody_more(con: Connection) -> None:
    tiers = [Tier.parse(f"t{n}: {n}/h, {n * 100}/d") for n in range(1, 12)]
    rows = policy(con, tiers).rows
    for name in ("touched_users", "excess_requests", "excess_bytes", "small_touched"):
        assert rows[name].to_list() == sorted(rows[name], reverse=True)
    assert rows["excess_requests"][0] > rows["excess_requests"][-1]


def test_who_is_small_is_told_and_behind_what(tmp_path: Path) -> None:
    burst = [delivery(1, "192.0.2.1", size=10) for _ in range(5)]
    shared = [delivery(2, "192.0.2.2", size=10, shared_egress="ci") for _ in range(5)]
    large = [delivery(3, "192.0.2.3", size=2_000_000) for _ in range(5)]
    calm = [delivery(86_400 * day, "192.0.2.4", size=10) for day in range(4)]
    nobody = [delivery(4, None, size=10) for _ in range(9)]
    with opened(tmp_path / "store", [*burst, *shared, *large, *calm, *nobody]) as con:
        answer = policy(con, [Tier.parse("free: 3/s")], small=1_000_000)
        (row,) = answer.rows.to_dicts()
        later = policy(con, [Tier.parse("free: 3/s")], Selection(since=START.replace(day=2)))
    assert (row["users"], row["touched_users"]) == (4, 3)
    assert (row["small_users"], row["small_touched"], row["small_shared"]) == (3, 2, 1)
    assert (row["excess_requests"], row["excess_bytes"]) == (6, 40 + 4_000_000)
    assert "9 requests have no client's address: no limit counts them." in answer.notes
    assert later.rows["touched_users"].to_list() == [0]


def test_what_is_not_measured_or_sampled_is_told(tmp_path: Path) -> None:
    rows = [delivery(1, size=None), *(delivery(2, sample_weight=10.0) for _ in range(3))]
    with opened(tmp_path / "store", rows) as con:
        whole, odd = (policy(con, [Tier.parse(text)]) for text in ("a: 1/s", "a: 2.5/m, 0.5/d"))
    assert whole.notes[1].startswith("1 requests have no byte count")
    assert whole.notes[2].startswith("3 requests are of sampled logs")
    assert "A limit that is no whole number is counted in longer windows: 5 in 120 s, 1 in 172,800 s." in odd.assumptions  # fmt: skip
    assert not any("longer windows" in text for text in whole.assumptions)


@pytest.mark.parametrize(("mode", "said"), [("truncated", "a user there is a network"), ("pseudonymous", "another user"), ("none", "were not kept")])  # fmt: skip
def test_what_privacy_does_to_users_is_said(tmp_path: Path, mode: str, said: str) -> None:
    privacy = json.dumps({"addresses": mode})
    with opened(tmp_path / "store", [delivery(0)], privacy=privacy) as con:
        assert said in policy(con, [TIERS[0]]).assumptions[-1]


def test_a_country_can_be_selected(tmp_path: Path) -> None:
    list_of = tmp_path / "asns.txt"
    list_of.write_text("3333 EXAMPLE, NL\n3334 OTHER, FR\n")
    Shelf(tmp_path / "refdata").add(list_of, load()["ripe-asn"], as_of=date(2026, 10, 1))
    rows = [delivery(1, f"192.0.2.{n % 5}", client_asn=3333 + n % 2) for n in range(30)]
    wanted = Selection(only=(("country", "FR"),))
    with opened(tmp_path / "store", rows) as con:
        (row,) = policy(con, [TIERS[0]], wanted, refdata=tmp_path / "refdata").rows.to_dicts()
    assert (row["users"], row["excess_requests"]) == (5, 10)


def test_the_command(tmp_path: Path) -> None:
    store = made(tmp_path / "store", requests())

    def run(*arguments: str):  # type: ignore[no-untyped-def]
        return CliRunner().invoke(app, ["whatif", "policy", "--store", str(store), *arguments])

    told = json.loads(run("--tier", "free: 1/h", "--tier", "paid: 5/h", "-o", "json").stdout)
    assert [row["tier"] for row in told["rows"]] == ["free", "paid"]
    assert "token bucket" in run("--tier", "free: 1/h").stdout
    users = run("--tier", "free: 1/h", "--users", "2", "-o", "csv").stdout.splitlines()
    assert len(users) == 3
    for arguments, said in (
        (("--tier", "free"), "give NAME: LIMIT"),
        (("--tier", "free: 1/h", "--by", "person"), "there are address"),
        (("--tier", "free: 1/h", "--small", "much"), "10GB"),
    ):
        done = run(*arguments)
        assert isinstance(done.exception, UsageError)
        assert said in str(done.exception)
