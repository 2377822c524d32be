"""The batch job: again and again to the same end, one at a time, made good when it was cut short."""

from __future__ import annotations

import gzip
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from jobbing import DAY, NOW, Job, line

from l7meter.attribution import Attribution
from l7meter.errors import StoreError, UsageError
from l7meter.job import steps
from l7meter.job.lock import Busy, alone, holder
from l7meter.store import verify
from l7meter.store.history import begin, last_runs

REPORT = """
[[report]]
name = "days"
query = "by_day"
"""
ONE, LATER = timedelta(days=1), NOW + timedelta(days=1)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    job = Job(tmp_path, REPORT)
    job.log("cdn-1", line(DAY), line(DAY + ONE, 2))
    return job


# Once


def test_second_run_changes_nothing(job: Job) -> None:
    assert job.run().exit_code == 0
    before, sums, ledger = job.store.snapshot(), job.sums(), job.store.ledger()
    again = job.run()
    assert (again.exit_code, again.problems) == (0, [])
    assert again.parts["sources"][0]["known_sources"] == 1
    assert again.parts["reports"] == []
    assert job.store.snapshot() == before
    assert job.sums() == sums
    assert job.store.ledger().equals(ledger)


def test_result_says_what_was_done(job: Job) -> None:
    said = job.run().as_dict()
    assert (said["run"], said["exit_code"], said["failed_at"]) == (1, 0, None)
    (source,) = said["sources"]
    assert (source["name"], source["files"], source["records"]) == ("cdn", 1, 2)
    assert said["days"]["closed"] == ["2026-11-01", "2026-11-02"]
    assert [(each["period"], each["state"]) for each in said["reports"]] == [("2026-11-01", "written"), ("2026-11-02", "written")]  # fmt: skip
    assert last_runs(job.store)[0].exit_code == 0
    assert last_runs(job.store)[0].result["sources"] == said["sources"]


def test_dry_run_writes_nothing_where_there_is_no_store(job: Job) -> None:
    before = job.tree()
    result = job.run(dry_run=True)
    assert result.exit_code == 0
    assert result.parts["sources"][0]["sources"] == 1
    assert job.tree() == before


def test_dry_run_writes_nothing_where_much_is_due(job: Job) -> None:
    job.run()
    job.log("cdn-2", line(DAY, 3), line(DAY + 7 * ONE))
    before = job.tree()
    result = job.run(LATER + timedelta(days=300), dry_run=True)
    assert result.parts["sources"][0]["sources"] == 2  # of a young file it is not known that it was read  # fmt: skip
    assert result.parts["retention"]["records"] == 2
    assert job.tree() == before


# One at a time

HOLD = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from l7meter.job.lock import alone
with alone(Path(sys.argv[1]), datetime.now(UTC)):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held(store: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock."""
    with subprocess.Popen([sys.executable, "-c", HOLD, store], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:  # fmt: skip
        assert other.stdout
        assert other.stdout.readline() == "held\n"
        yield other
        other.kill()


def test_second_process_does_nothing(job: Job) -> None:
    job.run()
    with held(job.folder / "store") as other:
        job.log("cdn-2", line(DAY))
        before = job.tree()
        with pytest.raises(Busy, match=str(other.pid)) as busy:
            job.run()
        assert busy.value.exit_code == 5
        assert job.tree() == before
        other.send_signal(signal.SIGKILL)
        other.wait()
        assert holder(job.folder / "store") is None
        assert job.run().exit_code == 0


def test_who_looks_at_the_lock_does_not_take_it(job: Job) -> None:
    job.run()
    path = job.folder / "store"
    assert holder(path) is None
    with alone(path, NOW):
        assert str(os.getpid()) in (holder(path) or "")
        with pytest.raises(Busy), alone(path, NOW):
            pass
    assert holder(path) is None


# Cut short


def test_run_that_died_is_told(job: Job, caplog: pytest.LogCaptureFixture) -> None:
    job.run()
    begin(job.store, NOW)
    with caplog.at_level(logging.WARNING, "l7meter.job"):
        result = job.run(LATER)
    assert result.parts["died"] == 2
    assert "run 2, begun 2026-11-10 02:30, never ended" in caplog.text
    assert "died" not in job.run(LATER).parts


CUT = """
import signal, sys
from datetime import datetime
from pathlib import Path
from l7meter.job.config import read
from l7meter.job.run import run

def stop(*_):
    raise KeyboardInterrupt

if sys.argv[3] == "handled":
    signal.signal(signal.SIGTERM, stop)

def progress(source):
    if source.name.endswith("cdn-3.log"):
        print("at work", flush=True)
        sys.stdin.read()

run(read(Path(sys.argv[1])), now=datetime.fromisoformat(sys.argv[2]), progress=progress)
"""


@pytest.mark.parametrize(("how", "signal_"), [("handled", signal.SIGTERM), ("as it is", signal.SIGTERM), ("as it is", signal.SIGKILL)])  # fmt: skip
def test_run_that_is_ended_from_outside_leaves_a_whole_store(
    how: str, signal_: signal.Signals, job: Job, tmp_path: Path
) -> None:
    job.run()
    for number in range(2, 6):
        job.log(f"cdn-{number}", line(DAY, number), line(DAY + number * ONE))
    arguments = [sys.executable, "-c", CUT, job.file, NOW.isoformat(), how]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as other:  # fmt: skip
        assert other.stdout
        assert other.stdout.readline() == "at work\n"
        other.send_signal(signal_)
        other.wait()
    assert other.returncode
    (past, _) = last_runs(job.store, 2)
    assert past.exit_code == (130 if how == "handled" else None)
    assert [each for each in verify(job.store) if each.kind != "orphan"] == []
    assert job.run().exit_code == 0
    assert verify(job.store) == []
    clean = Job(tmp_path / "clean")
    for log in job.logs.iterdir():
        (clean.logs / log.name).write_bytes(log.read_bytes())
    clean.run()
    assert job.sums() == clean.sums()


def test_fault_of_a_step_is_said_and_the_others_go_on(
    job: Job, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> Any:
        raise KeyError("nobody thought of this")

    monkeypatch.setattr(steps, "sum_up", broken)
    result = job.run()
    assert (result.exit_code, result.failed_at) == (1, "days")
    assert "nobody thought of this" in result.problems[0]
    assert "Traceback" in caplog.text
    assert {"sources", "retention"} <= result.parts.keys()
    assert last_runs(job.store)[0].exit_code == 1
    monkeypatch.undo()
    assert job.run().exit_code == 0


# The clock


@pytest.mark.parametrize("wrong", [NOW + timedelta(days=400), NOW - timedelta(days=1)], ids=["leapt", "back"])  # fmt: skip
def test_clock_that_is_wrong_deletes_nothing(wrong: datetime, tmp_path: Path) -> None:
    job = Job(tmp_path, '\n\n[retention]\nrecords = "30d"\nrejects = "1d"\nsnapshots = "1d"\n')
    job.log("cdn", line(date(2026, 10, 25)), "no record\n" * 9)
    job.run()
    rows, snapshots = job.ask("SELECT count(*) FROM records"), job.store.info()["snapshots"]
    result = job.run(wrong)
    assert "nothing is deleted" in result.parts["clock"]
    assert {"retention", "snapshots"}.isdisjoint(result.parts)
    assert job.ask("SELECT count(*) FROM records") == rows == [(1,)]
    assert job.store.info()["snapshots"] >= snapshots


def test_records_go_when_their_time_has_come(tmp_path: Path) -> None:
    job = Job(tmp_path, '\n\n[retention]\nrecords = "30d"\n')
    job.log("cdn", line(date(2026, 10, 25)), line(DAY))
    job.run()
    assert job.run(NOW + 16 * ONE).parts["retention"]["records"] == 1
    assert job.ask("SELECT CAST(ts AS DATE) FROM records") == [(DAY,)]
    kept = "SELECT day, CAST(sum(records) AS BIGINT) FROM usage_daily GROUP BY 1 ORDER BY 1"
    assert job.ask(kept) == [(date(2026, 10, 25), 1), (DAY, 1)]
    assert verify(job.store) == []


# Part of the time


def test_since_and_until_leave_files_out_and_delete_nothing(tmp_path: Path) -> None:
    job = Job(tmp_path, '\n\n[retention]\nrecords = "4d"\n')
    for number in (1, 2, 3):
        path = job.log(f"cdn-{number}", line(DAY + number * ONE, number))
        written = datetime(2026, 11, number + 2, tzinfo=UTC).timestamp()
        os.utime(path, (written, written))
    result = job.run(since=date(2026, 11, 4), until=date(2026, 11, 5))
    assert result.parts["sources"][0]["records"] == 1
    assert "retention" not in result.parts
    assert job.ask("SELECT client_address FROM records") == [("192.0.2.2",)]


# What fails


def test_source_that_fails_does_not_keep_the_others(tmp_path: Path) -> None:
    job = Job(tmp_path, "", "gone", "torn", "cdn")
    said = job.file.read_text().replace("logs/gone*.log", "logs/gone.log")
    job.file.write_text(said.replace('torn*.log"]\nformat = "combined"', 'torn*.log"]'))
    whole = gzip.compress(line(DAY, 7).encode() * 2000)
    (job.logs / "torn.log").write_bytes(b"\x00\xff" * 100)
    job.log("cdn", line(DAY))
    result = job.run()
    assert result.exit_code == 3
    assert [each.split(":")[0] for each in result.problems] == ["source gone", "source torn"]
    assert [each["records"] for each in result.parts["sources"]] == [0, 0, 1]
    (job.logs / "torn.log").write_bytes(whole)  # delivered again
    (job.logs / "gone.log").write_text(line(DAY, 9))
    assert [each["records"] for each in job.run().parts["sources"]] == [1, 2000, 0]


def test_source_that_cannot_be_begun_does_not_keep_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = Job(tmp_path, "", "bad", "good")
    job.log("good", line(DAY))
    real = steps.discover

    def discover(paths: tuple[str, ...]) -> Any:
        if "bad" in paths[0]:
            raise PermissionError(13, "Permission denied", "logs/bad")
        return real(paths)

    monkeypatch.setattr(steps, "discover", discover)
    result = job.run()
    assert result.exit_code == 3
    assert result.problems == ["source bad: logs/bad: Permission denied; the next run tries again"]
    assert result.parts["sources"][1]["records"] == 1


def test_too_many_rejects(tmp_path: Path) -> None:
    job = Job(tmp_path, "max_reject_share = 0.5")
    job.log("cdn-1", line(DAY) * 5, "no record\n" * 5)
    assert job.run().exit_code == 0
    job.log("cdn-2", line(DAY, 2) * 4, "neither\n" * 6)
    result = job.run()
    assert result.exit_code == 4
    assert "6 of 10 lines were rejected" in result.problems[0]


def test_policy_that_cannot_be_kept_reads_nothing(tmp_path: Path) -> None:
    job = Job(tmp_path, '\n\n[privacy]\naddresses = "pseudonymous"\nkey_file = "keys"\n')
    job.log("cdn", line(DAY))
    with pytest.raises(UsageError, match="keys"):
        job.run()
    assert not (tmp_path / "store").exists()


def test_privacy_is_applied(tmp_path: Path) -> None:
    job = Job(tmp_path, '\n\n[privacy]\naddresses = "truncated"\nagents = "drop"\n')
    job.log("cdn", line(DAY, 77))
    job.run()
    asked = "SELECT client_address, user_agent_original, agent_name FROM records"
    assert job.ask(asked) == [("192.0.2.0", None, "pip")]
    files = [path.read_bytes() for path in (tmp_path / "store").rglob("*") if path.is_file()]
    assert not any(b"192.0.2.77" in each for each in files)


# Late data


def test_late_data_restate_a_day_and_its_report(job: Job) -> None:
    job.run()
    report = job.folder / "reports" / "days-2026-11-01.csv"
    first = report.read_bytes()
    job.log("cdn-2", line(DAY, 5, 900))
    result = job.run(LATER)
    assert result.exit_code == 0
    assert result.parts["days"]["restated_ever"] == ["2026-11-01"]
    states = {each["period"]: each["state"] for each in result.parts["reports"]}
    assert states["2026-11-01"] == "restated"
    assert b"1000" in report.read_bytes()
    (kept,) = (path for path in report.parent.glob(f"{report.name}-superseded-*") if path.suffix != ".json")  # fmt: skip
    assert kept.read_bytes() == first
    assert job.run(LATER).parts["reports"] == []


# Any order of partial runs

STEPS = ["read_sources", "sum_up", "report", "forget_old", "compact_files", "expire_snapshots"]
ERRORS = [StoreError("injected"), OSError(28, "No space left on device"), RuntimeError("injected")]
cut = st.tuples(st.sampled_from(STEPS), st.booleans(), st.sampled_from(ERRORS))
nights = st.lists(st.tuples(st.integers(1, 2), st.lists(cut, max_size=3)), min_size=1, max_size=3)


WHO = Attribution()


@settings(max_examples=5, deadline=None, phases=[Phase.explicit, Phase.generate])  # 2 s each
@given(nights=nights)
def test_partial_runs_and_a_clean_one_equal_one_clean_run(
    nights: list[tuple[int, list[tuple[str, bool, Exception]]]],
) -> None:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as once:
        once.setattr(steps, "Attribution", lambda *_, **__: WHO)  # half of the time of a small run
        job, clean = (Job(Path(folder) / name, REPORT) for name in ("cut", "clean"))
        for night, (days, cuts) in enumerate(nights):
            for n in range(days):
                lines = line(DAY + n * ONE, night + 1, 100 + night), "no record\n"
                for each in (job, clean):
                    each.log(f"cdn-{night}-{n}", *lines)
                    each.log("cdn-growing", *lines)
            with pytest.MonkeyPatch.context() as patch:
                for name, after, error in cuts:
                    patch.setattr(steps, name, _cut(getattr(steps, name), after, error))
                job.run(NOW + night * ONE)
        end = NOW + len(nights) * ONE
        job.run(end)
        clean.run(end)
        assert verify(job.store) == []
        assert job.sums() == clean.sums()
        assert _ledger(job) == _ledger(clean)
        assert job.store.ledger()["source_id"].is_unique().all()
        reports = [{p.name: p.read_bytes() for p in (each.folder / "reports").glob("*.csv")} for each in (job, clean)]  # fmt: skip
        assert reports[0] == reports[1]


def _cut(step: Any, after: bool, error: Exception) -> Any:
    """A step that fails before, or after, what it does."""

    def failing(*arguments: Any) -> Any:
        if after:
            step(*arguments)
        raise error

    return failing


def _ledger(job: Job) -> list[tuple[Any, ...]]:
    """Sums by file: one that grew is in the ledger in parts."""
    counts = ("lines", "records", "rejects", "skipped", "server_bytes_content")
    rows = job.store.ledger().group_by("name").agg(pl.col(counts).sum()).sort("name").rows()
    return [(Path(name).name, *rest) for name, *rest in rows]
