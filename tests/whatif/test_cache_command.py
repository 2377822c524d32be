"""`whatif cache` on stores: what it selects, how it is cut, what it prints."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from typer.testing import CliRunner
from whatif_reference import LOOK, PART, WHOLE, Cache, Request, sizes_of
from whatif_stores import Row, delivery, made, opened

from l7meter.analysis.whatif import Selection, caches, trace
from l7meter.analysis.whatif.answer import Price
from l7meter.analysis.whatif.caches import cache
from l7meter.cli.app import app
from l7meter.errors import UsageError
from l7meter.store import Connection, Store, connect, samples
from l7meter.store.sampling import keep

MB = 1_000_000
STORY = [
    delivery(0, "192.0.2.1", "/a-1.tgz", 5 * MB),
    delivery(10, "192.0.2.2", "/a-1.tgz", 5 * MB),  # another client: the cache has it
    delivery(20, "192.0.2.1", "/b-1.tgz", 3 * MB),
    delivery(30, "192.0.2.1", "/a-1.tgz", 1 * MB, response_status_code=206),  # a range: from the cache
    delivery(40, "192.0.2.1", "/index/", 1000, artifact_kind="index", is_download=False),
    delivery(100, "192.0.2.2", "/index/", 1000, artifact_kind="index", is_download=False),
    delivery(700, "192.0.2.2", "/index/", 200, artifact_kind="index", is_download=False, response_status_code=304),
    delivery(800, "192.0.2.2", "/missing", 700, response_status_code=404),
    delivery(900, "192.0.2.9", "/a-1.tgz", 5 * MB, organization=None, attributable=None),
]  # fmt: skip


def run(*arguments: str | Path):  # type: ignore[no-untyped-def]
    return CliRunner().invoke(app, ["whatif", "cache", *map(str, arguments)])


def test_a_story_is_told(tmp_path: Path) -> None:
    with opened(tmp_path / "store", STORY) as con:
        answer = cache(con, sizes=[4 * MB, None], price=Price.parse("1/MB"))
    rows = {row["cache"]: row for row in answer.rows.to_dicts()}
    unlimited = rows["unlimited"]
    # to the origin: a, b, the index once and its validation, and what is missing
    assert unlimited["origin_bytes"] == 8 * MB + 1000 + 200 + 700
    assert (unlimited["origin_requests"], unlimited["validations"]) == (5, 1)
    assert (unlimited["bytes"], unlimited["requests"]) == (14 * MB + 2900, 8)
    assert unlimited["avoidable_bytes"] == 6 * MB + 1000
    assert unlimited["avoidable_cost"] == pytest.approx(6.0)
    small = rows["given"]  # a has no room, and passes the cache by
    assert (small["cache_size"], small["avoidable_bytes"]) == (4 * MB, 1000)
    enough = rows["for 90 %"]  # a and b, as the range comes after b: 8 MB, to 1.1 %
    assert 8 * MB <= enough["cache_size"] <= 8.1 * MB
    assert enough["avoidable_bytes"] == unlimited["avoidable_bytes"]
    assert any("5.00 MB are of unknown organisations" in note for note in answer.notes)


def test_lifetimes_are_as_told(tmp_path: Path) -> None:
    with opened(tmp_path / "store", STORY) as con:

        def validations(**lifetimes: timedelta | None) -> tuple[int, int]:
            given = {**caches.LIFETIMES, **lifetimes}
            (row,) = cache(con, sizes=[None], lifetimes=given).rows.to_dicts()
            return row["validations"], row["avoidable_bytes"]

        assert validations(index=timedelta(minutes=20)) == (0, 6 * MB + 1200)
        assert validations(index=timedelta(0)) == (2, 6 * MB + 1000 - 200)
        assert validations(index=None) == (0, 6 * MB)
        assert validations(index=None, artifact=None) == (0, 0)


def many(count: int = 2500) -> list[Row]:
    """Requests of five organisations (one of them unknown) for 60 objects, of all kinds of answers."""
    random = np.random.default_rng(11)
    rows = []
    for n in range(count):
        number = int(random.zipf(1.4)) % 60
        organization = int(random.integers(0, 5))
        status = int(random.choice([200, 200, 200, 206, 304, 404]))
        size = 1000 * (1 + number * 7 % 50) if number % 2 else 2000 + n // 100
        octets = {200: size, 206: size // 3, 304: 150, 404: 90}[status]
        rows.append(
            delivery(
                n * 7.5, f"192.0.2.{n % 9}", f"/o{number}", octets if n % 97 else None,
                artifact_kind="artifact" if number % 2 else "index", response_status_code=status,
                organization=f"O{organization}" if organization else None, attributable=organization > 1 or None,
            )
        )  # fmt: skip
    return rows


@pytest.fixture(scope="module")
def con(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    with opened(tmp_path_factory.mktemp("whatif") / "store", many()) as connection:
        yield connection


SIZES = (20_000, 100_000, 400_000, None)


def reference(organization: str, size: int | None) -> tuple[int, int, int]:
    """Requests and octets that go to the origin, and validations."""
    mine = [row for row in many() if row["organization"] == organization]
    measured = [row["server_bytes"] for row in many() if row["response_status_code"] == 304]
    unchanged = round(np.mean([octets for octets in measured if octets is not None]))
    requests = []
    passed = passed_octets = 0
    for row in mine:
        status, octets = row["response_status_code"], row["server_bytes"]
        if status == 404 or octets is None:
            passed, passed_octets = passed + 1, passed_octets + (octets or 0)
            continue
        action = {200: WHOLE, 206: PART, 304: LOOK}[status]
        moment = round(row["ts"].timestamp() * 1e6)
        requests.append(Request(0, moment, int(str(row["url_path"])[2:]), action, octets))
    lifetimes = {each.key: float("inf") if each.key % 2 else 600e6 for each in requests}
    room = float("inf") if size is None else size
    simulated = Cache(room, lifetimes, sizes_of(requests), unchanged)
    for request in requests:
        simulated.see(request)
    return simulated.asked + passed, simulated.octets + passed_octets, simulated.validations


def test_each_organisation_is_served_as_the_reference_serves_it(con: Connection) -> None:
    rows = cache(con, sizes=SIZES).rows
    found = {(row["organization"], row["cache"], row["cache_size"]): row for row in rows.to_dicts()}
    for number, size in product(range(1, 5), SIZES):
        row = found[f"O{number}", "given" if size else "unlimited", size]
        expected = reference(f"O{number}", size)
        assert (row["origin_requests"], row["origin_bytes"], row["validations"]) == expected


@pytest.mark.parametrize("rows", [50, 600])
def test_it_does_not_matter_how_the_trace_is_cut(con: Connection, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    for by, sizes in product(("organization", "all", "host", "agent-kind"), (SIZES, (None,))):
        whole = cache(con, by=by, sizes=sizes).rows
        with monkeypatch.context() as patch:
            patch.setattr(caches, "PART_ROWS", rows)
            patch.setattr(trace, "BATCH_ROWS", 333)
            assert_frame_equal(cache(con, by=by, sizes=sizes).rows, whole)


def test_unlimited_alone_is_the_same_as_among_others(con: Connection) -> None:
    among = cache(con, sizes=SIZES).rows.filter(cache="unlimited")
    assert_frame_equal(cache(con, sizes=[None]).rows, among)


def test_what_is_selected_is_what_is_looked_at(con: Connection) -> None:
    alone = cache(con, Selection(only=(("organization", "O3"),)), sizes=SIZES).rows
    # what a 304 costs is the mean of those selected, here always the same
    among = cache(con, sizes=SIZES).rows.filter(organization="O3")
    assert_frame_equal(alone, among)
    day = Selection(since=datetime(2026, 11, 1, 1, tzinfo=UTC), until=datetime(2026, 11, 1, 3, tzinfo=UTC))  # fmt: skip
    assert cache(con, day, by="all", sizes=[None]).rows["requests"][0] == 2 * 3600 / 7.5
    limited = cache(con, limit=2, sizes=[None])
    assert limited.rows.height == 2
    assert any(note.startswith("2 more") for note in limited.notes)


def test_larger_caches_save_no_less(con: Connection) -> None:
    """Of objects that never change, and are fetched whole."""
    only = Selection(only=(("organization", "O2"),))
    lasting = {**caches.LIFETIMES, "index": None}
    rows = cache(con, only, sizes=[*range(60_000, 600_000, 20_000), None], lifetimes=lasting).rows
    saved = rows.filter(pl.col("cache") != "for 90 %")["avoidable_requests"].to_list()
    assert saved == sorted(saved)
    assert saved[0] < saved[-1]


def test_a_sample_of_all_is_exact(con: Connection) -> None:
    whole = cache(con, sizes=SIZES).rows
    sampled = cache(con, sizes=SIZES, sample=1.0).rows
    assert sampled["avoidable_error_bytes"].to_list() == [0] * sampled.height
    assert_frame_equal(sampled.drop("avoidable_error_bytes"), whole)


def test_samples_estimate_without_bias_and_say_how_well(tmp_path: Path) -> None:
    """Many independent samples: those of other names for the same objects."""
    random = np.random.default_rng(3)
    keys = random.zipf(1.2, 6000) % 1500
    octets = (1000 * np.exp(random.normal(size=1500))).astype(int)
    errors, stated = [], []
    for name in range(24):
        rows = [delivery(n, path=f"/{name}/{key}", size=int(octets[key])) for n, key in enumerate(keys)]  # fmt: skip
        with opened(tmp_path / str(name), rows) as con:
            (exact,) = cache(con, sizes=[None]).rows.to_dicts()
            (sampled,) = cache(con, sizes=[None], sample=0.1).rows.to_dicts()
        errors.append(sampled["avoidable_bytes"] - exact["avoidable_bytes"])
        stated.append(sampled["avoidable_error_bytes"])
    spread = np.sqrt(np.mean(np.square(stated)))
    assert abs(np.mean(errors)) < 3 * spread / np.sqrt(len(errors))
    assert 0.6 < np.std(errors) / spread < 1.5  # 24 draws: a chi of 23 degrees stays in there


def test_rows_without_time_or_path_pass_by(tmp_path: Path) -> None:
    rows = [*STORY, delivery(0, path="/x", size=7) | {"ts": None}, delivery(0, size=9) | {"url_path": None}]  # fmt: skip
    with opened(tmp_path / "store", rows) as con:
        (row,) = cache(con, sizes=[None]).rows.to_dicts()
    assert row["bytes"] == 14 * MB + 2900 + 16
    assert row["avoidable_bytes"] == 6 * MB + 1000


def test_an_empty_selection_has_no_rows(con: Connection) -> None:
    assert cache(con, Selection(only=(("organization", "nobody"),))).rows.height == 0


def test_the_command_prints_what_the_function_gives(tmp_path: Path) -> None:
    store = made(tmp_path / "store", STORY)
    told = json.loads(run("--store", store, "--sizes", "4MB,inf", "-o", "json").stdout)
    assert [row["cache"] for row in told["rows"]] == ["given", "unlimited", "for 90 %"]
    assert told["rows"][1]["avoidable_bytes"] == 6 * MB + 1000
    assert any("304" in text for text in told["assumptions"])
    table = run("--store", store)
    assert "Assumed" in table.stdout
    assert "Example Ltd" in table.stdout
    csv = run("--store", store, "--organization", "Example Ltd", "--sizes", "inf", "-o", "csv")
    assert csv.stdout.splitlines()[1].startswith("Example Ltd,organization,unlimited,,14002900,6001000,")  # fmt: skip
    assert "Assumed: The cache is empty" in csv.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--sizes", "big"], "10GB"),
        (["--sizes", "0"], "give sizes such as"),
        (["--ttl", "index"], "KIND=TIME"),
        (["--ttl", "indx=5m"], "no kind indx"),
        (["--by", "organisation"], "did you mean organization?"),
        (["--only", "asn"], "DIMENSION=VALUE"),
        (["--policy", "opt"], "there are lru"),
        (["--sample", "0"], "above 0"),
        (["--price", "cheap"], "0.08/GB"),
    ],
)
def test_what_names_nothing_is_told(tmp_path: Path, arguments: list[str], said: str) -> None:
    done = run("--store", made(tmp_path / "store", STORY), *arguments)
    assert isinstance(done.exception, UsageError)
    assert said in str(done.exception)


@pytest.mark.parametrize(
    "by", ["organization", "asn", "host", "agent-kind", "address", "network", "all"]
)
@pytest.mark.parametrize(
    "selection",
    [
        Selection(),
        Selection(since=datetime(2026, 11, 1, tzinfo=UTC), until=datetime(2026, 11, 2, tzinfo=UTC)),
        Selection(since=datetime(2026, 11, 1, 0, 0, 25, tzinfo=UTC)),
        Selection(since=datetime(2026, 11, 2, tzinfo=UTC)),
        Selection(only=(("organization", "Example Ltd"), ("address", "192.0.2.2"))),
        Selection(only=(("organization", "Example Ltd"),)),
    ],
)  # fmt: skip
def test_kept_samples_and_sums_change_no_answer(
    tmp_path: Path, by: str, selection: Selection, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made(tmp_path / "store", [*STORY, delivery(90_000, "192.0.2.2", "/b-1.tgz", 3 * MB)])
    for module in (samples, trace):
        monkeypatch.setattr(module, "RATE", 1.0)
    answers = []
    for _ in range(2):
        with connect(path, locked=True) as con:
            answers.append([cache(con, selection, by=by, limit=None, sample=each) for each in (None, 1.0)])  # fmt: skip
        with Store.open(path) as store:
            keep(store, rows=1)
    for before, after in zip(*answers, strict=True):
        assert_frame_equal(before.rows, after.rows)
        assert before.notes == after.notes
    exact, sampled = (each.rows for each in answers[1])
    assert_frame_equal(exact, sampled.drop("avoidable_error_bytes"))


def test_a_kept_sample_is_what_is_read(tmp_path: Path) -> None:
    rows = [delivery(n, path=f"/{n % 400}.tgz") for n in range(2000)]
    path = made(tmp_path / "store", rows)
    with connect(path) as con:
        asked = cache(con, sample=0.01)
    with Store.open(path) as store:
        assert keep(store, rows=1) == 1
    with connect(path) as con:
        con.execute("CREATE TEMP VIEW records AS SELECT * FROM rejects LIMIT 0")  # nobody asks it
        assert_frame_equal(cache(con, sample=0.01).rows, asked.rows)
