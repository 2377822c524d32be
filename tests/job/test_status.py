"""Status: each thing that can be amiss is a line with a verdict and a step; what is well says so."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from jobbing import DAY, NOW, Job, line
from typer.testing import CliRunner

from l7meter.cli import status as command
from l7meter.errors import L7MeterError, StoreError
from l7meter.job import steps
from l7meter.job.condition import Condition, condition
from l7meter.job.lock import alone
from l7meter.job.status import disk, frame, status
from l7meter.job.status_runs import interval
from l7meter.job.verdict import Line, plural, span
from l7meter.store import Store, catalog, ledger
from l7meter.store.history import PastRun, begin, end
from l7meter.store.overview import overview
from l7meter.store.publications import Publication, record

HOUR, ONE = timedelta(hours=1), timedelta(days=1)
SOON = NOW + HOUR


@pytest.fixture
def job(tmp_path: Path) -> Job:
    job = Job(tmp_path, '\n\n[attribution]\nmax_age = "forever"\n')
    written(job.log("cdn-1", line(DAY), line(date(2026, 11, 9))), NOW - HOUR)
    return job


def written(path: Path, moment: datetime) -> None:
    os.utime(path, (moment.timestamp(),) * 2)


def every(job: Job, period: str) -> None:
    job.file.write_text(job.file.read_text().replace('format = "combined"', f'format = "combined"\nevery = "{period}"'))  # fmt: skip


def told(job: Job, now: datetime = SOON, **more: Any) -> dict[str, Line]:
    """Lines by section and what they are about."""
    found = condition(job.config, job.folder / "store", now)
    for name, value in more.items():
        setattr(found, name, value)
    return {f"{line.section}: {line.what}": line for line in status(found)}


def test_small_files_are_those_that_a_run_would_merge(job: Job) -> None:
    """Not a large one with a small one of the day that is still coming in; not two days together."""
    text = job.file.read_text()
    job.file.write_text(f"{text}[compaction]\nfiles = 99\n[retention]\nrecords = '90d'\n")
    last = date(2026, 11, 9)
    job.run()
    seen = []
    for number, day, clients in ((2, last, 40), (3, last, 30), (4, DAY, 1), (5, last, 2)):
        lines = [line(day, client) for client in range(1, clients + 1)]
        written(job.log(f"cdn-{number}", *lines), NOW - HOUR)
        job.run()
        seen.append(condition(job.config, job.folder / "store", SOON).small_files)
    job.file.write_text(job.file.read_text().replace("files = 99", "files = 1"))
    assert job.run(SOON, dry_run=True).parts["compaction"]["files"] == seen[-1]
    assert seen == [0, 0, 2, 2]


def verdicts(lines: dict[str, Line]) -> dict[str, str]:
    return {name: line.verdict for name, line in lines.items() if line.verdict != "ok"}


# Well


def test_all_is_well_after_a_run(job: Job) -> None:
    job.run()
    lines = told(job)
    lines.pop("disk: space")  # of the machine
    assert verdicts(lines) == {}
    assert lines["runs: run 1"].said.startswith("2026-11-10 02:30: done")
    assert "1 file" in lines["sources: cdn"].said
    assert lines["days: states"].said == "1 day open, 1 closed, 0 of them restated"
    assert lines["retention: records"].said.startswith("the oldest is of 2026-11-01; kept for 90 d")


def test_what_is_not_well_has_a_step(job: Job) -> None:
    job.run()
    begin(job.store, NOW)
    for line_ in told(job, NOW + 300 * ONE).values():
        assert (line_.next_step is None) == (line_.verdict == "ok")


def test_no_store_yet(job: Job) -> None:
    lines = told(job)
    assert lines["runs: last run"].verdict == "warning"
    assert lines[f"store: {job.folder / 'store'}"].said == "is not there yet"
    assert not (job.folder / "store").exists()


def test_no_source(job: Job) -> None:
    job.file.write_text('store = "store"\n')
    assert told(job)["sources: none"].verdict == "warning"


# Runs


def test_run_that_died(job: Job) -> None:
    job.run()
    begin(job.store, NOW)
    died = told(job)["runs: run 2"]
    assert (died.verdict, "died" in died.said) == ("critical", True)


def test_run_at_work(job: Job) -> None:
    job.run()
    begin(job.store, NOW)
    with alone(job.folder / "store", NOW):
        lines = told(job)
        assert lines["runs: run 2"].verdict == "ok"
        assert f'"pid": {os.getpid()}' in lines["runs: run 2"].said
        assert told(job, NOW + 7 * HOUR)["runs: run 2"].verdict == "warning"
    assert told(job)["runs: run 2"].verdict == "critical"


@pytest.mark.parametrize(("code", "verdict"), [(0, "ok"), (1, "critical"), (2, "critical"), (3, "warning"), (4, "warning"), (130, "critical")])  # fmt: skip
def test_how_the_last_run_ended(job: Job, code: int, verdict: str) -> None:
    job.run()
    number = begin(job.store, NOW)
    problems = ["one", "two", "three"] if code else []
    end(job.store, number, SOON, code, {"problems": problems})
    last = told(job)["runs: run 2"]
    assert last.verdict == verdict
    assert last.value == 3600
    assert ("one (and 2 more)" in last.said) is bool(code)


def past(*starts: datetime) -> list[PastRun]:
    return [PastRun(n, start, start, 0, {}) for n, start in enumerate(starts)][::-1]


@pytest.mark.parametrize(
    ("starts", "expected"),
    [
        ((NOW,), ONE),
        ((NOW, NOW + HOUR / 60, NOW + HOUR / 30, NOW + HOUR / 20), ONE),  # by hand, at the beginning
        (tuple(NOW + n * HOUR for n in range(60)), HOUR),
        (tuple(NOW + n * ONE for n in range(9)), ONE),
        ((*(NOW + n * ONE for n in range(7)), NOW + 6 * ONE + HOUR / 9), ONE),
        (tuple(NOW + n * 30 * ONE for n in range(9)), 7 * ONE),
    ],
)  # fmt: skip
def test_how_often_runs_come(starts: tuple[datetime, ...], expected: timedelta) -> None:
    assert interval(past(*starts)) == expected


@pytest.mark.parametrize(("ago", "verdict"), [(ONE, None), (50 * HOUR, "warning"), (98 * HOUR, "critical"), (-2 * HOUR, "clock")])  # fmt: skip
def test_run_that_is_overdue(job: Job, ago: timedelta, verdict: str | None) -> None:
    job.run()
    lines = told(job, NOW + ago)
    if verdict == "clock":
        assert lines["runs: clock"].verdict == "warning"
    else:
        assert lines["runs: overdue"].verdict == verdict if verdict else "runs: overdue" not in lines  # fmt: skip


# Sources


@pytest.mark.parametrize(("period", "verdict"), [("1d", "ok"), ("10h", "warning"), ("2h", "critical")])  # fmt: skip
def test_source_that_is_late(job: Job, period: str, verdict: str) -> None:
    every(job, period)
    job.run()  # 23.4 hours after the newest record
    assert told(job)["sources: cdn"].verdict == verdict


def test_source_whose_files_stopped_coming(job: Job) -> None:
    every(job, "1d")
    job.run()
    lines = told(job, NOW + 3 * ONE)
    assert lines["sources: cdn"].verdict == "warning"
    assert "late: nothing for 3 d 1 h, expected every 1 d" in lines["sources: cdn"].said


def test_source_that_never_gave_anything(job: Job) -> None:
    every(job, "1d")
    for path in job.logs.iterdir():
        path.unlink()
    job.run()
    assert told(job)["sources: cdn"].said.startswith("nothing was ever read; newest record never")


def test_file_that_a_run_left_is_told_and_one_that_came_since_is_not(job: Job) -> None:
    job.run()
    written(job.log("cdn-2", line(DAY, 2)), SOON)
    assert "1 unread" in told(job)["sources: cdn"].said
    assert told(job)["sources: cdn"].verdict == "ok"
    written(job.logs / "cdn-2.log", NOW - HOUR)
    left = told(job)["sources: cdn"]
    assert (left.verdict, "the last run left 1 file unread" in left.said) == ("warning", True)


def test_file_that_was_rotated_or_removed_is_of_its_source(job: Job) -> None:
    every(job, "1d")
    job.run()
    (path,) = job.logs.iterdir()
    path.unlink()
    lines = told(job)
    assert lines["sources: cdn"].verdict == "ok"
    assert "newest record 1 d" in lines["sources: cdn"].said or "newest record 23 h" in lines["sources: cdn"].said  # fmt: skip


def test_settling_files_wait(job: Job) -> None:
    job.file.write_text(job.file.read_text().replace('format = "combined"', 'format = "combined"\nsettle = "30m"'))  # fmt: skip
    job.run()
    written(job.log("cdn-2", line(DAY, 2)), SOON - HOUR / 6)
    assert "1 not settled" in told(job)["sources: cdn"].said


@pytest.mark.parametrize(("rejects", "verdict"), [(0, None), (1, "ok"), (10, "warning"), (30, "critical")])  # fmt: skip
def test_rejects_of_the_last_day(job: Job, rejects: int, verdict: str | None) -> None:
    job.log("cdn-2", line(DAY, 3) * 20, "no record\n" * rejects)
    job.run()
    lines = told(job, datetime.now(UTC))  # the ledger has the time of the machine
    assert (lines["sources: cdn: rejects"].verdict if rejects else None) == verdict


# Days, reports, retention

REPORT = '\n[[report]]\nname = "days"\nquery = "by_day"\n'


def test_day_that_was_restated_waits_for_a_run(job: Job) -> None:
    job.file.write_text(job.file.read_text() + REPORT)
    job.run()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("sum_up", "report", "forget_old"):
            patch.setattr(steps, name, _fails)
        job.log("cdn-2", line(DAY, 2, 900))
        job.run()
    lines = told(job)
    assert lines["days: unsettled"].said == "data came for closed days: 2026-11-01"
    job.run()
    assert "days: unsettled" not in told(job)
    assert "1 of them restated (last 2026-11-01)" in told(job)["days: states"].said


def _fails(*_: Any) -> Any:
    raise StoreError("injected")


def test_reports_that_are_missing_or_outdated(job: Job) -> None:
    job.run()
    job.file.write_text(job.file.read_text() + REPORT)
    assert told(job)["reports: missing"].said == "due and not written: days-2026-11-01.csv"
    job.run()
    assert told(job)["reports: published"].verdict == "ok"
    path = str(job.folder / "reports" / "days-2026-11-01.csv")
    record(job.folder / "store", Publication("days", path, DAY, DAY, 0), NOW)
    assert told(job)["reports: outdated"].verdict == "warning"
    alone_ = condition(None, job.folder / "store", SOON)
    assert alone_.outdated == [path]


@pytest.mark.parametrize(("days", "verdict"), [(89, "ok"), (95, "warning"), (120, "critical")])
def test_records_that_are_kept_for_too_long(job: Job, days: int, verdict: str) -> None:
    job.run()
    at = datetime(2026, 11, 1, 12, tzinfo=UTC) + timedelta(days=days)
    assert told(job, at)["retention: records"].verdict == verdict


def test_days_that_nobody_closes(job: Job) -> None:
    job.run()
    assert told(job, NOW + 9 * ONE)["days: not closed"].said == "should be closed: 2026-11-09"


# Disk, reference data


@pytest.mark.parametrize(
    ("free", "growth", "verdict"),
    [(900, None, "ok"), (900, 10.0, "ok"), (900, 40.0, "warning"), (900, 300.0, "critical"), (900, -300.0, "ok"), (90, None, "warning"), (40, None, "critical")],
)  # fmt: skip
def test_disk_that_fills(
    free: int, growth: float | None, verdict: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Condition, "growth", growth)
    (space,) = disk(Condition(NOW, Path("store"), free=free, size=1000))
    assert space.verdict == verdict


def test_growth_is_what_came_less_what_went(job: Job) -> None:
    job.run()
    now = datetime.now(UTC)
    found = condition(job.config, job.folder / "store", now + ONE)
    assert found.store
    records = found.store.tables["records"]
    assert found.growth == pytest.approx(records.octets, rel=0.01)  # two records in a day
    assert overview(job.store, now + 8 * ONE).came == 0


def test_old_reference_data_are_told(job: Job) -> None:
    job.file.write_text(job.file.read_text().replace('"forever"', '"35d"'))
    assert told(job)["reference data: shipped"].verdict == "warning"


# Whole


def test_status_writes_nothing_and_reads_what_may_not_be_written(job: Job) -> None:
    job.run()
    store = job.folder / "store"
    before = job.tree()
    for path in (store, *store.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        assert told(job)["store: size"].verdict == "ok"
    finally:
        for path in (store, *store.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
    assert job.tree() == before


def test_status_while_the_store_is_written_to(job: Job) -> None:
    job.run()
    with catalog.writing(job.store.catalog) as db:
        ledger.explain(db, ['{"attribution_id": "new"}'])
        assert told(job)["runs: run 1"].verdict == "ok"


Ask = Callable[..., tuple[int, str]]


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Ask:
    monkeypatch.delenv("L7METER_CONFIG", raising=False)
    monkeypatch.delenv("L7METER_STORE", raising=False)
    app = typer.Typer()
    command.register(app)

    def ask(*arguments: str | Path) -> tuple[int, str]:
        answer = CliRunner().invoke(app, [*map(str, arguments)])
        if isinstance(answer.exception, L7MeterError):
            return answer.exception.exit_code, str(answer.exception)
        if answer.exception and not isinstance(answer.exception, SystemExit):
            raise answer.exception
        return answer.exit_code, answer.output

    return ask


def test_command_checks(job: Job, ask: Ask) -> None:
    job.run(datetime.now(UTC))
    assert ask("--config", job.file, "--check")[0] == 0
    begin(job.store, datetime.now(UTC))
    code, answer = ask("--config", job.file, "--check")
    assert code == 3
    assert "critical run 2" in answer
    assert ask("--config", job.file)[0] == 0


def test_command_gives_rows(job: Job, ask: Ask) -> None:
    job.run()
    code, answer = ask("--store", job.folder / "store", "-o", "json")
    rows = json.loads(answer)
    assert code == 0
    assert {"section", "what", "verdict", "said", "next_step", "value", "unit"} == rows[0].keys()
    assert next(row["said"] for row in rows if row["section"] == "sources").startswith("1 source;")


def test_command_takes_what_lies_here(job: Job, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(job.folder)
    assert str(job.folder / "store") in ask()[1].replace("\n", "")
    assert "cdn" in ask()[1]
    monkeypatch.chdir(job.logs)
    assert "cdn" not in ask()[1]
    monkeypatch.setenv("L7METER_CONFIG", str(job.file))
    assert "cdn" in ask()[1]
    assert ask("--config", job.file, "--store", "x") == (2, "status: give --config or --store, one of them")  # fmt: skip


def test_many_sources_fit_a_screen(tmp_path: Path, ask: Ask) -> None:
    job = Job(tmp_path, "", *(f"s{n}-" for n in range(100)))
    assert len(ask("--config", job.file)[1].splitlines()) < 60
    assert json.loads(ask("--config", job.file, "-o", "json")[1])[50]["section"] == "sources"


def test_what_a_log_brings_does_not_steer_the_terminal(job: Job, ask: Ask) -> None:
    job.run()
    end(job.store, begin(job.store, NOW), NOW, 3, {"problems": ["\x1b[2J [bold]x"]})
    answer = ask("--config", job.file)[1]
    assert "\x1b[2J" not in answer
    assert "\\x1b[2J [bold]x" in answer


def test_rows_have_the_columns_also_of_nothing() -> None:
    assert frame([]).columns == list(Line._fields)


@given(st.integers(0, 10**9))
def test_span_is_of_two_units_and_never_more_than_it_was(seconds: int) -> None:
    units = {"d": 86_400, "h": 3600, "min": 60, "s": 1}
    words = span(timedelta(seconds=seconds)).split()
    value = sum(int(count) * units[unit] for count, unit in zip(words[::2], words[1::2], strict=True))  # fmt: skip
    assert len(words) <= 4
    assert 0 <= seconds - value < max(units[words[1]] / 24, 1)


def test_plural() -> None:
    assert [plural(1, "file"), plural(2000, "day")] == ["1 file", "2,000 days"]


def test_store_alone_without_rollups(tmp_path: Path) -> None:
    with Store.create(tmp_path / "store"):
        found = condition(None, tmp_path / "store", NOW)
    assert all(line.verdict != "critical" for line in status(found) if line.section != "disk")
