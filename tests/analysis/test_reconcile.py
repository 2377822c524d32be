"""Bills read, and bills compared with what was metered."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stores import START, Row, exchange, store_of_sources

from l7meter.analysis.reconcile import Reconciliation, providers, read_bill, reconcile
from l7meter.analysis.reconcile.completeness import completeness, student
from l7meter.analysis.reconcile.metered import Header
from l7meter.analysis.reconcile.parts import explained
from l7meter.analysis.reconcile.units import UNITS, unit_named, unit_said
from l7meter.errors import SourceError, UsageError

BILLS = Path(__file__).parents[1] / "data" / "bills"
ONE, TWO = date(2026, 11, 1), date(2026, 11, 2)
DAY = 86_400


def days(name: str, **options: Any) -> list[tuple[Any, ...]]:
    bill = read_bill(BILLS / name, **options)
    return bill.days.select("day", "region", "billed_bytes", "billed_requests").rows()


# reading


def test_cloudfront_usage_counts_what_went_to_viewers_once() -> None:
    bill = read_bill(BILLS / "cloudfront-usage.csv")
    assert bill.provider.name == "cloudfront"
    assert days("cloudfront-usage.csv") == [
        (ONE, "EU", 1_200_000, 900),
        (ONE, "US", 300_000, 100),
        (TWO, "EU", 900_000, 800),
    ]
    assert bill.left == {"DataTransfer-Out-Bytes": 1, "DataTransfer-Out-OBytes": 1, "Bytes-OriginShield": 1, "Invalidations": 1}  # fmt: skip
    assert bill.problems == [f"{BILLS / 'cloudfront-usage.csv'}:13: 'n/a' is no quantity"]
    assert bill.lines == 12


@pytest.mark.parametrize(
    ("unit", "octets"), [("GB", 1.5e9), ("GiB", 1.5 * 2**30), ("gib", 1.5 * 2**30)]
)
def test_a_cost_report_says_gb_and_the_reader_which(unit: str, octets: float) -> None:
    assert days("cost-and-usage.csv", unit=unit) == [(ONE, "EU", octets, 900)]
    with pytest.raises(
        UsageError,
        match=r"cost-and-usage.csv:2: the bill says 'GB', which is used for 1000³ and for 1024³",
    ):
        read_bill(BILLS / "cost-and-usage.csv")


def test_fastly_stats_with_their_hops_and_what_went_to_the_origin() -> None:
    bill = read_bill(BILLS / "fastly-stats.json")
    assert bill.provider.name == "fastly"
    assert bill.days.rows() == [
        (ONE, None, 1_230_000, 1100, 120_000, 100, 10_000),
        (TWO, None, 600_000, 500, None, None, None),
    ]
    assert bill.problems == [
        f"{BILLS / 'fastly-stats.json'}:10: no stats of a day: 'bandwidth' is missing"
    ]


def test_cloudflare_by_day_and_by_country() -> None:
    assert days("cloudflare-graphql.json") == [
        (ONE, None, 1_200_000, 1000),
        (TWO, None, 600_000, 500),
    ]
    assert days("cloudflare-graphql.json", regions=True)[:2] == [
        (ONE, "DE", 1_000_000, 900),
        (ONE, "US", 200_000, 100),
    ]


def test_a_table_whose_heading_says_the_unit() -> None:
    expected = [(ONE, None, 2 * 2**30, 1000), (TWO, None, 2**30, 500)]
    assert days("table.csv", columns={"Volume (GiB)": "bytes"}) == expected
    assert days("table.csv", columns={"Volume (GB)": "bytes"}, unit="GB") == expected
    assert days("table.csv") == [(ONE, None, None, 1000), (TWO, None, None, 500)]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"columns": {"Volume (GB)": "bytes"}}, r"table.csv:2: the bill does not say its unit: give --unit GB"),
        ({"columns": {"Volume (GiB)": "bytes"}, "unit": "GB"}, "--unit GB, but the bill says GiB"),
        ({"columns": {"Volume": "bytes"}}, "--map Volume=...: .* has no such column; it has: Date"),
        ({"columns": {"Date": "time"}}, "--map Date=time: no meaning; there is: day, region, bytes, requests"),
        ({"provider": "acme"}, "--provider acme: no such provider; there is: cloudflare, cloudfront, fastly, generic"),
        ({"unit": "gigs"}, "--unit gigs: no unit; there is: bytes, KB"),
    ],
)  # fmt: skip
def test_what_is_not_said_is_asked_for(options: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        read_bill(BILLS / "table.csv", **options)


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("Date,Requests\nx,1\n", SourceError, "nothing of this bill can be read: .*:2: 'x' is no day"),
        ("Date,Requests\n01/02/2026,1\n", SourceError, "'01/02/2026' is no day; it would be as in 2026-01-31"),
        ("Date,Requests\n2026-11-01,-5\n", SourceError, "'-5' is no quantity"),
        ("Date,Requests\n2026-11-01,nan\n", SourceError, "'nan' is no quantity"),
        ("a,b\n1,2\n", UsageError, "which column is the day"),
        ("", UsageError, "which column is the day"),
        ('{"a": 1}', SourceError, "no bill that is known; say whose it is"),
        ('{"data": [\n{"bandwidth": 1, "start_time": 2\n', SourceError, "bill:2: no JSON: .*; fetch the file again"),
        ('{"data": {"a": []}, "bandwidth": 0, "start_time": 0}', SourceError, "no list under 'data'"),
    ],
)  # fmt: skip
def test_files_that_are_no_bills(
    tmp_path: Path, text: str, error: type[Exception], says: str
) -> None:
    (tmp_path / "bill").write_text(text)
    with pytest.raises(error, match=says):
        read_bill(tmp_path / "bill")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read: No such file"):
        read_bill(tmp_path / "bill")


def test_every_provider_says_where_it_is_documented_and_what_it_counts() -> None:
    assert list(providers())[-1] == "generic"
    for each in providers().values():
        assert each.documentation
        assert each.meaning


def test_units_are_si_or_binary_and_never_either() -> None:
    assert UNITS["TB"] == 10**12
    assert UNITS["TiB"] == 2**40
    assert 62.25 * UNITS["PiB"] / (62.25 * UNITS["PB"]) == pytest.approx(1.126, abs=0.001)
    assert unit_named("tib") == "TiB"
    assert [unit_said(text) for text in ("Volume (GiB)", "sum_bytes", "Usage in GB", "TB", "debytes")] == ["GiB", "bytes", None, None, None]  # fmt: skip


# comparing


Compared = Callable[..., Reconciliation]


@pytest.fixture
def compared(tmp_path: Path) -> Compared:
    def compare(bill: str, sources: dict[str, Iterable[Row]], *, read: dict[str, Any] | None = None, **options: Any) -> Reconciliation:  # fmt: skip
        (tmp_path / "bill.csv").write_text(bill)
        with store_of_sources(tmp_path / "store", sources) as connection:
            return reconcile(
                connection, read_bill(tmp_path / "bill.csv", **(read or {})), **options
            )

    return compare


def table(*rows: tuple[object, ...], columns: str = "day,bytes,requests") -> str:
    return "\n".join([columns, *(",".join(map(str, row)) for row in rows)])


def messages(day: int, count: int, size: int = 1000, **more: Any) -> list[Row]:
    step = DAY / count
    return [
        exchange(day * DAY + n * step, f"192.0.2.{n % 200}", f"/{n}", size, basis="message", **more)
        for n in range(count)
    ]


def test_a_complete_log_leaves_nothing_to_explain(compared: Compared) -> None:
    done = compared(
        table((ONE, 400_000, 400), (TWO, 300_000, 300)),
        {"a.log": messages(0, 400) + messages(1, 300)},
    )
    assert (
        done.days.select("difference_bytes", "unexplained_bytes", "lost_bytes").rows()
        == [(0, 0, 0)] * 2
    )
    assert done.bytes_factor == done.requests_factor == (1, 1, 1, 2)
    assert done.header.source == "assumed"
    assert not any("assumed" in note for note in done.notes)


def test_lost_lines_are_the_requests_that_were_billed(compared: Compared) -> None:
    done = compared(
        table((ONE, 500_000, 500), (TWO, 300_000, 300)),
        {"a.log": messages(0, 400) + messages(1, 300)},
    )
    assert done.days.select("missing_requests", "lost_bytes", "unexplained_bytes").rows() == [
        (100, 100_000, 0),
        (0, 0, 0),
    ]
    assert done.total["lost_bytes"] == 100_000
    assert done.requests_factor
    assert done.requests_factor.factor == 700 / 800
    assert done.requests_factor.low < 700 / 800 < done.requests_factor.high


def test_a_day_without_lines_is_lost_at_the_mean_of_the_others(compared: Compared) -> None:
    done = compared(
        table((ONE, 500_000, 400), (TWO, 300_000, 300)), {"a.log": messages(0, 400, 1250)}
    )
    assert done.days["lost_bytes"].to_list() == [0, 375_000]
    assert done.days["unexplained_bytes"].to_list() == [0, -75_000]


def test_header_fields_are_measured_where_the_logs_tell(compared: Compared) -> None:
    both = [{**row, "response_body_size": 700} for row in messages(0, 200)]
    content = [exchange(n * 200, f"192.0.2.{n}", f"/{n}", 700) for n in range(100)]
    done = compared(table((ONE, 300_000, 300)), {"edge.log": both, "old.log": content})
    assert done.header == Header(300, 300, 300, "measured", 200)
    assert done.days.select("header_bytes", "unexplained_bytes", "difference_bytes").rows() == [
        (30_000, 0, 30_000)
    ]


def test_header_fields_are_assumed_with_an_interval_and_said(compared: Compared) -> None:
    content = [exchange(n * 200, f"192.0.2.{n}", f"/{n}", 700) for n in range(100)]
    done = compared(table((ONE, 120_000, 100)), {"old.log": content})
    row = done.days.row(0, named=True)
    assert (row["header_low_bytes"], row["header_bytes"], row["header_high_bytes"]) == (
        20_000,
        50_000,
        100_000,
    )
    assert row["unexplained_low_bytes"] == -50_000
    assert row["unexplained_high_bytes"] == 50_000
    assert any("assumed to have 500 octets (200 to 1,000)" in note for note in done.notes)
    assert done.bytes_factor
    assert done.bytes_factor.high - done.bytes_factor.low == pytest.approx(80_000 / 120_000)


def test_gaps_stand_for_lost_lines_where_no_requests_are_billed(compared: Compared) -> None:
    rows = [
        exchange(h * 3600 + n * 60, f"192.0.2.{n}", f"/{h}-{n}", basis="message")
        for h in range(24 * 6)
        for n in range(20)
        if h not in (60, 61)
    ]
    billed = [(ONE + timedelta(days=d), 480_000) for d in range(6)]
    done = compared(table(*billed, columns="day,bytes"), {"a.log": rows})
    row = done.days.row(2, named=True)
    assert (row["gap_hours"], row["lost_bytes"], row["unexplained_bytes"]) == (2, 40_000, 0)
    assert done.requests_factor is None


def test_hops_and_origin_are_taken_off_where_the_bill_says_them(tmp_path: Path) -> None:
    with store_of_sources(
        tmp_path / "store", {"a.log": messages(0, 1000, 1100) + messages(1, 500, 1200)}
    ) as connection:
        done = reconcile(connection, read_bill(BILLS / "fastly-stats.json"))
    assert done.days.select(
        "hop_bytes", "origin_bytes", "missing_requests", "unexplained_bytes"
    ).rows() == [
        (120_000, 10_000, 0, 0),
        (0, 0, 0, 0),
    ]
    assert done.bytes_factor
    assert done.bytes_factor.factor == pytest.approx(1)


def test_the_shields_own_lines_are_hops_too(tmp_path: Path) -> None:
    shield = messages(0, 100, 1200, network_kind="cdn")
    sources = {
        "edge.log": messages(0, 1000, 1100),
        "shield.log": shield,
        "next.log": messages(1, 500, 1200),
    }
    with store_of_sources(tmp_path / "store", sources) as connection:
        done = reconcile(connection, read_bill(BILLS / "fastly-stats.json"))
    first = done.days.row(0, named=True)
    assert (first["hop_bytes"], first["missing_requests"], first["unexplained_bytes"]) == (0, 0, 0)


def test_days_of_another_zone_are_told(compared: Compared) -> None:
    rows = [
        exchange(h * 3600 + n * 30, f"192.0.2.{n}", f"/{h}-{n}", basis="message")
        for h in range(-24, 24 * 8)
        for n in range(5 + (h * 37) % 50)
    ]
    local = [
        sum(1 for row in rows if day_in_tokyo(row) == ONE + timedelta(days=d)) for d in range(6)
    ]
    bill = table(*((ONE + timedelta(days=d), count * 1000, count) for d, count in enumerate(local)))
    done = compared(bill, {"a.log": rows})
    assert any(
        "look as if they began 9 h earlier than those of UTC: say --timezone" in note
        for note in done.notes
    )
    assert max(map(abs, done.days["unexplained_bytes"])) < 1
    assert any(done.days["border_bytes"])


def day_in_tokyo(row: Row) -> date:
    ts = row["ts"]
    assert isinstance(ts, datetime)
    return (ts + timedelta(hours=9)).date()


def test_days_of_the_zone_that_is_said(compared: Compared) -> None:
    rows = [exchange(16 * 3600, "192.0.2.1", basis="message")]
    done = compared(table((TWO, 1000, 1)), {"a.log": rows}, zone="Asia/Tokyo")
    assert done.days.select("day", "metered_bytes", "unexplained_bytes").rows() == [(TWO, 1000, 0)]


def test_regions_by_the_names_of_sources(tmp_path: Path) -> None:
    sources = {
        "logs/eu-1.log": messages(0, 900),
        "logs/us-1.log": messages(0, 100, 3000),
        "other.log": messages(0, 3),
    }
    with store_of_sources(tmp_path / "store", sources) as connection:
        bill = read_bill(BILLS / "cloudfront-usage.csv", regions=True)
        until = START + timedelta(days=1)
        done = reconcile(connection, bill, regions={"*/eu-*": "EU", "*/us-*": "US"}, until=until)
        whole = reconcile(connection, bill, until=until)
    assert done.days.select(
        "region", "billed_requests", "metered_requests", "missing_requests"
    ).rows() == [
        ("EU", 900, 900, 0),
        ("US", 100, 100, 0),
        (None, None, 3, None),
    ]
    assert whole.days.select("region", "billed_bytes", "metered_requests").rows() == [
        (None, 1_500_000, 1003)
    ]
    assert any("no --region-of pattern matches" in note for note in done.notes)


def test_sampling_error_is_in_the_interval(compared: Compared) -> None:
    done = compared(table((ONE, 400_000, 400)), {"a.log": messages(0, 40, sample_weight=10.0)})
    row = done.days.row(0, named=True)
    error = 1.959964 * (40 * 10 * 9 * 1000**2) ** 0.5
    assert row["sampling_error_bytes"] == pytest.approx(error)
    assert row["unexplained_high_bytes"] - row["unexplained_low_bytes"] == pytest.approx(2 * error)


def test_a_period_without_a_billed_day_is_refused(compared: Compared) -> None:
    with pytest.raises(
        UsageError, match=r"no day of the bill \(2026-11-01 to 2026-11-01\) is in the period"
    ):
        compared(table((ONE, 1, 1)), {"a.log": messages(0, 3)}, since=START + timedelta(days=3))


def test_json_has_everything_with_units_in_its_keys(compared: Compared) -> None:
    done = compared(table((ONE, 500_000, 500), ("x", 1, 1)), {"a.log": messages(0, 400)})
    told = json.loads(json.dumps(done.as_dict()))
    assert told["bill"]["lines_not_read"] == 1
    assert told["completeness"]["requests"]["factor"] == 0.8
    units = (
        "_bytes",
        "_requests",
        "_hours",
        "_completeness",
        "_message",
        "_content",
        "_declared",
        "_wire",
        "_tls",
    )
    assert all(key.endswith(units) for key in told["days"][0] if key not in ("day", "region"))
    assert set(told["days"][0]) - {
        "day",
        "region",
        "bytes_completeness",
        "requests_completeness",
    } == set(told["total"])


AMOUNT = st.integers(0, 10**7)


@given(billed=AMOUNT, asked=st.integers(1, 10**5), count=st.integers(0, 30), size=AMOUNT)
def test_the_parts_add_up_to_the_difference(billed: int, asked: int, count: int, size: int) -> None:
    row = {
        "day": ONE, "region": None, "billed_bytes": float(billed), "billed_requests": float(asked), "shield_bytes": 7.0, "shield_requests": 1.0,
        "origin_bytes": 3.0, "metered_requests": float(count), "unmeasured_requests": 0.0, "bare_responses": float(count), "metered_bytes": float(size),
        "cdn_requests": 0.0, "cdn_bytes": 0.0, "bytes_variance": 4.0, "requests_variance": 0.0, "gap_hours": 0, "gap_requests": 0.0, "gap_bytes": 0.0,
        "shifted_bytes": size + 300.0 * count, "shifted_requests": float(count),
    }  # fmt: skip
    out = explained(pl.DataFrame([row]), Header(300, 200, 500, "said", 0), True).row(0, named=True)
    parts = (
        "header_bytes",
        "lost_bytes",
        "hop_bytes",
        "origin_bytes",
        "border_bytes",
        "unexplained_bytes",
    )
    assert sum(out[part] for part in parts) == pytest.approx(out["difference_bytes"], abs=1e-3)
    assert out["difference_bytes"] == billed - size


# completeness


def test_the_interval_of_the_factor_covers_what_it_says() -> None:
    """Twenty days of 97 % ± 2 %: the ratio's interval, in 2,000 months."""
    rng = np.random.default_rng(11)
    inside = 0
    for _ in range(2_000):
        billed = rng.lognormal(10, 0.3, 20)
        factor = completeness(list(billed * rng.normal(0.97, 0.02, 20)), list(billed))
        assert factor
        inside += factor.low <= 0.97 <= factor.high
    assert 0.93 <= inside / 2_000 <= 0.97


def test_one_day_has_no_variation_to_speak_of() -> None:
    assert completeness([90], [100]) == (0.9, 0.9, 0.9, 1)
    assert completeness([90], [0]) is None


@pytest.mark.parametrize(
    ("freedom", "value"), [(1, 12.706), (20, 2.086), (30, 2.042), (100, 1.984)]
)
def test_student(freedom: int, value: float) -> None:
    assert student(freedom) == pytest.approx(value, abs=0.005)
