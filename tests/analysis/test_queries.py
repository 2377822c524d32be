"""Every query: documented, right on a small table, silent on an empty store, nothing lost."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from conftest import DATA, SOURCES, Fill, frame
from duckdb import DuckDBPyConnection
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from l7meter import schema
from l7meter.analysis.catalogue import COMMON_COLUMNS, Query, catalogue, load, run

QUERIES = catalogue()
BY_NAME = pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
NO_RECORDS = pl.DataFrame(schema=schema.POLARS)
NO_SOURCES = pl.DataFrame(schema=SOURCES)

# Which records a query with a `share` adds up; the others add up all of them.
SELECTION = {
    "statuses": pl.col("exchange_kind") == "http",
    "cache_mix": pl.col("exchange_kind") == "http",
    "methods": pl.col("exchange_kind") == "http",
    "errors": (pl.col("exchange_kind") == "http") & (pl.col("response_status_code") >= 400),
    "unknown_agents": (pl.col("exchange_kind") == "http")
    & pl.col("agent_kind").fill_null("unknown").eq("unknown"),
    "robots": (pl.col("exchange_kind") == "http")
    & pl.col("agent_kind").is_in(["ai-crawler", "ai-agent", "search-crawler"]),
    "largest_artifacts": (pl.col("exchange_kind") == "http")
    & pl.col("artifact_kind").eq_missing("artifact"),
}


def small(query: Query) -> dict[str, object]:
    """Parameters under which something is folded, and the last two days are a period."""
    known = {parameter.name for parameter in query.parameters}
    chosen: dict[str, object] = {"limit": 2, "agents": 2, "platforms": 2}
    if query.name == "growth":
        chosen["since"] = "2026-11-01"
    return {name: value for name, value in chosen.items() if name in known}


@BY_NAME
def test_header_documents_the_query(query: Query) -> None:
    assert query.title
    assert query.title != query.name
    assert query.description.endswith(".")
    for parameter in query.parameters:
        assert parameter.meaning


@BY_NAME
def test_every_column_is_documented(query: Query, store_of: Fill) -> None:
    columns = run(store_of(NO_RECORDS, NO_SOURCES), query).columns
    explained = {*COMMON_COLUMNS, *schema.COLUMNS, *re.findall(r"`(\w+)`", query.description)}
    assert set(columns) <= explained


def test_a_parameter_means_the_same_in_every_query() -> None:
    shared = {"organization", "ecosystem"}
    meanings = {
        name: {(p.type, p.meaning) for query in QUERIES for p in query.parameters if p.name == name}
        for name in shared
    }
    assert {name: len(found) for name, found in meanings.items()} == dict.fromkeys(shared, 1)


@BY_NAME
def test_bytes_come_with_their_basis(query: Query, store_of: Fill) -> None:
    columns = run(store_of(NO_RECORDS, NO_SOURCES), query).columns
    if "bytes" in columns:
        assert {"basis", "unmeasured"} <= set(columns)


@BY_NAME
def test_empty_store(query: Query, store_of: Fill) -> None:
    assert run(store_of(NO_RECORDS, NO_SOURCES), query).is_empty()


@BY_NAME
def test_small_table(
    query: Query, store_of: Fill, sample_records: pl.DataFrame, sample_sources: pl.DataFrame
) -> None:
    result = run(store_of(sample_records, sample_sources), query, small(query))
    expected = pl.read_csv(DATA / f"{query.name}.expected.csv", schema_overrides=result.schema)
    assert_frame_equal(result, expected)


@BY_NAME
def test_the_same_from_a_store_on_disk(query: Query, real_store: DuckDBPyConnection) -> None:
    result = run(real_store, query, small(query))
    expected = pl.read_csv(DATA / f"{query.name}.expected.csv", schema_overrides=result.schema)
    assert_frame_equal(result, expected)


def some(values: list[str]) -> st.SearchStrategy[str | None]:
    return st.sampled_from([None, *values])


FIELDS: dict[str, st.SearchStrategy[object]] = {
    "ts": st.none()
    | st.integers(0, 3 * 86_400).map(
        lambda second: datetime(2026, 11, 1, tzinfo=UTC) + timedelta(seconds=second)
    ),
    "client_address": some(["192.0.2.1", "192.0.2.2", "2001:db8::1"]),
    "client_network": some(["192.0.2.0/24", "2001:db8::/32"]),
    "client_as_name": some(["EXAMPLE-A", "EXAMPLE-B"]),
    "organization": some(["Example A", "Example B", "Example C", "(others)"]),
    "network_kind": some(["cloud", "ci", "education"]),
    "attributable": st.booleans() | st.none(),
    "url_path": some(["/a", "/b", "/c"]),
    "request_method": some(["GET", "HEAD", "get"]),
    "network_protocol_version": some(["1.1", "2"]),
    "response_status_code": st.sampled_from([None, 200, 206, 404, 500]),
    "server_bytes": st.none() | st.integers(0, 2**40),
    "sample_weight": st.sampled_from([None, 1.0, 10.0]),
    "cache_status": some(["HIT", "MISS", "PASS"]),
    "user_agent_original": some(["", "a/1", "b/2", "c/3"]),
    "agent_name": some(["a", "b", "c"]),
    "agent_kind": some(["unknown", "ai-crawler", "ci", "browser"]),
    "agent_ci": st.booleans() | st.none(),
    "package_ecosystem": some(["pypi", "npm"]),
    "package_name": some(["alpha", "beta", "gamma"]),
    "artifact_kind": some(["artifact", "metadata"]),
    "is_download": st.booleans() | st.none(),
    "exchange_kind": st.sampled_from(["http", "http", "tls", "remainder"]),
    "source_id": some(["one", "two"]),
}
RECORD = st.fixed_dictionaries(FIELDS)
BASIS = pl.when(pl.col("server_bytes").is_not_null()).then(
    pl.when(pl.col("exchange_kind") == "http").then(pl.lit("message")).otherwise(pl.lit("tls"))
)


@given(rows=st.lists(RECORD, max_size=12), limit=st.sampled_from([None, 0, 1, 3]))
@settings(max_examples=8, deadline=None)
def test_nothing_is_lost_in_any_table(
    store_of: Fill, rows: list[dict[str, object]], limit: int | None
) -> None:
    declared = pl.Schema({name: schema.POLARS[name] for name in FIELDS})
    records = pl.DataFrame(rows, schema=declared).with_columns(server_bytes_basis=BASIS)
    store = store_of(records, NO_SOURCES)
    weight = pl.col("sample_weight").fill_null(1)
    for query in QUERIES:
        result = run(store, query, {"limit": limit} if takes(query, "limit") else {})
        if not {"share", "request_share"} & set(result.columns) or query.name in (
            "growth",  # the undated and the previous period are left out by design
            "concentration",  # overlapping populations
            "data_quality",  # lines, not records
        ):
            continue
        base = records.filter(SELECTION.get(query.name, pl.lit(True)))
        totals = base.select(
            bytes=(pl.col("server_bytes") * weight).sum(),
            requests=weight.filter(pl.col("exchange_kind") == "http").sum(),
            unmeasured=weight.filter(pl.col("server_bytes").is_null()).sum(),
        )
        sums = result.select(pl.col("bytes", "requests", "unmeasured").sum())
        assert sums.rows() == [tuple(map(int, totals.row(0)))], query.name
        shares = result.get_column("share" if "share" in result.columns else "request_share")
        assert shares.is_null().all() or shares.sum() == pytest.approx(1), query.name


def takes(query: Query, name: str) -> bool:
    return any(parameter.name == name for parameter in query.parameters)


def at(hour: float, organization: str, address: str, **columns: object) -> dict[str, object]:
    """A delivery of 100 bytes of /a, `hour` hours after the start of 1 November."""
    return {
        "ts": datetime(2026, 11, 1, tzinfo=UTC) + timedelta(hours=hour),
        "organization": organization,
        "client_address": address,
        "attributable": True,
        "url_path": "/a",
        "is_download": True,
        "server_bytes": 100,
        "server_bytes_basis": "content",
        "exchange_kind": "http",
        **columns,
    }


def redundant(store_of: Fill, rows: list[dict[str, object]], **parameters: object) -> int:
    records = frame(pl.DataFrame(rows, infer_schema_length=None), schema.POLARS)
    result = run(store_of(records, NO_SOURCES), load("redundant_downloads"), parameters)
    return int(result.get_column("redundant_bytes").sum())


def test_redundant_within_the_window_and_not_beyond(store_of: Fill) -> None:
    rows = [at(0, "Example A", "192.0.2.1"), at(24, "Example A", "192.0.2.2")]
    assert redundant(store_of, rows) == 100
    assert redundant(store_of, rows, window="23h") == 0


def test_every_use_starts_the_window_again(store_of: Fill) -> None:
    rows = [at(hour, "Example A", "192.0.2.1") for hour in (0, 20, 40)]
    assert redundant(store_of, rows) == 200


def test_tenants_of_one_provider_are_strangers(store_of: Fill) -> None:
    cloud = {"attributable": False}
    rows = [
        at(0, "Example Cloud", "192.0.2.1", **cloud),
        at(1, "Example Cloud", "192.0.2.2", **cloud),
    ]
    assert redundant(store_of, rows) == 0
    assert redundant(store_of, [*rows, at(2, "Example Cloud", "192.0.2.1", **cloud)]) == 100


def test_another_host_or_a_part_of_the_artifact_is_not_redundant(store_of: Fill) -> None:
    rows = [
        at(0, "Example A", "192.0.2.1"),
        at(1, "Example A", "192.0.2.1", server_address="mirror.example.org"),
        at(2, "Example A", "192.0.2.1", is_download=False),
    ]
    assert redundant(store_of, rows) == 0


def test_the_first_fetch_of_a_period_may_repeat_one_from_before(store_of: Fill) -> None:
    rows = [at(0, "Example A", "192.0.2.1"), at(1, "Example A", "192.0.2.1")]
    assert redundant(store_of, rows, since="2026-11-01T00:30") == 100


@pytest.mark.parametrize(
    ("received", "gini"), [([5, 5, 5, 5], 0), ([0, 0, 0, 8], 0.75), ([1, 2, 3], 2 / 9)]
)
def test_gini(store_of: Fill, received: list[int], gini: float) -> None:
    rows = [
        at(0, "Example A", f"192.0.2.{n}", server_bytes=octets) for n, octets in enumerate(received)
    ]
    records = frame(pl.DataFrame(rows), schema.POLARS)
    result = run(store_of(records, NO_SOURCES), load("concentration"))
    assert result.filter(population="addresses").get_column("gini").item() == pytest.approx(gini)
