"""What rollups tell alone: avoidable octets of closed days, clients from sketches."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from conftest import frame
from rolled import FIRST, all_closed, all_covered, filled, one_salt, some_closed  # noqa: F401

from l7meter import schema
from l7meter.analysis.catalogue import load, run
from l7meter.store import SourceRow, Store, connect


def test_avoidable_is_what_was_downloaded_redundantly(tmp_path: Path) -> None:
    with filled(tmp_path / "store", 1) as store:
        all_closed(store)
    avoidable, redundant = (load(name) for name in ("avoidable", "redundant_downloads"))
    with connect(tmp_path / "store", locked=True) as connection:
        found = run(connection, avoidable, {"limit": None})
        expected = run(connection, redundant, {"limit": None})
    both = found.join(expected, on=["organization", "attribution"], nulls_equal=True)
    assert both.height == found.height == expected.height
    assert both["avoidable_bytes"].sum() > 0
    dated = both.filter(pl.col("avoidable_bytes").is_not_null())
    assert dated["avoidable_bytes"].to_list() == dated["redundant_bytes"].to_list()
    assert dated["avoidable_requests"].to_list() == dated["redundant_requests"].to_list()


def test_what_is_not_closed_is_said(tmp_path: Path) -> None:
    with filled(tmp_path / "store", 1) as store:
        some_closed(store)
    with connect(tmp_path / "store", locked=True) as connection:

        def ask(since: timedelta, until: timedelta) -> pl.DataFrame:
            period = {"since": FIRST + since, "until": FIRST + until}
            return run(connection, load("avoidable"), {"limit": 0, **period})

        closed = ask(timedelta(0), timedelta(days=2))
        half = ask(timedelta(0), timedelta(days=4))
        open_ = ask(timedelta(days=2), timedelta(days=4))
    assert set(closed["open_share"]) == {0.0}
    assert all(0 < share < 1 for share in half["open_share"])
    assert half["avoidable_bytes"].sum() == closed["avoidable_bytes"].sum()
    assert set(open_["open_share"]) == {1.0}
    assert set(open_["avoidable_bytes"]) == set(open_["avoidable_share"]) == {None}


@pytest.mark.parametrize("count", [1, 40, 1_000, 20_000])
def test_clients_are_estimated(tmp_path: Path, count: int) -> None:
    """`count` addresses on the first day, half of them and as many others on the second."""
    numbers = [*range(count), *range(count // 2, count // 2 + count)]
    rows = pl.DataFrame(
        {
            "client_address": [f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in numbers],
            "ts": [FIRST + timedelta(days=at // count) for at in range(2 * count)],
            "organization": ["Example A" if n % 2 else "Example B" for n in numbers],
        }
    ).with_columns(
        attributable=pl.lit(True),
        exchange_kind=pl.lit("http"),
        source_id=pl.lit("one"),
        source_line=pl.int_range(1, 2 * count + 1),
    )
    entry = SourceRow(
        source_id="one", name="one.log", format="combined", lines=2 * count, records=2 * count,
        unmeasured_records=2 * count, first_ts=FIRST, last_ts=FIRST + timedelta(days=1),
    )  # fmt: skip
    with Store.create(tmp_path / "store") as store:
        store.append([entry], [store.write("records", frame(rows, schema.POLARS))])
        all_covered(store)
    with connect(tmp_path / "store", locked=True) as connection:
        by_day = run(connection, load("by_day"))
        folded = run(connection, load("daily_clients"), {"limit": 0})
        everyone = run(connection, load("agent_kinds"))
        named = run(connection, load("daily_clients"))
    # five standard errors of 0.8 %, seeded by the salt; small numbers are exact
    near = pytest.approx(count, rel=0.04 if count > 1000 else 0.01)
    assert by_day["clients"].to_list() == [near, near]
    assert folded["clients"].to_list() == by_day["clients"].to_list()
    assert everyone["clients"].item() == pytest.approx(len(set(numbers)), rel=0.04)
    exact = rows.group_by(pl.col("ts").dt.date().alias("day"), "organization").agg(
        pl.col("client_address").n_unique().alias("exact")
    )
    both = named.join(exact, on=["day", "organization"])
    assert both.height == exact.height == named.height
    assert ((both["clients"] - both["exact"]).abs() <= 0.04 * both["exact"]).all()
