"""Compaction, expiry and repair: what they keep, and what a process that dies in them leaves."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest
import store_worker
from hypothesis import given
from hypothesis import strategies as st
from store_samples import frame, rejects, source

from l7meter.errors import StoreError, UsageError
from l7meter.store import (
    LiveFile,
    Store,
    compact,
    connect,
    expire,
    maintenance,
    repair,
    retain,
    verify,
)
from l7meter.store.catalog import writing
from l7meter.store.maintenance import _groups, mergeable, oldest_needed

SUMS = "SELECT source_id, count(*), sum(server_bytes) FROM records GROUP BY ALL ORDER BY ALL"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store.create(tmp_path / "store")
    for name in "abcdef":
        files = [store.write("records", frame(name)), store.write("rejects", rejects(name, 2))]
        store.append([source(name, 20, 2)], files)
    store.close()
    return store


def sums(store: Store) -> list[tuple[object, ...]]:
    with connect(store.path) as con:
        rows: list[tuple[object, ...]] = con.execute(SUMS).fetchall()
    return rows


def listed(store: Store) -> list[Path]:
    return sorted(path for path in store.data.rglob("*") if path.is_file())


FILES = st.lists(
    st.tuples(st.integers(1, 9), st.integers(1, 9)).map(
        lambda sizes: LiveFile(0, "records", "", sizes[0], sizes[1], None, None, None)
    )
)


@given(files=FILES, max_bytes=st.integers(9, 30), max_rows=st.integers(9, 30))
def test_groups_keep_order_and_limits_and_are_as_large_as_they_may(
    files: list[LiveFile], max_bytes: int, max_rows: int
) -> None:
    files = [file._replace(file_id=number) for number, file in enumerate(files)]
    groups = list(_groups(files, max_bytes, max_rows))
    taken = [file.file_id for group in groups for file in group]
    assert taken == sorted(set(taken))
    for group in groups:
        assert len(group) > 1
        assert sum(f.size_bytes for f in group) <= max_bytes
        assert sum(f.rows for f in group) <= max_rows
        begin, end = group[0].file_id, group[-1].file_id + 1
        assert files[begin:end] == group
        wider = files[begin : end + 1]
        assert (
            len(wider) == len(group)
            or sum(f.size_bytes for f in wider) > max_bytes
            or sum(f.rows for f in wider) > max_rows
        )


def test_compaction_says_how_far_it_is(store: Store) -> None:
    told: list[tuple[int, int]] = []
    assert [len(group) for group in mergeable(store, max_rows=50)] == [2, 2, 2]
    compact(store, max_rows=50, report=lambda done, total: told.append((done, total)))
    assert told == [(2, 6), (4, 6), (6, 6)]


DIE = """
import os, sys
from l7meter.store import Store, compact, expire, maintenance
place, path = sys.argv[1:]
store = Store.open(path)
if place == "expire":
    compact(store)
    maintenance._remove = lambda *_: os._exit(9)
    expire(store, store.snapshot())
elif place == "second commit":
    replace, calls = Store.replace, []
    def once(*arguments, **named):
        calls.append(1)
        return replace(*arguments, **named) if len(calls) == 1 else os._exit(9)
    Store.replace = once
    compact(store, max_rows=50)
else:
    setattr(*{"written": (maintenance, "finish"), "named": (Store, "replace")}[place], lambda *_, **__: os._exit(9))
    compact(store)
"""


@pytest.mark.parametrize("place", ["written", "named", "second commit", "expire"])
def test_killed_care_leaves_orphans_only(store: Store, place: str) -> None:
    before = sums(store)
    child = subprocess.run([sys.executable, "-c", DIE, place, str(store.path)], check=False)
    assert child.returncode == 9
    assert {problem.kind for problem in verify(store)} == {"orphan"}
    assert repair(store)
    assert verify(store) == []
    assert sums(store) == before


def test_killed_at_any_time_compaction_loses_nothing(store: Store) -> None:
    before = sums(store)
    code = "import sys; from l7meter.store import Store, compact; s = Store.open(sys.argv[1]); print('go', flush=True); [compact(s, max_rows=n) for n in (50, 90, 999)]"  # fmt: skip
    for _ in range(2):
        child = subprocess.Popen(
            [sys.executable, "-c", code, str(store.path)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert child.stdout is not None
        child.stdout.readline()
        child.kill()
        child.communicate()
        assert {problem.kind for problem in verify(store)} <= {"orphan"}
        assert sums(store) == before
    repair(store)
    assert verify(store) == []


def test_dry_run_of_expiry_names_what_would_go(store: Store) -> None:
    compact(store)
    files, snapshots = listed(store), store.info()["snapshots"]
    named = expire(store, store.snapshot(), dry_run=True)
    assert listed(store) == files
    assert store.info()["snapshots"] == snapshots
    assert expire(store, store.snapshot()) == named
    assert listed(store) == sorted(set(files) - set(named))


def test_reader_of_expired_files_gets_an_error_and_no_sum(store: Store) -> None:
    con = connect(store.path)
    late = connect(store.path)
    assert con.execute("SELECT count(*) FROM records").fetchall() == [(120,)]
    compact(store)
    expire(store, store.snapshot())
    for reader in (con, late):
        with pytest.raises(duckdb.Error, match=r"No files found|No such file|Cannot open"):
            reader.execute("SELECT sum(server_bytes) FROM records").fetchall()


def test_files_that_cannot_be_removed_are_left_to_repair(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    compact(store)
    with monkeypatch.context() as patch:

        def refused(path: Path, *, missing_ok: bool = False) -> None:
            raise PermissionError(1, "Operation not permitted")

        patch.setattr(Path, "unlink", refused)
        with pytest.raises(StoreError, match=r"6 files cannot be removed .*'l7meter store repair'"):
            expire(store, store.snapshot())
    assert {problem.kind for problem in verify(store)} == {"orphan"}
    store.close()
    assert len(repair(store)) == 6


def test_either_a_snapshot_or_an_instant_is_to_be_kept(store: Store) -> None:
    for arguments in ({}, {"keep": 1, "before": datetime.now(UTC)}):
        with pytest.raises(UsageError, match="not both"):
            expire(store, **arguments)  # type: ignore[arg-type]


NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def dated(store: Store, hours: list[float]) -> None:
    """Give the snapshots, from the first, these times in hours after noon."""
    with writing(store.catalog) as db:
        for number, each in enumerate(hours):
            moment = (NOON + timedelta(hours=each)).strftime("%Y-%m-%d %H:%M:%S.%f+00")
            db.execute("UPDATE ducklake_snapshot SET snapshot_time = ? WHERE snapshot_id = ?", (moment, number))  # fmt: skip


@pytest.mark.parametrize(
    ("hours", "before", "oldest"),
    [
        ([0, 1, 2, 3, 4, 5, 6, 7], -1, 0),  # all are later
        ([0, 1, 2, 3, 4, 5, 6, 7], 0, 0),
        ([0, 1, 2, 3, 4, 5, 6, 7], 3.5, 3),  # was the latest at half past
        ([0, 1, 2, 3, 4, 5, 6, 7], 3, 3),
        ([0, 1, 2, 3, 4, 5, 6, 7], 99, 7),
        ([0, 1, 9, 3, 4, 5, 6, 7], 6.5, 1),  # the clock went back
        ([0, 1, 2, 3, -9, 5, 6, 7], 2.5, 2),
    ],
)
def test_oldest_snapshot_that_was_the_latest_since(
    store: Store, hours: list[float], before: float, oldest: int
) -> None:
    dated(store, hours)
    moment = NOON + timedelta(hours=before)
    assert oldest_needed(store, moment) == oldest
    expire(store, before=moment)
    assert store.info()["snapshots"] == 8 - oldest
    assert connect(store.path, snapshot=oldest) is not None
    assert verify(store) == []


def test_worker_and_compaction_at_once_count_all(store: Store) -> None:
    names = [f"w{i}" for i in range(12)]
    worker = subprocess.Popen(
        [sys.executable, store_worker.__file__, str(store.path), *names],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "POLARS_MAX_THREADS": "1"},
    )
    assert worker.stdout is not None
    for line in worker.stdout:
        if line.startswith("committed"):
            compact(store)
            compact(store, "rejects")
    assert worker.wait() == 0
    assert store.info()["records_rows"] == 120 + store_worker.ROWS * len(names)
    assert verify(store) == []


def test_orphans_of_a_writer_at_work_outlive_a_repair_during_compaction(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish: Callable[..., object] = maintenance.finish
    removed: list[Path] = []

    def meanwhile(partial: Path, *arguments: object) -> object:
        removed.extend(repair(Store.open(store.path)))
        return finish(partial, *arguments)

    monkeypatch.setattr(maintenance, "finish", meanwhile)
    assert len(compact(store)) == 1
    assert removed == []
    assert verify(store) == []


def days_of(store: Store) -> Store:
    """Sources of three days, two hours each; the first hour begins just before its day does."""
    for day in (1, 2, 3):
        for part in (0, 1):
            name = f"day{day} part{part}"
            moved = datetime(2026, 4, day, 12 * part, tzinfo=UTC) - frame(name)["ts"][0]
            moved -= timedelta(seconds=3)
            row = source(name)
            assert row.first_ts
            assert row.last_ts
            row = replace(row, first_ts=row.first_ts + moved, last_ts=row.last_ts + moved)
            store.append([row], [store.write("records", frame(name).with_columns(pl.col("ts") + moved))])  # fmt: skip
    store.close()
    return store


def test_days_stay_apart_so_that_retention_has_little_to_write(tmp_path: Path) -> None:
    store = days_of(Store.create(tmp_path / "store"))
    groups = mergeable(store, by_day=True)
    # each day's first file begins on the day before
    assert [[f.lower[8:10] for f in group if f.lower] for group in groups] == [["01", "01"], ["02", "02"]]  # fmt: skip
    compact(store, by_day=True)
    before = {f.name for f in store.files("records")}
    assert retain(store, records=date(2026, 4, 2)).records == 40 + 3
    after = {f.name: f.rows for f in store.files("records")}
    assert sum(rows for name, rows in after.items() if name not in before) == 20 - 3
    assert verify(store) == []


def test_once_retention_was_at_work_days_stay_apart(tmp_path: Path) -> None:
    store = days_of(Store.create(tmp_path / "store"))
    assert [len(group) for group in mergeable(store)] == [6]
    retain(store, records=date(2026, 4, 1))
    assert [len(group) for group in mergeable(store)] == [3, 2]


def test_only_the_last_day_is_balanced(tmp_path: Path) -> None:
    store = days_of(Store.create(tmp_path / "store"))
    large = frame("large", 500).with_columns(
        pl.lit(datetime(2026, 4, 2, 1, tzinfo=UTC)).alias("ts")
    )
    store.append([source("large", 500)], [store.write("records", large)])
    assert [len(group) for group in mergeable(store, balanced=True)] == [6]
    assert [len(group) for group in mergeable(store, balanced=True, by_day=True)] == [2, 3]
