"""Metrics: what Prometheus reads is what the store and the run have, written at once, by every run."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from jobbing import DAY, NOW, Job, line
from prometheus_client.parser import text_string_to_metric_families

from l7meter.job import outbox, steps
from l7meter.store import forget

PROMTOOL = shutil.which("promtool")
DOCS = Path(__file__).parents[2] / "docs"
Samples = dict[tuple[str, str], float]


@pytest.fixture
def job(tmp_path: Path) -> Job:
    job = Job(tmp_path, 'every = "1d"\n\n[metrics]\ntextfile = "l7meter.prom"\n')
    job.log("cdn-1", line(DAY), line(DAY, 2), "no record\n" * 2)
    return job


def read(job: Job) -> Samples:
    """Samples by name and label."""
    text = (job.folder / "l7meter.prom").read_text()
    return {
        (sample.name, ",".join(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_metrics_of_a_run(job: Job) -> None:
    result = job.run()
    found = read(job)
    assert result.exit_code == 4  # half of the lines
    assert found["l7meter_last_run_timestamp_seconds", ""] == NOW.timestamp()
    assert found["l7meter_last_run_success", ""] == 0
    assert found["l7meter_last_run_exit_code", ""] == 4
    assert found["l7meter_last_run_duration_seconds", "sources"] == result.seconds["sources"]
    lag = (result.ended_at - datetime(2026, 11, 1, 3, 4, 5, tzinfo=UTC)).total_seconds()
    assert found["l7meter_source_lag_seconds", "cdn"] == pytest.approx(lag, abs=30)
    assert found["l7meter_source_period_seconds", "cdn"] == 86_400
    assert found["l7meter_source_records_total", "cdn"] == 2
    assert found["l7meter_source_rejects_total", "cdn"] == 2
    assert found["l7meter_store_rows", "records"] == 2
    assert found["l7meter_store_bytes", "records"] == job.store.info()["records_bytes"]
    assert found["l7meter_dates", "closed"] == 1
    assert found["l7meter_reports_outdated", ""] == 0
    assert found["l7meter_refdata_age_seconds", "shipped"] > 0


def test_counters_never_fall(job: Job) -> None:
    job.run()
    forget(job.store, job.store.ledger()["source_id"].to_list())
    (job.logs / "cdn-1.log").unlink()
    job.log("cdn-2", line(DAY, 7))
    job.run()
    found = read(job)
    assert found["l7meter_source_records_total", "cdn"] == 3
    assert found["l7meter_store_rows", "records"] == 1


def test_run_that_fails_says_so(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("injected")

    job.run()
    monkeypatch.setattr(steps, "sum_up", broken)
    later = NOW + timedelta(days=1)
    job.run(later)
    assert read(job)["l7meter_last_run_exit_code", ""] == 1
    assert read(job)["l7meter_last_run_timestamp_seconds", ""] == later.timestamp()


def test_run_that_is_interrupted_says_so(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(steps, "sum_up", interrupted)
    with pytest.raises(KeyboardInterrupt):
        job.run()
    assert read(job)["l7meter_last_run_exit_code", ""] == 130


def test_dry_run_writes_none(job: Job) -> None:
    job.run(dry_run=True)
    assert not (job.folder / "l7meter.prom").exists()


def test_file_is_for_all_to_read_whatever_the_umask(job: Job) -> None:
    job.run()
    path = job.folder / "l7meter.prom"
    assert path.stat().st_mode & 0o777 == 0o644
    assert [p.name for p in job.folder.iterdir() if p.name.startswith(".")] == []


def test_write_that_fails_leaves_the_old_file(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    job.run()
    path = job.folder / "l7meter.prom"
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(outbox.os, "fchmod", full)
    result = job.run()
    assert path.read_bytes() == before
    assert (result.exit_code, result.problems[-1].split(":")[0]) == (3, "metrics")
    assert [p.name for p in job.folder.iterdir() if p.name.startswith(".")] == []


def test_directory_that_is_not_there_is_a_problem_of_the_run(job: Job) -> None:
    job.file.write_text(job.file.read_text().replace("l7meter.prom", "gone/l7meter.prom"))
    assert job.run().problems[-1].startswith("metrics: ")


def test_labels_are_those_of_the_configuration(job: Job) -> None:
    """A source that is no longer configured is gone; whatever logs are named, there are no more series."""
    job.run()
    before = set(read(job))
    for number in range(9):
        job.log(f"cdn-{number}-x", line(DAY, number))
    job.run()
    assert set(read(job)) == before
    job.file.write_text(job.file.read_text().replace('name = "cdn"', 'name = "other"'))
    job.run()
    assert {label for name, label in read(job) if name == "l7meter_source_lag_seconds"} == {"other"}


def test_names_of_sources_are_escaped(tmp_path: Path) -> None:
    job = Job(tmp_path, '\n\n[metrics]\ntextfile = "l7meter.prom"\n', "größe-1")
    job.log("größe-1", line(DAY))
    job.run()
    assert read(job)["l7meter_source_records_total", "größe-1"] == 1


@pytest.mark.skipif(PROMTOOL is None, reason="promtool (Debian's prometheus) is not installed")
def test_promtool_finds_nothing_amiss(job: Job) -> None:
    job.run()
    assert PROMTOOL
    text = (job.folder / "l7meter.prom").read_bytes()
    checked = subprocess.run([PROMTOOL, "check", "metrics"], input=text, capture_output=True, check=False)  # fmt: skip
    assert (checked.returncode, checked.stderr) == (0, b"")


@pytest.mark.skipif(PROMTOOL is None, reason="promtool (Debian's prometheus) is not installed")
def test_rules_that_ship_are_right() -> None:
    assert PROMTOOL
    rules = DOCS / "alerts.example.yml"
    checked = subprocess.run([PROMTOOL, "check", "rules", rules], capture_output=True, text=True, check=False)  # fmt: skip
    assert checked.returncode == 0, checked.stderr


def test_rules_ask_for_metrics_that_there_are(job: Job) -> None:
    job.run()
    names = {name for name, _ in read(job)}
    rules = (DOCS / "alerts.example.yml").read_text()
    asked = {word.strip("()") for word in rules.replace("[", " ").replace("{", " ").split() if word.strip("(").startswith("l7meter_")}  # fmt: skip
    assert asked
    assert asked <= names
