"""What is published: no row of few clients, nothing hidden that comes back, sums kept until rounded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
import typer
from duckdb import DuckDBPyConnection
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from stores import exchange, store_of_sources
from typer.testing import CliRunner

from l7meter.analysis.catalogue import Query, catalogue, run
from l7meter.analysis.publishing import countable, publishable, significant
from l7meter.cli import querying
from l7meter.errors import UsageError

ADDITIVE = ("bytes", "share", "requests", "unmeasured")
SCHEMA = {
    "organization": pl.String,
    "attribution": pl.String,
    "asn": pl.Int64,
    "bytes": pl.Int64,
    "share": pl.Float64,
    "requests": pl.Int64,
    "clients": pl.Float64,
    "agents": pl.Int64,
    "unmeasured": pl.Int64,
    "unattributed": pl.Float64,
    "basis": pl.String,
}


def table(*rows: dict[str, Any]) -> pl.DataFrame:
    """An answer: of each row what is given, a name of its own, and the share that follows."""
    given_ = [{**dict.fromkeys(SCHEMA), "organization": f"o{n}", **row} for n, row in enumerate(rows)]  # fmt: skip
    total = sum(row["bytes"] or 0 for row in given_)
    if total:
        given_ = [
            {**r, "share": None if r["bytes"] is None else r["bytes"] / total} for r in given_
        ]
    return pl.DataFrame(given_, schema=SCHEMA)


COUNT = st.integers(0, 10**15)
ROW = st.fixed_dictionaries(
    {
        "attribution": st.sampled_from(["organization", "provider", None]),
        "asn": st.none() | st.integers(1, 3),
        "bytes": st.none() | COUNT,
        "requests": COUNT,
        "clients": st.none() | st.just(float("nan")) | st.integers(0, 12).map(float),
        "agents": st.none() | st.integers(1, 9),
        "unmeasured": COUNT,
        "unattributed": st.none() | st.floats(0, 1),
        "basis": st.sampled_from([None, "content", "content+message"]),
    }
)
TABLES = st.lists(ROW, max_size=8).map(lambda rows: table(*rows))
FLOORS = st.integers(0, 9)
DIGITS = st.integers(0, 6)


def label(floor: int) -> str:
    return f"(fewer than {floor} clients)"


def folded(frame: pl.DataFrame, floor: int) -> pl.DataFrame:
    return frame.filter(pl.col("organization").eq_missing(pl.lit(label(floor))))


def below(floor: int) -> pl.Expr:
    return pl.col("clients").fill_nan(None).fill_null(0) < floor


# What it looks like


def test_small_rows_and_the_next_smallest_become_one() -> None:
    frame = table(
        {"bytes": 7000, "requests": 70, "clients": 100, "agents": 3, "unattributed": 0.5, "basis": "content"},
        {"bytes": 2000, "requests": 20, "clients": 6, "agents": 2, "unattributed": 0.0, "basis": "message"},
        {"bytes": 900, "requests": 9, "clients": 2, "agents": 1, "unattributed": 1.0, "basis": "content"},
        {"bytes": 100, "requests": 1, "clients": 1, "agents": 1, "unattributed": 1.0, "basis": "content+wire"},
    )  # fmt: skip
    first, last = publishable(frame, 5, 0).to_dicts()
    assert first == frame.row(0, named=True)
    assert last == {
        "organization": "(fewer than 5 clients)",
        "attribution": None,
        "asn": None,
        "bytes": 3000,
        "share": pytest.approx(0.3),
        "requests": 30,
        "clients": None,
        "agents": None,
        "unmeasured": None,
        "unattributed": pytest.approx(1000 / 3000),
        "basis": "content+message+wire",
    }


def test_one_client_under_many_names_is_not_many_clients() -> None:
    """Ten rows of one client each may be one person with ten programs: their sum is shown of nobody."""
    frame = table(*({"bytes": 5, "clients": 1} for _ in range(10)))
    (row,) = publishable(frame, 5, 0).to_dicts()
    assert row == {**dict.fromkeys(SCHEMA), "organization": label(5)}


def test_rows_that_reach_the_floor_stay_as_they_are() -> None:
    frame = table({"bytes": 5, "clients": 5}, {"bytes": 9, "clients": 7})
    assert_frame_equal(publishable(frame, 5, 0), frame)
    assert_frame_equal(publishable(frame, 0, 0), frame)


def test_of_rows_alike_the_key_decides_not_what_is_hidden() -> None:
    small = {"bytes": 1, "clients": 1}
    for sizes in ((10, 20), (20, 10)):
        alike = ({"bytes": size, "clients": 6, "organization": name} for size, name in zip(sizes, "ab", strict=True))  # fmt: skip
        assert publishable(table(*alike, small), 5, 0)["organization"].to_list() == ["b", label(5)]


def test_a_client_that_calls_itself_folded_is_a_row_like_others() -> None:
    frame = table({"bytes": 9, "clients": 9}, {"organization": label(5), "bytes": 1, "clients": 1})
    assert publishable(frame, 5, 0)["bytes"].to_list() == [10]


def test_numbers_that_name_something_are_not_rounded() -> None:
    frame = pl.DataFrame({"asn": [64_512], "status": [404], "size": [404], "clients": [404]})
    assert publishable(frame, 0, 1).rows() == [(64_512, 404, 400, 400)]
    small = pl.DataFrame({"asn": [64_512, 64_513], "clients": [404, 1]})
    assert publishable(small, 2, 0)["asn"].to_list() == [label(2)]


def test_one_total_is_shown_or_not() -> None:
    total = pl.DataFrame({"bytes": [1234], "clients": [4]})
    assert publishable(total, 4, 0).rows() == [(1234, 4)]
    assert publishable(total, 5, 0).rows() == [(None, None)]


def test_shares_are_those_of_the_rounded_figures() -> None:
    frame = table({"bytes": 1249, "clients": 12}, {"bytes": 351, "clients": 15})
    result = publishable(frame, 10, 1)
    assert result["bytes"].to_list() == [1000, 400]
    assert result["share"].to_list() == [1000 / 2000, 400 / 2000]
    assert result["clients"].to_list() == [10, 20]


def test_last_bits_of_a_share_tell_nothing() -> None:
    """Floats added in another order differ in their last bits: one sum, however it is made up."""
    kept = [{"bytes": 7 * n, "clients": 9} for n in range(1, 8)]
    shares = {
        publishable(table(*kept, {"bytes": 100 - n, "clients": 5}, {"bytes": n}), 5, 0)["share"][-1]
        for n in range(100)
    }
    assert shares == {100 / 296}


def test_clients_are_not_rounded_below_the_floor() -> None:
    assert publishable(table({"clients": 12}), 12, 1)["clients"].to_list() == [12]


def test_ratios_follow_the_rounded_figures() -> None:
    frame = pl.DataFrame({"previous_bytes": [1010, 0], "bytes": [1490, 5], "change": [0.475, None]})
    assert publishable(frame, 0, 1)["change"].to_list() == [0.0, None]


@pytest.mark.parametrize(
    ("exact", "digits", "rounded"),
    [(0, 1, 0), (5, 1, 5), (95, 1, 100), (15, 1, 20), (25, 1, 20), (-25, 1, -20), (251, 1, 300), (123_456_789, 3, 123_000_000), (9_223_372_036_854_775_807, 2, 9_200_000_000_000_000_000), (12, 3, 12), (0.0123456, 3, 0.0123), (0.25, 1, 0.2)],
)  # fmt: skip
def test_significant_digits(exact: float, digits: int, rounded: float) -> None:
    assert significant(pl.Series([None, exact]), digits).to_list() == [None, rounded]


# What a question has to say


@pytest.mark.parametrize("query", catalogue(), ids=lambda query: query.name)
def test_every_question_is_published_or_refused(
    query: Query, real_store: DuckDBPyConnection
) -> None:
    answer = run(real_store, query)
    assert (query.name in countable()) == ("clients" in answer.columns)
    assert publishable(answer, 0, 2).columns == answer.columns
    if "clients" in answer.columns:
        result = publishable(answer, 2, 0)
        assert result.columns == answer.columns
        assert result.filter(pl.col("clients") < 2).is_empty()
        return
    with pytest.raises(UsageError, match=r"no column 'clients'.*ask one of .*top_asns"):
        publishable(answer, 2, 0)


def test_a_question_on_the_command_line(tmp_path: Path) -> None:
    exchanges = [exchange(n, f"192.0.2.{n}", agent_name="pip" if n else "rare") for n in range(7)]
    store_of_sources(tmp_path / "store", {"a.log": exchanges}).close()
    app = typer.Typer()
    querying.register(app)
    ask = ["query", "top_agents", "--store", str(tmp_path / "store"), "-o", "csv"]
    exact, shown = (
        pl.read_csv(CliRunner().invoke(app, [*ask, *more]).stdout.encode())
        for more in ([], ["--min-clients", "6", "--digits", "1"])
    )
    assert exact["agent_name"].to_list() == ["pip", "rare"]
    assert shown.select("agent_name", "bytes").rows() == [("(fewer than 6 clients)", 7000)]
    refused = CliRunner().invoke(
        app, ["query", "top_organizations", *ask[2:], "--min-clients", "2"]
    )
    assert isinstance(refused.exception, UsageError)


# What holds of any table


@settings(deadline=None)
@given(frame=TABLES, floor=FLOORS, digits=DIGITS)
def test_no_row_below_the_floor_is_left(frame: pl.DataFrame, floor: int, digits: int) -> None:
    result = publishable(frame, floor, digits)
    assert result.schema == frame.schema
    made = folded(result, floor)
    rest = result.filter(pl.col("organization").ne_missing(pl.lit(label(floor))))
    assert made.height == (floor > 0 and frame.filter(below(floor)).height > 0)
    assert rest.filter(below(floor)).is_empty()
    assert set(rest["organization"]) <= set(frame.filter(~below(floor))["organization"])


@settings(deadline=None)
@given(frame=TABLES, floor=FLOORS)
def test_sums_are_those_of_all_rows(frame: pl.DataFrame, floor: int) -> None:
    assume(floor == 0 or frame.filter(~below(floor)).height or frame.is_empty())
    result = publishable(frame, floor, 0)
    for name in ADDITIVE:
        assert result[name].sum() == pytest.approx(frame[name].sum(), rel=1e-12)


@settings(deadline=None)
@given(frame=TABLES, floor=FLOORS, digits=DIGITS)
def test_again_changes_nothing(frame: pl.DataFrame, floor: int, digits: int) -> None:
    once = publishable(frame, floor, digits)
    assert_frame_equal(publishable(once, floor, digits), once, check_exact=True)


@settings(deadline=None)
@given(frame=TABLES, floor=FLOORS, digits=DIGITS, data=st.data())
def test_order_of_rows_changes_nothing(
    frame: pl.DataFrame, floor: int, digits: int, data: st.DataObject
) -> None:
    order = data.draw(st.permutations(range(frame.height)))
    other = publishable(frame[order], floor, digits).sort("organization")
    assert_frame_equal(other, publishable(frame, floor, digits).sort("organization"), check_exact=True)  # fmt: skip


@settings(deadline=None)
@given(frame=TABLES, floor=st.integers(1, 9), digits=DIGITS, data=st.data())
def test_what_is_hidden_could_have_been_otherwise(
    frame: pl.DataFrame, floor: int, digits: int, data: st.DataObject
) -> None:
    """For each hidden row another table shows the very same, totals included, where it has other figures.

    So no computation on what is shown and the totals gives them away, subtraction least of all.
    """
    shown = publishable(frame, floor, digits)
    hidden = [n for n, few in enumerate(frame.select(below(floor)).to_series()) if few]
    assume(hidden)
    small = data.draw(st.sampled_from(hidden))
    rows = frame.drop("share", "unattributed").to_dicts()
    kept = set(shown["organization"])
    others = [n for n, row in enumerate(rows) if n != small and row["organization"] not in kept]
    reaches = frame.filter(~below(floor)).height > 0
    assert others or not reaches  # never alone where a total is shown
    shown = publishable(table(*rows), floor, digits)
    for name in ("bytes", "requests", "unmeasured"):
        if reaches:
            partner = max(others, key=lambda n: rows[n][name] or 0)
            moved = min(rows[partner][name] or 0, 17)
        else:
            partner, moved = small, 17
        if moved == 0 or rows[small][name] is None:
            continue  # what adds up to nothing is nothing in each row
        otherwise = [dict(row) for row in rows]
        otherwise[partner][name] -= moved if partner != small else 0
        otherwise[small][name] += moved
        otherwise[small]["clients"] = data.draw(st.sampled_from([None, *map(float, range(floor))]))
        assert_frame_equal(publishable(table(*otherwise), floor, digits), shown, check_exact=True)


@settings(deadline=None)
@given(st.lists(st.integers(-(10**17), 10**17)), st.integers(1, 8))
def test_rounding_is_near_and_has_so_many_digits(figures: list[int], digits: int) -> None:
    rounded = significant(pl.Series(figures, dtype=pl.Int64), digits)
    for exact, shown in zip(figures, rounded, strict=True):
        assert abs(exact - shown) * 2 <= 10 ** max(len(str(abs(exact))) - digits, 0)
        assert len(str(abs(shown)).rstrip("0")) <= digits
    assert significant(rounded, digits).to_list() == rounded.to_list()


def test_rounding_is_unbiased() -> None:
    """Of all numbers of three digits the mean error is nought; rounding halves up would add 0.5."""
    exact = pl.Series(range(100, 1000))
    assert (significant(exact, 2) - exact).sum() == 0
