"""Every query gives the same from rollups, from records and from both, before and after retention."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from rolled import FIRST, STATES, all_closed, all_covered, append, filled, one_salt  # noqa: F401

from l7meter.analysis.catalogue import Query, catalogue, run
from l7meter.store import Connection, Store, connect, retain

QUERIES = catalogue()
ROLLED_UP = [q for q in QUERIES if re.search(r"\busage(_by_hour\(|_daily\b|\()", q.sql)]
PERIODS: dict[str, dict[str, object]] = {
    "all": {},
    "until": {"until": FIRST + timedelta(days=2)},
    "days": {"since": FIRST + timedelta(days=1), "until": FIRST + timedelta(days=3)},
    "hours": {"since": FIRST + timedelta(hours=20), "until": FIRST + timedelta(hours=53)},
    "in an hour": {
        "since": FIRST + timedelta(hours=20, minutes=17),
        "until": FIRST + timedelta(hours=53, minutes=41),
    },
    "less than an hour": {
        "since": FIRST + timedelta(hours=30, minutes=5),
        "until": FIRST + timedelta(hours=30, minutes=50),
    },
    "nothing": {"since": FIRST + timedelta(days=90)},
}
WHOLE_DAYS = ["all", "until", "days"]
FEW = ("by_hour", "packages", "growth", "daily_clients")  # each reads its period in its own way


@pytest.fixture(scope="module", params=[1])
def seed(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture(scope="module")
def plain(seed: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """A store where nothing is rolled up: what all others are held against."""
    path = tmp_path_factory.mktemp("plain") / "store"
    filled(path, seed).close()
    with connect(path, locked=True) as connection:
        yield connection


@pytest.fixture(scope="module", params=[*STATES, "half covered", "late"])
def rolled_up(
    request: pytest.FixtureRequest, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Connection]:
    """The same records in another state; `before`: all is closed by now, asked as of before that."""
    path = tmp_path_factory.mktemp("rolled") / "store"
    snapshot = None
    if request.param in ("half covered", "late"):
        with Store.create(path) as store:
            append(store, 10 * seed)
            (all_covered if request.param == "half covered" else all_closed)(store)
            append(store, 10 * seed + 1)
    else:
        with filled(path, seed) as store:
            snapshot = store.snapshot() if request.param == "before" else None
            STATES[request.param](store)
    with connect(path, snapshot=snapshot, locked=True) as connection:
        yield connection


def answer(connection: Connection, query: Query, given: Mapping[str, object]) -> pl.DataFrame:
    known = {parameter.name for parameter in query.parameters}
    asked = {"limit": 2, "agents": 2, "platforms": 2, **given}
    result = run(connection, query, {k: v for k, v in asked.items() if k in known})
    closed = [name for name in result.columns if name.startswith(("avoidable_", "open_"))]
    return result.drop(closed)  # of closed days only, by intent


def asked(period: str) -> list[Query]:
    """All queries once; those that read no rollup cannot differ by period."""
    if period == "in an hour":
        return QUERIES
    if period in ("all", "days"):
        return ROLLED_UP
    return [query for query in ROLLED_UP if query.name in FEW]


_EXPECTED: dict[tuple[int, str, str], pl.DataFrame] = {}


def expected(plain: Connection, query: Query, period: str) -> pl.DataFrame:
    """The answer from records alone, asked once for all states."""
    key = id(plain), query.name, period
    if key not in _EXPECTED:
        _EXPECTED[key] = answer(plain, query, PERIODS[period])
    return _EXPECTED[key]


@pytest.mark.parametrize("period", PERIODS)
def test_every_state_gives_the_same(plain: Connection, rolled_up: Connection, period: str) -> None:
    for query in asked(period):
        if query.name in ("data_quality", "avoidable"):
            continue  # of the ledger; ranked by what only closed days tell
        before = expected(plain, query, period)
        after = answer(rolled_up, query, PERIODS[period])
        assert_frame_equal(before, after, check_exact=False, rel_tol=1e-12)


@pytest.mark.parametrize("period", WHOLE_DAYS)
def test_what_is_rolled_up_outlives_its_records(
    plain: Connection, seed: int, period: str, tmp_path: Path
) -> None:
    with filled(tmp_path / "store", seed) as store:
        retain(store, records=(FIRST + timedelta(days=2, hours=12)).date())
    with connect(tmp_path / "store", locked=True) as connection:
        left = connection.execute("SELECT min(ts) FROM records").fetchall()
        assert left >= [(FIRST + timedelta(days=2),)]
        for query in ROLLED_UP:
            if query.name == "avoidable":
                continue  # ranked by what only closed days tell
            before = expected(plain, query, period)
            after = answer(connection, query, PERIODS[period])
            assert_frame_equal(before, after, check_exact=False, rel_tol=1e-12)


def test_these_queries_read_rollups() -> None:
    """What a foundation asks of years that are gone; a query that no longer does, says so here."""
    assert {query.name for query in ROLLED_UP} == {
        *("agent_kinds", "ai_share", "artifact_kinds", "attribution_split", "avoidable"),
        *(
            "by_day",
            "by_hour",
            "cache_mix",
            "ci_ai_growth",
            "ci_share",
            "daily_clients",
            "ecosystems",
            "growth",
        ),
        *(
            "network_kinds",
            "packages",
            "sampling",
            "sudden_consumers",
            "top_asns",
            "top_organizations",
            "week_on_week",
        ),
    }
