"""The tables of a statement as CSV files."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statement_documents import CENTS, NAMES, Document, document, limited, pool

from l7meter.statements import tables

OF = {"organization": "Example Ltd", "first_day": "2026-10-01", "last_day": "2026-10-31"}


def read(octets: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(octets.decode(), newline="")))


def test_the_summary_is_one_row() -> None:
    made = document()
    made["cache"] = {"bytes": 10, "avoidable_bytes": 5, "size_for_90": 3, "saved": "12.50"}
    (row,) = read(tables.csv(made)["summary.csv"])
    assert row == OF | {
        "fund": "Example Registry Fund",
        "claim": "measured",
        "category": "member",
        "days": "31",
        "bytes": "2000000000000",
        "all_bytes": "10000000000000",
        "share_of_all_bytes": "0.2",
        "requests": "5000",
        "unmeasured_requests": "0",
        "clients": "12",
        "avoidable_bytes": "",
        "unattributed_share_of_all": "0.25",
        "currency": "USD",
        "rule": "proportional",
        "status": "pays",
        "amount": "100.00",
        "low": "90.00",
        "high": "120.00",
        "share": "0.1",
        "cache_avoidable_bytes": "5",
        "cache_size_for_90": "3",
        "cache_saved": "12.50",
        "snapshot": "7",
        "store_digest": "blake3:ab",
        "policy_sha256": "cd" * 32,
        "l7meter": "0.1.0",
        "statement_digest": "ef" * 32,
    }


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("use_by_day.csv", {"day": "2026-10-01", "bytes": "2000000000000", "requests": "5000", "avoidable_bytes": ""}),
        ("use_by_network.csv", {"asn": "64500", "as_name": "EXAMPLE", "network_kind": "enterprise", "bytes": "2000000000000", "requests": "5000"}),
        ("use_by_ecosystem.csv", {"ecosystem": "pypi", "bytes": "2000000000000", "requests": "5000"}),
        ("attribution.csv", {"method": "declared", "bytes": "2000000000000", "share": "1.0", "meaning": "the fund's own file"}),
        ("pools.csv", {"pool": "bandwidth", "driver": "bytes", "pool_amount": "1000.00", "quantity": "1000000000000", "of": "10000000000000", "unit": "bytes", "amount": "100.00", "explained": "1.00 TB of 10.0 TB; each octet counts once"}),
        ("alternatives.csv", {"rule": "tiered", "amount": "90.00", "difference": "-10.00", "error": "", "explained": "each octet counts as often as its tier says"}),
    ],
)  # fmt: skip
def test_a_table_has_the_rows_of_its_list(name: str, row: dict[str, str]) -> None:
    assert read(tables.csv(document())[name]) == [OF | row]


def test_an_adjustment_is_a_row() -> None:
    made = tables.csv(document(adjustments=limited("150.00", "100.00")))
    (row,) = read(made["adjustments.csv"])
    assert (row["what"], row["before"], row["after"]) == ("cap", "150.00", "100.00")


@pytest.mark.parametrize("name", ["use_by_client.csv", "uncertainty.csv", "adjustments.csv"])
def test_a_table_without_rows_is_a_header(name: str) -> None:
    _, columns = tables.TABLES[name]
    assert tables.csv(document())[name].decode() == ",".join([*OF, *columns]) + "\n"


@pytest.mark.parametrize("start", ["=1+1", "+1", "-1", "@SUM(1)", "＝1"])
def test_text_is_no_formula_in_any_table(start: str) -> None:
    made = document(start, [pool(start)])
    made["use"]["by_network"][0]["as_name"] = start
    made["alternatives"][0]["explained"] = start
    written = tables.csv(made)
    cells = [("summary.csv", "organization"), ("pools.csv", "pool"), ("use_by_network.csv", "as_name"), ("alternatives.csv", "explained")]  # fmt: skip
    assert [read(written[name])[0][column] for name, column in cells] == [f"'{start}"] * 4
    assert read(written["alternatives.csv"])[0]["difference"] == "-10.00"  # a number stays one


@st.composite
def documents(draw: st.DrawFn) -> Document:
    names = draw(st.lists(NAMES, max_size=4, unique=True))
    pools = [pool(each, str(draw(CENTS)), quantity=draw(st.integers(0, 10**20)), explained=draw(NAMES)) for each in names]  # fmt: skip
    made = document(draw(NAMES), pools)
    made["use"]["by_client"] = [
        {"agent_name": draw(st.none() | NAMES), "agent_kind": None, "bytes": draw(st.integers(0, 2**63 - 1)), "requests": 1}
        for _ in range(draw(st.integers(0, 3)))
    ]  # fmt: skip
    return made


@given(documents())
def test_money_and_counts_come_back_exactly(made: Document) -> None:
    written = tables.csv(made)
    pools, given_pools = read(written["pools.csv"]), made["amount"]["pools"]
    assert [Decimal(row["amount"]) for row in pools] == [Decimal(each["amount"]) for each in given_pools]  # fmt: skip
    assert [int(row["quantity"]) for row in pools] == [each["quantity"] for each in given_pools]
    assert [int(row["bytes"]) for row in read(written["use_by_client.csv"])] == [each["bytes"] for each in made["use"]["by_client"]]  # fmt: skip


def test_each_table_is_of_a_list_that_there_is() -> None:
    made = document()
    for path, _ in tables.TABLES.values():
        found = made
        for name in filter(None, path):
            found = found[name]
        assert isinstance(found, list)
