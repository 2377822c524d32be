"""Rollups equal the records they cover, whatever was done to both."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from store_samples import frame, source

from l7meter.store import (
    Store,
    catalog,
    close,
    compact,
    connect,
    cover,
    expire,
    forget,
    rebuild,
    retain,
    side,
    take_out,
    verify,
)
from l7meter.store import samples as samples_kept
from l7meter.store.rollups import Rollups as Sums
from l7meter.store.samples import ALIKE
from l7meter.store.sampling import keep

START = datetime(2026, 3, 1, tzinfo=UTC)
DAYS = 4
RECORD = st.fixed_dictionaries(
    {
        "ts": st.integers(0, DAYS * 86_400 - 1).map(lambda s: START + timedelta(seconds=s)),
        "client_address": st.sampled_from([None, "192.0.2.1", "192.0.2.2", "2001:db8::1"]),
        "organization": st.sampled_from([None, "Example", "Ünïcode 'quoted'"]),
        "attributable": st.sampled_from([None, True, False]),
        "client_asn": st.sampled_from([None, 64500]),
        "package_ecosystem": st.sampled_from([None, "pypi"]),
        "package_name": st.sampled_from([None, "one", "two"]),
        "url_path": st.sampled_from(["/one", "/two"]),
        "is_download": st.sampled_from([None, True, False]),
        "response_status_code": st.sampled_from([None, 200, 304, 999]),
        "cache_status": st.sampled_from([None, "HIT", "odd"]),
        "server_bytes": st.sampled_from([None, 0, 7, 2**52]),
        "sample_weight": st.sampled_from([None, None, 1.0, 10.0]),
    }
)
SAME = (
    "SELECT {start} AS start, organization, attributable, client_asn, package_ecosystem, {package}"
    "is_download, cache_status, server_bytes_basis, sum({records})::BIGINT AS records, "
    "sum({bytes})::HUGEINT AS octets, sum({unmeasured})::BIGINT AS unmeasured, weight "
    "FROM {table} GROUP BY ALL"
)


_KEPT = ", ".join(ALIKE)
_DAY = "CAST(ts AS DATE)"
_HALF = "hash(server_address, url_path)::DOUBLE / 2.0 ** 64 < 0.5"
SAMPLES = (
    (
        f"SELECT day, {_KEPT}, server_bytes IS NULL, sum(requests), sum(server_bytes)::HUGEINT FROM summed_requests GROUP BY ALL",
        f"SELECT {_DAY}, {_KEPT}, server_bytes IS NULL, count(*), sum(server_bytes)::HUGEINT FROM records GROUP BY ALL",
    ),
    (
        f"SELECT ts, client_address, url_path, server_bytes, object FROM sampled_requests WHERE {_HALF} AND chance_kept >= 0.5",
        f"SELECT ts, client_address, url_path, server_bytes, hash(server_address, url_path) FROM records WHERE {_HALF}",
    ),
)


def records(source_id: str, rows: list[dict[str, Any]]) -> pl.DataFrame:
    """A frame of what was drawn, in order of time."""
    schema = {"ts": pl.Datetime("us", "UTC"), "server_bytes": pl.Int64, "sample_weight": pl.Float64, "attributable": pl.Boolean, "is_download": pl.Boolean, "client_asn": pl.Int64, "response_status_code": pl.Int16}  # fmt: skip
    text = dict.fromkeys(("client_address", "organization", "package_ecosystem", "package_name", "url_path", "cache_status"), pl.String)  # fmt: skip
    basis = pl.when(pl.col("server_bytes").is_not_null()).then(pl.lit("content"))
    return (
        pl.DataFrame(rows, schema={**schema, **text})
        .sort("ts", maintain_order=True)
        .with_columns(
            server_bytes_basis=basis,
            exchange_kind=pl.lit("http"),
            source_id=pl.lit(source_id),
            source_line=pl.int_range(1, pl.len() + 1),
        )
    )


def append(store: Store, source_id: str, rows: list[dict[str, Any]]) -> None:
    frame = records(source_id, rows)
    octets = frame["server_bytes"]
    entry = replace(
        source(source_id, 1),
        lines=len(rows) + 1,
        records=len(rows),
        first_ts=frame["ts"].min(),
        last_ts=frame["ts"].max(),
        unmeasured_records=octets.null_count(),
        server_bytes_content=octets.sum() if octets.count() else None,
    )
    store.append([entry], [store.write("records", frame)])


def sums(path: Path, since: date | None) -> dict[str, list[tuple[Any, ...]]]:
    """What records and rollups say by the hour and by the day, from a day on."""
    found = {}
    where = f" WHERE start >= '{since}'" if since else ""
    with connect(path) as con:
        for unit, table in (("hour", "usage_hourly"), ("day", "usage_daily")):
            package = "package_name, " if unit == "day" else ""
            start = "date_trunc('hour', ts)" if unit == "hour" else "CAST(ts AS DATE)"
            weighted = "(SELECT *, coalesce(sample_weight, 1)::DOUBLE AS weight FROM records)"
            asked = {
                table: (unit, "records", "unmeasured_records", table),
                f"{table} from records": (start, "1", "(server_bytes IS NULL)::INT", weighted),
            }
            for name, (begin, count, unmeasured, rows) in asked.items():
                sql = SAME.format(start=begin, package=package, records=count, bytes="server_bytes", unmeasured=unmeasured, table=rows)  # fmt: skip
                found[name] = sorted(con.execute(f"FROM ({sql}){where}").fetchall(), key=repr)
    return found


class Rollups(RuleBasedStateMachine):
    """Any order of the things that change a store."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(samples_kept, "RATE", 0.5)
        self.path = Path(mkdtemp()) / "store"
        self.store = Store.create(self.path)
        self.names = 0
        self.kept_from: date | None = None

    def teardown(self) -> None:
        self.patch.undo()
        self.store.close()
        shutil.rmtree(self.path.parent)

    @rule(rows=st.lists(RECORD, min_size=1, max_size=8))
    def append(self, rows: list[dict[str, Any]]) -> None:
        if self.kept_from:  # else retention would have to run again
            rows = [row for row in rows if row["ts"].date() >= self.kept_from]
        if rows:
            self.names += 1
            append(self.store, f"{self.names:032x}", rows)

    @rule()
    def cover(self) -> None:
        cover(self.store)

    @rule(day=st.integers(1, DAYS))
    def close(self, day: int) -> None:
        close(self.store, (START + timedelta(days=day)).date())

    @rule()
    def compact(self) -> None:
        compact(self.store)

    @rule(place=st.integers(0, 9))
    def forget(self, place: int) -> None:
        ids = self.store.ledger()["source_id"].to_list()
        if ids and self.kept_from is None:
            forget(self.store, [ids[place % len(ids)]])

    @rule(address=st.sampled_from(["192.0.2.1", "2001:db8::1"]))
    def forget_somebody(self, address: str) -> None:
        if self.kept_from is None:
            take_out(self.store, pl.col("client_address") == address, pl.lit(False), reason="asked")

    @rule()
    def rebuild(self) -> None:
        rebuild(self.store)

    @rule()
    def keep(self) -> None:
        keep(self.store, rows=1)

    @rule()
    def expire(self) -> None:
        expire(self.store, self.store.snapshot())
        there = [path.name for path in (self.store.data / "records").iterdir()]
        samples = [path.name for path in (self.store.data / "samples").glob("*/*")]
        assert {name.replace(".sums.", ".") for name in samples} <= set(there)

    @precondition(lambda self: self.names > 2)
    @rule(day=st.integers(1, DAYS - 1))
    def retain(self, day: int) -> None:
        before = (START + timedelta(days=day)).date()
        said = sums(self.path, None)
        retain(self.store, records=before)
        self.kept_from = max(before, self.kept_from or before)
        after = sums(self.path, None)
        for table in ("usage_hourly", "usage_daily"):
            assert after[table] == said[table], "retention changes no sum"

    @invariant()
    def rollups_are_the_sums_of_records(self) -> None:
        found = sums(self.path, self.kept_from)
        assert found["usage_hourly"] == found["usage_hourly from records"]
        assert found["usage_daily"] == found["usage_daily from records"]

    @invariant()
    def samples_are_of_the_records(self) -> None:
        with connect(self.path) as con:
            for kept, of_records in SAMPLES:
                both = [con.execute(sql).fetchall() for sql in (kept, of_records)]
                assert sorted(both[0], key=repr) == sorted(both[1], key=repr)

    @invariant()
    def nothing_is_wrong(self) -> None:
        assert verify(self.store) == []


Rollups.TestCase.settings = settings(
    max_examples=12,
    stateful_step_count=8,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestRollups = Rollups.TestCase


def day(n: int) -> datetime:
    return START + timedelta(days=n)


def row(at: datetime, **more: Any) -> dict[str, Any]:
    made = {"ts": at, "client_address": "192.0.2.1", "organization": "Example", "attributable": True, "url_path": "/one", "is_download": True, "server_bytes": 100}  # fmt: skip
    return made | more


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "store")


def avoidable(store: Store) -> list[tuple[Any, ...]]:
    with connect(store.path) as con:
        return con.execute("SELECT day, sum(avoidable_bytes)::BIGINT, sum(avoidable_records)::BIGINT FROM usage_daily GROUP BY 1 ORDER BY 1").fetchall()  # fmt: skip


def test_what_was_fetched_again_is_known_of_closed_days(store: Store) -> None:
    hours = [day(0) + timedelta(hours=h) for h in (1, 2, 30, 60)]
    append(store, "a" * 32, [row(at) for at in hours])
    assert avoidable(store) == [(day(n).date(), None, None) for n in range(3)]
    assert close(store, day(2).date()) == [day(0).date(), day(1).date()]
    # an hour later, and not 28 hours later
    assert avoidable(store) == [(day(0).date(), 100, 1), (day(1).date(), 0, 0), (day(2).date(), None, None)]  # fmt: skip


def test_late_records_restate_a_day_and_what_the_next_one_fetched_again(store: Store) -> None:
    append(store, "a" * 32, [row(day(1) + timedelta(hours=1))])
    close(store, day(2).date())
    assert avoidable(store) == [(day(1).date(), 0, 0)]
    append(store, "b" * 32, [row(day(0) + timedelta(hours=20))])
    assert [(s.day, s.state, s.settled) for s in store.days()] == [(day(1).date(), "closed", True)]
    append(store, "c" * 32, [row(day(1) + timedelta(hours=9), url_path="/other")])
    (state,) = store.days()
    assert (state.state, state.settled, state.restatements) == ("restated", False, 1)
    assert close(store, day(2).date()) == [day(0).date(), day(1).date()]
    assert avoidable(store) == [(day(0).date(), 0, 0), (day(1).date(), 100, 1)]
    assert [s.settled for s in store.days()] == [True, True]


def test_a_closed_day_that_gets_an_earlier_neighbour_is_looked_at_again(store: Store) -> None:
    append(store, "a" * 32, [row(day(0) + timedelta(hours=1), url_path="/x"), row(day(1) + timedelta(hours=1))])  # fmt: skip
    close(store, day(2).date())
    append(store, "b" * 32, [row(day(0) + timedelta(hours=20))])
    close(store, day(2).date())
    assert avoidable(store)[1] == (day(1).date(), 100, 1)


def test_a_closed_day_is_looked_at_again_when_the_day_before_it_comes_late(store: Store) -> None:
    append(store, "a" * 32, [row(day(1) + timedelta(hours=1))])
    close(store, day(2).date())
    append(store, "b" * 32, [row(day(0) + timedelta(hours=20))])
    assert close(store, day(2).date()) == [day(0).date(), day(1).date()]
    assert avoidable(store) == [(day(0).date(), 0, 0), (day(1).date(), 100, 1)]


def test_days_of_an_older_store_that_had_one_more_column(store: Store) -> None:
    with catalog.writing(store.catalog) as db:
        side.ensure(db)
        db.execute("ALTER TABLE l7meter_day ADD COLUMN first_figures VARCHAR")
        db.execute("INSERT INTO l7meter_day VALUES ('2020-01-01', '2020-01-03 00:00:00+00', 1, 1, 0, NULL, '{}')")  # fmt: skip
    assert [each.day for each in store.days()] == [date(2020, 1, 1)]
    store.append([source("a")], [store.write("records", frame("a"))])
    close(store, date(2030, 1, 1))
    old, new = store.days()
    assert (old.state, new.state, new.settled, new.restatements) == ("closed", "closed", True, 0)
    store.append([source("b")], [store.write("records", frame("a").with_columns(source_id=pl.lit("b")))])  # fmt: skip
    assert [each.state for each in store.days()] == ["closed", "restated"]


def test_salt_is_made_with_the_store_and_stays(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    with catalog.reading(store.catalog) as db:
        made = side.setting(db, side.SALT)
    store.announce()
    with monkeypatch.context() as patch:
        patch.setattr(catalog, "writing", None)  # what there is to write is written
        assert Sums.of(store).salt == made
    with catalog.writing(store.catalog) as db:
        db.execute("DELETE FROM l7meter_setting")  # as a store of an older l7meter
    salt = Sums.of(store).salt
    assert len(salt) == 32
    assert salt != made
    assert Sums.of(store).salt == salt


def test_another_programs_replacement_of_covered_files_is_not_counted_twice(store: Store) -> None:
    import sqlite3

    append(store, "a" * 32, [row(day(0))])
    cover(store)
    (live,) = store.files("records")
    both = pl.concat(store.read(live, 10))
    store.replace([live], [store.write("records", both)], message="merge")
    with sqlite3.connect(store.catalog) as db:  # as a program would that knows nothing of coverage
        db.execute("UPDATE l7meter_covered SET end_snapshot = NULL")
    with connect(store.path) as con:
        assert con.execute("SELECT sum(records) FROM usage_daily").fetchall() == [(1,)]
    assert [problem.kind for problem in verify(store)] == ["rollup"]
    assert rebuild(store) == 1
    assert verify(store) == []


@pytest.mark.parametrize("count", [1, 12, 300, 5_000, 60_000])
def test_distinct_clients_are_estimated(store: Store, count: int) -> None:
    addresses = [f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in range(count)]
    rows = pl.DataFrame({"ts": [day(n % 3) for n in range(count)], "client_address": addresses})
    frame = rows.sort("ts").with_columns(
        pl.col("ts").cast(pl.Datetime("us", "UTC")),
        exchange_kind=pl.lit("http"),
        source_id=pl.lit("a" * 32),
        source_line=pl.int_range(1, count + 1),
    )
    entry = replace(source("a" * 32, 1), lines=count + 1, records=count, unmeasured_records=count, server_bytes_content=None, first_ts=day(0), last_ts=day(2))  # fmt: skip
    store.append([entry], [store.write("records", frame)])
    estimate = """
        WITH coupons AS (SELECT unnest(string_split(clients, ' '))::INT AS coupon FROM usage_daily),
        registers AS (SELECT coupon >> 6 AS register, max(coupon & 63) AS rank FROM coupons GROUP BY 1)
        SELECT estimated_clients(count(*), sum(pow(2.0, -rank))) FROM registers"""
    found = []
    for sum_up in (lambda: None, lambda: cover(store), lambda: close(store, day(2).date())):
        sum_up()
        with connect(store.path) as con:
            found.append(con.execute(estimate).fetchall()[0][0])
    assert found[1] == found[2]
    assert found[0] == pytest.approx(count, rel=0.03, abs=0.5)  # salted anew: 4 standard errors
