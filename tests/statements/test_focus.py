"""Statements as FOCUS: what each row holds, and that money adds up."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statement_documents import CENTS, NAMES, Document, document, limited, pool

from l7meter.errors import UsageError
from l7meter.statements import focus

DOCS = Path(__file__).parents[2] / "docs" / "fund-formats.md"
SKU = ["PricingCategory", "PricingQuantity", "PricingUnit", "SkuId", "SkuPriceId"]
REQUESTS = pool("metadata", "40.00", driver="requests", quantity=1234.5, of=5000, unit="requests")


def only(frame: pl.DataFrame, *columns: str) -> list[tuple[Any, ...]]:
    return frame.select(columns).rows()


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_row_for_each_pool() -> None:
    made = focus.rows([document(pools=[pool(), REQUESTS])])
    assert only(made, "BilledCost", "SkuId", "ConsumedQuantity", "ConsumedUnit", "PricingQuantity", "PricingUnit") == [
        (Decimal("100.00"), "bandwidth", Decimal(2 * 10**12), "B", Decimal(10**12), "B"),
        (Decimal("40.00"), "metadata", Decimal(5000), "Requests", Decimal("1234.5"), "Requests"),
    ]  # fmt: skip
    assert made["ChargeCategory"].to_list() == ["Usage"] * 2


@pytest.mark.parametrize(
    ("driver", "unit", "consumed", "priced"),
    [
        ("bytes", "bytes an hour", "B", "B/Hour"),
        ("packages", "packages", "Packages", "Packages"),
        ("flat", "organisations", "Organisations", "Organisations"),
    ],
)
def test_units_as_the_specification_writes_them(driver: str, unit: str, consumed: str, priced: str) -> None:  # fmt: skip
    made = focus.rows([document(pools=[pool(driver=driver, unit=unit)])])
    assert only(made, "ConsumedUnit", "PricingUnit") == [(consumed, priced)]


def test_the_period_ends_with_the_next_midnight() -> None:
    (times,) = only(focus.rows([document()]), "BillingPeriodStart", "BillingPeriodEnd", "ChargePeriodStart", "ChargePeriodEnd")  # fmt: skip
    start, end = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)
    assert times == (start, end, start, end)


def test_who_is_billed_and_by_whom() -> None:
    made = focus.rows([document("Example Ltd"), document("Example AG")])
    assert made["BillingAccountId"].to_list() == ["Example Ltd", "Example AG"]
    for column in ("ProviderName", "PublisherName", "InvoiceIssuerName"):
        assert made[column].unique().to_list() == ["Example Registry Fund"]


def test_what_was_measured_says_that_it_is_no_invoice() -> None:
    measured, asked = document(), document()
    asked["fund"] |= {"claim": "asked", "wording": "Thank you."}
    first, second = focus.rows([measured, asked])["ChargeDescription"]
    assert first.startswith("bandwidth: 1.00 TB of 10.0 TB; each octet counts once. ")
    assert "no invoice" in first
    assert "no invoice" not in second
    assert second.endswith("Thank you.")


def test_tags_say_what_it_rests_on() -> None:
    (tags,) = focus.rows([document()])["Tags"]
    assert json.loads(tags) == {
        "l7meter/rule": "proportional",
        "l7meter/status": "pays",
        "l7meter/claim": "measured",
        "l7meter/snapshot": "7",
        "l7meter/policy_sha256": "cd" * 32,
        "l7meter/statement": "ef" * 32,
    }


def test_a_cap_is_a_row_of_its_own() -> None:
    """The pools are what they were before it, in proportion to what each charges: 100 and 50 of 1000 and 100."""
    pools = [pool("a", "20.00"), pool("b", "10.00", pool_amount="100.00", quantity=1, of=2)]
    made = focus.rows([document(pools=pools, adjustments=limited("150.00", "30.00"))])
    assert only(made, "ChargeCategory", "SkuId", "BilledCost", "ChargeFrequency") == [
        ("Usage", "a", Decimal("100.00"), "Usage-Based"),
        ("Usage", "b", Decimal("50.00"), "Usage-Based"),
        ("Adjustment", None, Decimal("-120.00"), "One-Time"),
    ]
    # ConsumedQuantity has to be null where nothing is consumed (consumedquantity.md)
    assert only(made[2], "ConsumedQuantity", "ConsumedUnit", *SKU) == [(None,) * 7]


def test_who_is_exempt_is_charged_and_let_off() -> None:
    free = document(pools=[pool(amount="0.00")], adjustments=limited("12.34", "0.00", "exemption"))
    assert focus.rows([free])["BilledCost"].to_list() == [Decimal("12.34"), Decimal("-12.34")]


def test_pools_that_are_those_before_the_limit_stay_as_they_are() -> None:
    pools = [pool("a", "1.00"), pool("b", "149.00")]
    made = focus.rows([document(pools=pools, amount="30.00", adjustments=limited("150.00", "30.00"))])  # fmt: skip
    assert made["BilledCost"].to_list() == [Decimal(1), Decimal(149), Decimal(-120)]


def test_without_use_what_counts_stands_for_what_was_consumed() -> None:
    bare = document()
    del bare["use"]
    assert only(focus.rows([bare]), "ConsumedQuantity", "ConsumedUnit") == [(Decimal(10**12), "B")]


def test_an_amount_that_is_not_that_of_its_parts_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Example Ltd: pools and adjustments are 100.00, the amount is 99.99"):  # fmt: skip
        focus.rows([document(amount="99.99")])


@st.composite
def documents(draw: st.DrawFn) -> list[Document]:
    made = []
    for name in draw(st.lists(NAMES, max_size=4, unique=True)):
        pools = [
            pool(of_pool, str(draw(CENTS)), quantity=draw(st.integers(0, 10**18) | st.floats(0, 10**15)), of=10**18, explained=draw(NAMES))
            for of_pool in draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
        ]  # fmt: skip
        one = document(name, pools)
        weighs = any(each["quantity"] or Decimal(each["amount"]) for each in pools)
        if weighs and draw(st.booleans()):
            one["amount"]["adjustments"] = limited(str(draw(CENTS)), one["amount"]["amount"])
        made.append(one)
    return made


@given(documents())
def test_costs_add_up_to_the_cent(made: list[Document]) -> None:
    frame = focus.rows(made)
    wanted = {each["organization"]["name"]: Decimal(each["amount"]["amount"]) for each in made}
    for cost in focus.COSTS:
        assert dict(frame.group_by("BillingAccountId").agg(pl.col(cost).sum()).rows()) == wanted


@given(documents())
def test_files_hold_the_rows(tmp_path_factory: pytest.TempPathFactory, made: list[Document]) -> None:  # fmt: skip
    folder = tmp_path_factory.mktemp("focus")
    focus.write(folder / "focus.csv", made)
    focus.write(folder / "focus.parquet", made)
    frame = focus.rows(made)
    assert pl.read_parquet(folder / "focus.parquet").equals(frame)
    found = read(folder / "focus.csv")
    for column in (*focus.COSTS, "ConsumedQuantity"):
        assert [Decimal(row[column]) if row[column] else None for row in found] == frame[column].to_list()  # fmt: skip


def test_times_and_quantities_in_csv(tmp_path: Path) -> None:
    focus.write(tmp_path / "focus.csv", [document(pools=[REQUESTS])])
    (row,) = read(tmp_path / "focus.csv")
    assert row["BillingPeriodStart"] == "2026-10-01T00:00:00Z"
    assert (row["PricingQuantity"], row["ConsumedQuantity"], row["BilledCost"]) == ("1234.5", "5000", "40.00")  # fmt: skip
    assert row["RegionId"] == ""


def test_a_name_is_no_formula(tmp_path: Path) -> None:
    focus.write(tmp_path / "focus.csv", [document("=HYPERLINK(1)")])
    (row,) = read(tmp_path / "focus.csv")
    assert row["BillingAccountName"] == "'=HYPERLINK(1)"


def test_nobody_is_a_header(tmp_path: Path) -> None:
    focus.write(tmp_path / "focus.csv", [])
    assert (tmp_path / "focus.csv").read_text() == ",".join(focus.SCHEMA) + "\n"


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"focus\.xlsx: FOCUS is written as \.csv or \.parquet"):
        focus.write(tmp_path / "focus.xlsx", [document()])
    assert list(tmp_path.iterdir()) == []


def test_the_page_has_all_columns() -> None:
    text = DOCS.read_text()
    assert [name for name in focus.SCHEMA if f"`{name}`" not in text] == []
