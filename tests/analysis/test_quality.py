"""What `quality` finds, and what it does not cry about: each check on a store of its own."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stores import START, Row, exchange, store_of_sources

from l7meter.analysis import quality
from l7meter.analysis.quality_clock import zone_of
from l7meter.analysis.quality_finding import SCHEMA, Finding, folded, frame
from l7meter.analysis.quality_overlap import exceeds
from l7meter.analysis.quality_streams import stream_of

Found = Callable[..., pl.DataFrame]
HOUR = 3600


@pytest.fixture
def found(tmp_path: Path) -> Found:
    def find(
        sources: dict[str, Iterable[Row]], check: str | None = None, **options: Any
    ) -> pl.DataFrame:
        asked = {
            key: options.pop(key) for key in ("since", "until", "limit", "budget") if key in options
        }
        with store_of_sources(tmp_path / "store", sources, **options) as connection:
            findings = quality(connection, **asked)
        return findings.filter(check=check) if check else findings

    return find


def log(seconds: Iterable[float], clients: int = 200, **more: Any) -> list[Row]:
    """Exchanges of many clients, each a path of its own."""
    return [
        exchange(at, f"192.0.2.{n % clients}", f"/{int(at)}-{n % 7}", 1000 + n % 13, **more)
        for n, at in enumerate(seconds)
    ]


def hourly(hours: Iterable[int], each: int = 20) -> list[Row]:
    return [
        exchange(hour * HOUR + n * 60, f"192.0.2.{n}", f"/{hour}-{n}")
        for hour in hours
        for n in range(each)
    ]


def test_a_sound_store_has_no_finding(found: Found) -> None:
    findings = found(
        {"logs/a.log": log(range(0, 3 * HOUR, 20)), "logs/b.log": log(range(1, 3 * HOUR, 20))}
    )
    assert findings.schema == SCHEMA
    assert findings.is_empty()


def test_an_empty_store_has_no_finding(tmp_path: Path) -> None:
    from l7meter.store import Store, connect

    Store.create(tmp_path / "store").close()
    with connect(tmp_path / "store", locked=True) as connection:
        assert quality(connection).is_empty()


def test_the_connection_is_left_as_it_was(tmp_path: Path) -> None:
    with store_of_sources(tmp_path / "s", {"a.log": log(range(100))}) as connection:
        quality(connection)
        names = connection.execute(
            "SELECT table_name FROM duckdb_tables() WHERE temporary"
        ).fetchall()
    assert names == []


# lines


def test_rejects_by_reason_with_their_share(found: Found) -> None:
    said = {"rejects": 10, "rejects_by_reason": {"no time": 9, 'a "quoted" one': 1}}
    findings = found({"logs/a.log": log(range(90))}, "rejects", a=said)
    assert findings.select("severity", "count").rows() == [("error", 9), ("warning", 1)]
    assert "9.0 % of the lines rejected: no time" in findings["message"][0]
    assert 'a "quoted" one' in findings["message"][1]


def test_formats_told_differently_in_one_stream(found: Found) -> None:
    sources = {f"logs/access-{n}.log": log(range(n * 100, n * 100 + 50)) for n in range(3)}
    findings = found(sources, "formats", **{"access-2": {"format": "common"}})
    assert findings.select("severity", "source", "count").rows() == [
        ("warning", "logs/access-#.log", 3)
    ]
    assert "combined (2), common (1)" in findings["message"][0]


def test_a_source_that_broke_off(found: Found) -> None:
    findings = found({"a.log": log(range(20))}, "broken_off", a={"problem": "gzip ends early"})
    assert findings.select("severity", "source", "count").rows() == [("error", "a.log", 20)]


# gaps


def test_a_gap_is_told_and_a_quiet_night_is_not(found: Found) -> None:
    night = {h for h in range(24 * 8) if h % 24 < 5}
    lost = {24 * 4 + 12, 24 * 4 + 13}
    hours = [h for h in range(24 * 8) if h not in night | lost]
    findings = found({"logs/a.log": hourly(hours)}, "gap")
    assert findings.select("severity", "since", "until", "count", "bytes").rows() == [
        ("warning", START + timedelta(hours=108), START + timedelta(hours=110), 2, 2 * 20 * 1000)
    ]


def test_few_clients_are_a_gap_only_over_several_hours(found: Found) -> None:
    hours = [h for h in range(24 * 6) if h not in (50, 80, 81, 82)]
    findings = found({"logs/a.log": hourly(hours, each=5)}, "gap")
    assert findings["count"].to_list() == [3]  # exp(-5) is no rarity, exp(-15) is


def test_one_clients_thousand_are_no_gap_when_it_pauses(found: Found) -> None:
    hours = [h for h in range(24 * 6) if h != 50]
    rows = [exchange(h * HOUR + n, "192.0.2.1", f"/{h}-{n}") for h in hours for n in range(100)]
    assert found({"logs/mirror.log": rows}, "gap").is_empty()


def test_less_than_a_day_of_history_has_no_gap(found: Found) -> None:
    assert found({"logs/a.log": hourly([*range(10), *range(12, 20)], each=100)}, "gap").is_empty()


def test_rotated_files_are_one_stream_and_a_stop_is_told(found: Found) -> None:
    days = [hourly(range(24 * d, 24 * d + 24)) for d in range(6)]
    sources = {f"a/access.log-2026110{d + 1}.gz": rows for d, rows in enumerate(days[:4])}
    sources["b/access.log"] = [row for rows in days for row in rows]
    findings = found(sources, "gap")
    assert findings.select("severity", "source", "count").rows() == [("info", "a/access.log", 48)]


def test_records_far_from_their_source(found: Found) -> None:
    rows = [*log(range(0, 5 * HOUR, 10)), exchange(-400 * 86_400)]
    findings = found({"a.log": rows}, "stray_times")
    assert findings.select("count", "since").rows() == [(1, START - timedelta(days=400))]


# duplicates


def test_a_log_cut_differently(found: Found) -> None:
    findings = found(
        {"a.log": log(range(1000)), "b.log": log(range(1000))[600:] + log(range(1000, 1500))},
        "overlapping_sources",
    )
    assert findings.select("severity", "source", "count").rows() == [("error", "b.log", 400)]
    expected = sum(int(str(row["server_bytes"])) for row in log(range(1000))[600:])
    assert findings["bytes"].item() == expected
    assert "line 601 and line 1 here" in findings["message"].item()
    assert "source forget id1" in findings["next_step"].item()


def test_what_a_sample_finds_is_near_what_is_there(found: Found) -> None:
    rows = log(range(6000))
    findings = found(
        {"a.log": rows, "b.log": rows[2000:] + log(range(6000, 9000))},
        "overlapping_sources",
        budget=3000,
    )
    assert findings["count"].item() == pytest.approx(4000, rel=0.15)
    assert "estimated from 1 key in 5" in findings["message"].item()


def farm(seconds: Iterable[int], jobs: int, rng: random.Random) -> tuple[list[Row], list[Row]]:
    """A farm behind one address whose jobs ask for the same in one second, dealt out to two servers."""
    servers: tuple[list[Row], list[Row]] = ([], [])
    for at in seconds:
        for _ in range(jobs):
            servers[rng.random() < 0.5].append(exchange(at, "192.0.2.9", "/index", 500))
    return servers


def test_real_repeats_dealt_out_to_two_servers_are_not_cried(found: Found) -> None:
    one, two = farm(range(0, 2000, 4), 3, random.Random(5))
    assert found({"web1/a.log": one, "web2/a.log": two}, "overlapping_sources").is_empty()


def test_a_farm_does_not_hide_a_copy(found: Found) -> None:
    one, two = farm(range(0, 2000, 4), 3, random.Random(5))
    findings = found(
        {"web1/a.log": one, "web2/a.log": two + log(range(300)), "copy.log": log(range(300))},
        "overlapping_sources",
    )
    assert findings.select("source", "count").rows() == [("copy.log", 300)]


@given(agreed=st.integers(0, 10**6), chance=st.floats(0, 1e6), smaller=st.integers(1, 10**6))
def test_agreement_below_chance_is_none(agreed: int, chance: float, smaller: int) -> None:
    if agreed <= chance and agreed < 0.99 * smaller:
        assert not exceeds(agreed, chance, smaller)


def test_a_capture_beside_a_log(found: Found) -> None:
    web = log(range(0, 3000, 10), duration=1.5)
    seen = [
        {
            **row,
            "ts": row["ts"] - timedelta(seconds=1),
            "server_bytes": 1500,
            "server_bytes_basis": "wire",
        }  # type: ignore[operator]
        for row in web[:200]
    ]
    findings = found({"access.log": web, "dump.pcap": seen}, "capture_and_log")
    assert findings.select("severity", "count").rows() == [("error", 200)]


def test_a_capture_of_other_hours_is_none_beside_a_log(found: Found) -> None:
    web = [exchange(n * 10, "192.0.2.1", f"/{n % 3}", duration=1.0) for n in range(300)]
    seen = [exchange(4000 + n * 10, "192.0.2.1", f"/{n % 3}", basis="wire") for n in range(300)]
    assert found({"access.log": web, "dump.pcap": seen}, "capture_and_log").is_empty()


def test_shield_and_edge_in_one_log(found: Found) -> None:
    rows = []
    for n in range(200):
        rows.append(
            exchange(n * 3, f"192.0.2.{n}", f"/{n}", cache_status="MISS" if n % 4 == 0 else "HIT")
        )
        if n % 4 == 0:
            rows.append(exchange(n * 3, f"192.0.2.{n}", f"/{n}", cache_status="MISS"))
    findings = found({"fastly.log": rows}, "hops")
    assert findings.select("severity", "count", "bytes").rows() == [("warning", 50, 50_000)]


def test_twins_of_hits_and_misses_alike_are_no_hops(found: Found) -> None:
    rows = [
        exchange(n * 3, f"192.0.2.{n}", f"/{n}", cache_status="MISS" if n % 4 == 0 else "HIT")
        for n in range(200)
        for _ in range(2)
    ]
    assert found({"fastly.log": rows}, "hops").is_empty()


def test_one_delivery_on_two_servers(found: Found) -> None:
    rows = [
        exchange(n * 3, f"192.0.2.{n % 200}", f"/{n}", server_address=host)
        for n in range(100)
        for host in ("edge.example.org", "shield.example.org")
    ]
    findings = found({"a.log": rows}, "hops")
    assert findings["count"].to_list() == [100]


def test_repeats_dealt_out_to_two_servers_are_no_hops(found: Found) -> None:
    rng = random.Random(9)
    rows = [
        exchange(
            n, "192.0.2.1", "/index", server_address=rng.choice(["a.example.org", "b.example.org"])
        )
        for n in range(500)
        for _ in range(3)
    ]
    assert found({"a.log": rows}, "hops").is_empty()


def test_clients_that_are_the_cdns_own(found: Found) -> None:
    rows = [*log(range(90)), *log(range(100, 110), network_kind="cdn", organization="Example CDN")]
    findings = found({"a.log": rows}, "cdn_clients")
    assert findings.select("severity", "count").rows() == [("warning", 10)]
    assert "Example CDN" in findings["message"].item()


def test_requests_of_workers(found: Found) -> None:
    rows = [*log(range(50)), exchange(60, "2a06:98c0:3600::103", "/w")]
    said = {"skipped": 7, "skipped_by_reason": {"made by a worker, not by a client": 7}}
    findings = found({"cf.log": rows}, "worker_requests", cf=said)
    assert findings.select("severity", "count").rows() == [("warning", 1), ("info", 7)]


# clocks


def test_a_log_read_in_the_wrong_zone(found: Found) -> None:
    right = log(range(0, 4000, 7))
    late = [{**row, "ts": row["ts"] + timedelta(hours=2)} for row in right]  # type: ignore[operator]
    findings = found({"cdn.log": right, "iis.log": late}, "clock_offset")
    assert findings.select("severity", "source", "count").rows() == [
        ("error", "iis.log", len(right))
    ]
    assert (
        "if iis.log logs times without a zone: ingest it again with --timezone Etc/GMT-2;"
        in findings["next_step"].item()
    )


def test_clocks_that_are_half_a_minute_apart(found: Found) -> None:
    right = log(range(0, 4000, 7))
    late = [{**row, "ts": row["ts"] + timedelta(seconds=31)} for row in right]  # type: ignore[operator]
    findings = found({"a.log": right, "b.log": late}, "clock_offset")
    assert findings["severity"].to_list() == ["warning"]
    assert "31 s earlier there" in findings["message"].item()


def test_a_client_that_comes_every_hour_is_no_offset(found: Found) -> None:
    sources = {
        f"logs/{h:02}.log": [
            *log(range(h * HOUR, (h + 1) * HOUR, 10)),
            *(exchange(h * HOUR + n, "198.51.100.7", f"/mirror/{n}") for n in range(60)),
        ]
        for h in range(2)
    }
    assert found(sources, "clock_offset").is_empty()


@pytest.mark.parametrize(
    ("minutes", "zone"), [(60, "Etc/GMT-1"), (-300, "Etc/GMT+5"), (330, "Asia/Kolkata"), (0, "UTC"), (15, None), (900, None)]
)  # fmt: skip
def test_zones_have_the_sign_of_posix(minutes: int, zone: str | None) -> None:
    from zoneinfo import ZoneInfo

    assert zone_of(minutes) == zone
    if zone:
        assert datetime(2026, 1, 1, tzinfo=ZoneInfo(zone)).utcoffset() == timedelta(minutes=minutes)


def test_times_after_the_ingest(found: Found) -> None:
    ahead = (datetime.now(UTC) - START).total_seconds() + HOUR
    findings = found({"a.log": log([0, ahead])}, "clock_ahead")
    assert findings.select("severity", "source").rows() == [("error", "a.log")]


def test_the_hour_that_is_there_twice(found: Found) -> None:
    seconds = [*range(0, 2 * HOUR, 10), *range(HOUR, 4 * HOUR, 10)]
    findings = found({"a.log": log(seconds)}, "clock_saving")
    assert findings.height == 1
    assert "an hour is there twice" in findings["message"].item()


def test_times_that_go_back_by_hours(found: Found) -> None:
    findings = found(
        {"a.log": log([*range(20_000, 30_000, 10), *range(0, 9000, 10)])}, "clock_back"
    )
    assert findings["severity"].to_list() == ["warning"]


def test_lines_in_the_order_of_their_end_do_not_go_back(found: Found) -> None:
    rng = random.Random(3)
    seconds = [at - rng.expovariate(1 / 300) for at in range(0, 8 * HOUR, 10)]
    assert (
        found({"a.log": log(seconds)}).filter(pl.col("check").str.starts_with("clock")).is_empty()
    )


def test_lines_in_no_order_are_no_set_clock(found: Found) -> None:
    rng = random.Random(4)
    sources = {
        f"cdn/E1.2026-11-01-{h:02}.0a1b2c3d.gz": log(
            rng.sample(range(h * HOUR, (h + 1) * HOUR), 400)
        )
        for h in range(3)
    }
    findings = found(sources)
    assert findings.filter(pl.col("severity") != "info").is_empty()


# sizes and samples


def bare(count: int, filled: int, basis: str = "content") -> list[Row]:
    return [
        exchange(
            n,
            f"192.0.2.{n % 200}",
            f"/{n}",
            230 if n < filled else 0,
            basis=basis,
            response_status_code=304,
        )
        for n in range(count)
    ]


@pytest.mark.parametrize(
    ("rows", "format_", "severity", "way"),
    [
        (bare(40, 40), "combined", "error", "--format debian-combined"),
        (bare(40, 40), "vhost-combined", "error", "--format debian-vhost-combined"),
        (bare(40, 40), "nginx-json", "error", "--log-format with %O"),
        (bare(40, 1), "combined", "warning", "--format debian-combined"),
        (bare(40, 0, "message"), "debian-combined", "error", "--format combined"),
    ],
)
def test_sizes_that_are_not_what_the_format_says(found: Found, rows: list[Row], format_: str, severity: str, way: str) -> None:  # fmt: skip
    findings = found({"a.log": rows}, "sizes", a={"format": format_})
    assert findings["severity"].to_list() == [severity]
    assert way in findings["next_step"].item()


def test_small_files_of_one_stream_are_judged_together(found: Found) -> None:
    findings = found({f"logs/access-{n}.log": bare(8, 8) for n in range(4)}, "sizes")
    assert findings.select("severity", "source", "count").rows() == [
        ("error", "logs/access-#.log", 32)
    ]


def test_304_without_content_and_with_a_head_are_sound(found: Found) -> None:
    assert found({"a.log": bare(40, 0), "b.log": bare(40, 40, "message")}, "sizes").is_empty()


def test_messages_smaller_than_their_content(found: Found) -> None:
    findings = found(
        {"a.log": [exchange(n, path=f"/{n}", response_size=900) for n in range(5)]}, "sizes"
    )
    assert findings["count"].to_list() == [5]


def test_records_without_a_size(found: Found) -> None:
    findings = found(
        {"a.log": [exchange(n, path=f"/{n}", size=None if n < 5 else 10) for n in range(100)]},
        "unmeasured",
    )
    assert findings.select("severity", "count").rows() == [("warning", 5)]


def test_samples_come_with_their_errors(found: Found) -> None:
    findings = found({"a.log": log(range(400), sample_weight=100.0)}, "sampling")
    assert findings.select("severity", "count").rows() == [("info", 400)]
    assert "40,000 requests ± 5.0 %" in findings["message"].item()  # sqrt(400 * 100 * 99) / 40,000


# the frame


def test_a_period_leaves_out_what_is_beyond(found: Found) -> None:
    rows = [exchange(n, path=f"/{n}", size=None) for n in range(10)]
    findings = found({"a.log": rows, "b.log": log(range(5 * HOUR, 6 * HOUR, 9))}, "unmeasured", since=START + timedelta(seconds=4), until=START + timedelta(hours=1))  # fmt: skip
    assert findings["count"].to_list() == [6]


FINDINGS = st.builds(
    Finding,
    check=st.sampled_from(["gap", "hops"]),
    severity=st.sampled_from(["info", "warning", "error"]),
    source=st.none() | st.sampled_from(["a", "b"]),
    since=st.none() | st.just(START),
    until=st.none() | st.just(START),
    count=st.none() | st.integers(0, 10**9),
    bytes=st.none() | st.integers(0, 10**15),
    message=st.just("m"),
    next_step=st.just("n"),
)


@given(found=st.lists(FINDINGS, max_size=12), most=st.integers(1, 4))
def test_folding_loses_no_count(found: list[Finding], most: int) -> None:
    whole = frame(found)
    short = folded(whole, most)
    assert short.schema == SCHEMA
    assert (
        short.select(pl.col("count", "bytes").sum()).rows()
        == whole.select(pl.col("count", "bytes").sum()).rows()
    )
    assert short.group_by("check", "severity").len()["len"].max() in (None, *range(1, most + 2))
    assert short["severity"].to_physical().is_sorted()


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("logs/access.log", "logs/access.log.12.gz", True),
        ("logs/access.log-20261101.zst", "logs/access.log", True),
        ("s3/E2EXAMPLE.2026-11-01-05.a1b2c3d4.gz", "s3/E2EXAMPLE.2026-11-02-17.0fe2c3d4.gz", True),
        ("logs/2026/11/01/http.log", "logs/2026/11/02/http.log", True),
        ("lake/day=2026-11-01/part.parquet", "lake/day=2026-11-02/part.parquet", True),
        ("logs/01-Nov-2026.log", "logs/02-Dec-2026.log", True),
        ("web1/access.log", "web2/access.log", False),
        ("logs/access.log", "logs/error.log", False),
        ("logs/access.log", "access.log", False),
    ],
)  # fmt: skip
def test_streams(one: str, other: str, same: bool) -> None:
    streams = pl.DataFrame({"name": [one, other]}).select(stream_of(pl.col("name"))).to_series()
    assert (streams[0] == streams[1]) is same
