"""What a period cost and by whom, against sums made plainly of the same rows."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import polars as pl
import pytest
from fund_stores import Row, asked, request, stored
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from l7meter.errors import UsageError
from l7meter.fund import cards
from l7meter.fund.cards import Card, Use
from l7meter.fund.cost import cost
from l7meter.fund.dimensions import DIMENSIONS
from l7meter.fund.metering import Place, months
from l7meter.store import Store, connect, rollups

TB, CENT = 10**12, Decimal("0.01")
OCTOBER, NOVEMBER, DECEMBER = (datetime(2026, month, 1, tzinfo=UTC) for month in (10, 11, 12))
STORY = [
    request(1, "Small", TB),
    request(2, "Large", 12 * TB),
    request(3, "Small", 2 * TB, client_asn=64501),
    request(4, "Silent", None),
    request(5, None, TB, server_bytes_basis="content"),
    request(6, "Sampled", TB, sample_weight=4.0),
    request(7, "Tunnel", TB, exchange_kind="tls"),
    request(31 * 24 + 1, "Large", 5 * TB),  # November
]
FASTLY = cards.read("fastly")


def plainly(rows: Iterable[Row], card: Card) -> dict[str | None, Decimal]:
    """What each organisation alone adds to the bills of its months."""
    octets: dict[tuple[object, str], int] = defaultdict(int)
    requests: dict[tuple[object, str], int] = defaultdict(int)
    for row in rows:
        weight = int(float(str(row.get("sample_weight", 1))))
        key = row["organization"], f"{row['ts']:%Y-%m}"
        octets[key] += int(str(row["server_bytes"] or 0)) * weight
        requests[key] += weight * (row["exchange_kind"] == "http")
    made: dict[str | None, Decimal] = defaultdict(Decimal)
    for month in {month for _, month in octets}:
        names = [name for name, when in octets if when == month]
        whole = sum(octets[name, month] for name in names), sum(requests[name, month] for name in names)  # fmt: skip
        for name in names:
            rest = whole[0] - octets[name, month], whole[1] - requests[name, month]
            with_, without = (card.bill(Use({"": size}, {"": count})).total for size, count in (whole, rest))  # fmt: skip
            made[name] += with_ - without  # type: ignore[index]
    return made


def by_name(frame: pl.DataFrame, column: str = "organization") -> dict[str, dict[str, object]]:
    return {row[column]: row for row in frame.iter_rows(named=True)}


def test_a_story_is_told(tmp_path: Path) -> None:
    with asked(tmp_path / "store", STORY) as con:
        found = cost(con, FASTLY, since=OCTOBER, until=DECEMBER)
    # October: 21 TB (10 at .12, 11 at .08) and 9 requests; November: 5 TB at .12 and one
    assert [bill.rounded() for _, bill in found.bills] == [2080, 600]
    assert found.total == 2680
    rows = by_name(found.frame)
    assert [*rows] == ["Large", "Sampled", "Small", "Tunnel", "Silent", "(unknown)"]
    assert rows["Large"]["bytes"] == 17 * TB
    assert rows["Large"]["marginal_cost"] == 1000 + 550  # without it, November is the minimum
    assert rows["Sampled"]["requests"] == 4
    assert rows["Tunnel"]["requests"] == 0
    assert rows["Silent"]["unmeasured"] == 1
    assert rows["(unknown)"]["attribution"] == "unknown"
    assert rows["(unknown)"]["basis"] == "content"
    assert found.frame["average_cost"].sum() == 2680
    assert rows["Small"]["average_cost"] == Decimal("297.14")  # 2080 x 3/21
    told = " ".join([*found.notes, *found.assumptions])
    for word in ("Without a byte count: 1 ", "content, message", "north-america", "2026-11-01", "weight"):  # fmt: skip
        assert word in told
    assert "a part of a month" not in told


def test_marginal_costs_are_those_of_bills_without_one(tmp_path: Path) -> None:
    with asked(tmp_path / "store", STORY) as con:
        for name in ("cloudfront", "fastly", "google-cloud-cdn", "bunny", "aws-egress"):
            card = cards.read(name)
            rows = by_name(cost(con, card).frame)
            for organization, expected in plainly(STORY, card).items():
                found = rows[organization or "(unknown)"]["marginal_cost"]
                assert found == expected.quantize(CENT, ROUND_HALF_UP), (name, organization)


sizes = st.one_of(st.integers(0, 10**6), st.integers(0, 40 * TB))
some = st.tuples(st.floats(0, 61 * 24 - 1), st.sampled_from("ABC"), sizes)


@settings(max_examples=12)
@given(st.lists(some, min_size=1, max_size=12), st.sampled_from(cards.names()), st.integers(1, 3))
def test_average_costs_add_up_to_the_bills(
    rows: list[tuple[float, str, int]], name: str, limit: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        story = [request(hour, who, size) for hour, who, size in rows]
        with asked(Path(folder) / "store", story) as con:
            found = cost(con, cards.read(name), limit=limit)
            whole = cost(con, cards.read(name), limit=None)
    assert found.frame["average_cost"].sum() == found.total == whole.total
    assert found.total == sum(bill.rounded() for _, bill in found.bills)
    assert found.frame["bytes"].sum() == sum(size for _, _, size in rows)
    assert (found.frame["average_cost"] >= 0).all()
    # who is named has the same share however many are named
    shares, all_ = by_name(found.frame), by_name(whole.frame)
    assert all(shares[who]["average_cost"] == all_[who]["average_cost"] for who in shares if who != "(others)")  # fmt: skip


def test_what_is_beyond_the_limit_is_folded_and_the_unknown_is_not(tmp_path: Path) -> None:
    with asked(tmp_path / "store", STORY) as con:
        found = cost(con, FASTLY, limit=2)
    assert found.frame["organization"].to_list() == ["Large", "Sampled", "(others)", "(unknown)"]
    others = by_name(found.frame)["(others)"]
    assert others["bytes"] == 4 * TB
    assert others["basis"] == "message"
    assert others["attribution"] is None
    assert others["marginal_cost"] == 320  # Small, Tunnel and Silent together: 4 TB at .08


def test_sums_of_the_hours_give_the_same(tmp_path: Path) -> None:
    path = stored(tmp_path / "store", STORY)
    with connect(path, locked=True) as con:
        before = cost(con, FASTLY, since=OCTOBER, until=DECEMBER)
    with Store.open(path) as store:
        assert rollups.cover(store) == len(STORY)
    with connect(path, locked=True) as con:
        after = cost(con, FASTLY, since=OCTOBER, until=DECEMBER)
    assert_frame_equal(before.frame, after.frame)
    assert before.bills == after.bills


@pytest.mark.parametrize("by", DIMENSIONS)
def test_every_dimension_sums_up_to_the_same(tmp_path: Path, by: str) -> None:
    with asked(tmp_path / "store", STORY) as con:
        found = cost(con, FASTLY, by=by, limit=1)
    assert found.total == 2680
    assert found.frame["bytes"].sum() == 26 * TB
    assert found.frame["average_cost"].sum() == 2680
    assert found.frame.columns[: len(DIMENSIONS[by].columns)] == [*DIMENSIONS[by].columns]


def test_regions_are_by_what_is_known_of_a_request(tmp_path: Path) -> None:
    card = cards.read("cloudfront").without_free()
    places = [Place.parse("asn:64501=india"), Place.parse("organization:Small=japan")]
    with asked(tmp_path / "store", STORY[:3]) as con:
        found = cost(con, card, region="europe", places=places)
        again = cost(con, card, by="ecosystem", region="europe", places=places)
    lines = {line.what: line.quantity for _, bill in found.bills for line in bill.lines if line.unit == "GB"}  # fmt: skip
    assert lines == {
        "europe, up to 10 TB": 10_000,
        "europe, up to 50 TB": 2_000,
        "india, up to 10 TB": 2_000,  # the first that fits
        "japan, up to 10 TB": 1_000,
    }
    assert by_name(found.frame)["Small"]["marginal_cost"] == Decimal("332.00")  # 218 and 114
    assert again.bills == found.bills


def test_the_percentile_is_of_the_hours_with_their_zeros(tmp_path: Path) -> None:
    hour = 450_000_000  # 1 Mbit/s
    rows = [request(n, "Steady", 10 * hour) for n in range(744)]
    rows += [request(n, "Burst", 90 * hour) for n in range(37)]  # 5 % of 744, rounded down
    rows += [request(n, "Peak", 20 * hour) for n in range(37, 100)]
    with asked(tmp_path / "store", rows) as con:
        found = cost(con, cards.read("generic-95th"), since=OCTOBER, until=NOVEMBER)
        part = cost(con, cards.read("generic-95th"), since=OCTOBER, until=datetime(2026, 10, 1, 2, 30, tzinfo=UTC))  # fmt: skip
    assert found.total == 15  # 30 Mbit/s
    rows_ = by_name(found.frame)
    assert rows_["Burst"]["marginal_cost"] == 0  # Peak's hours would be left out in part only
    assert rows_["Peak"]["marginal_cost"] == 10
    assert rows_["Steady"]["marginal_cost"] == 5
    assert found.frame["average_cost"].sum() == 15
    assert [line.what for _, bill in part.bills for line in bill.lines] == ["95th percentile of 3 hours"]  # fmt: skip
    assert any("samples of 5 minutes" in text for text in found.assumptions)


def test_a_part_of_a_month_is_billed_as_a_month_and_said(tmp_path: Path) -> None:
    with asked(tmp_path / "store", STORY) as con:
        found = cost(con, FASTLY, since=datetime(2026, 11, 1, 0, 30, tzinfo=UTC), until=DECEMBER)
        empty = cost(con, FASTLY, since=OCTOBER, until=datetime(2027, 1, 1, tzinfo=UTC))
    assert found.total == 600
    assert any(note.startswith("2026-11 is there from 2026-11-01 00:30") for note in found.notes)
    # December has a minimum, and nobody used anything
    assert empty.total == 2680 + 50
    assert empty.frame["average_cost"].sum() == 2730
    assert any("No bytes were measured in 2026-12" in note for note in empty.notes)


def test_months_are_those_of_the_calendar() -> None:
    made = months(datetime(2026, 12, 31, 23, 30, tzinfo=UTC), datetime(2027, 3, 1, tzinfo=UTC))
    assert [(each.name, each.whole, each.hours, each.days) for each in made] == [
        ("2026-12", False, 1, 1),
        ("2027-01", True, 744, 31),
        ("2027-02", True, 672, 28),
    ]
    assert months(OCTOBER, OCTOBER) == []


def test_only_what_has_no_size_is_shared_by_requests(tmp_path: Path) -> None:
    rows = [request(1, "A", None), request(2, "A", None), request(3, "A", None), request(4, "B", None)]  # fmt: skip
    with asked(tmp_path / "store", rows) as con:
        found = cost(con, FASTLY)
    assert by_name(found.frame)["A"]["average_cost"] == Decimal("37.50")
    assert by_name(found.frame)["A"]["share"] == 0


def test_a_record_without_a_time_is_in_no_month(tmp_path: Path) -> None:
    with asked(tmp_path / "store", [request(1, "A", TB), request(2, "A", TB) | {"ts": None}]) as con:  # fmt: skip
        found = cost(con, FASTLY)
    assert found.frame["bytes"].sum() == TB
    assert any("1 records without a time" in note for note in found.notes)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"by": "organisation"}, "no dimension organisation; did you mean organization"),
        ({"region": "mars"}, "card fastly: no region mars; there are north-america, europe"),
        ({"places": [Place("asn", "64500", "mars")]}, "no region mars"),
        ({"since": DECEMBER}, "no records in the period"),
        ({"since": NOVEMBER, "until": OCTOBER}, "ends before it begins"),
    ],
)
def test_what_there_is_not_is_said(tmp_path: Path, more: dict[str, object], message: str) -> None:
    with asked(tmp_path / "store", STORY) as con, pytest.raises(UsageError, match=message):
        cost(con, FASTLY, **more)  # type: ignore[arg-type]


def test_packages_have_no_hours(tmp_path: Path) -> None:
    with asked(tmp_path / "store", STORY) as con, pytest.raises(UsageError, match="by the day"):
        cost(con, cards.read("generic-95th"), by="package")


@pytest.mark.parametrize("text", ["europe", "asn=europe", "asn:64500", "asn:=europe", "asn:1="])
def test_a_place_that_is_none(text: str) -> None:
    with pytest.raises(UsageError, match="write DIMENSION:VALUE=REGION"):
        Place.parse(text)
