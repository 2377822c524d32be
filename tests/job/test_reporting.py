"""Reports: each closed period once, whole or not at all, again where it was restated, none lost."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from l7meter import __version__
from l7meter.errors import StoreError
from l7meter.ingest import ingest
from l7meter.job import outbox
from l7meter.job.config import Config, DaysConfig, PublishConfig, ReportConfig
from l7meter.job.reporting import Written, write_reports
from l7meter.store import Store, close, connect, retain
from l7meter.store.publications import Publication, record, standing

NOW = datetime(2026, 12, 20, 2, 30, tzinfo=UTC)
NOVEMBER = [date(2026, 11, 1), date(2026, 11, 2), date(2026, 11, 30)]
Read = Callable[..., None]
Answer = list[tuple[str, str]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    return reader(tmp_path)


def reader(tmp_path: Path) -> Read:
    """Lines of days into the store: one request of `size` octets by each client."""
    files = iter(range(99))

    def read(*days: date, clients: int = 1, size: int = 100, settled: bool = True) -> None:
        number = next(files)
        (log := tmp_path / f"{number}.log").write_text(
            "".join(
                f'192.0.2.{client} - - [{day:%d/%b/%Y}:03:04:05 +0000] "GET /{number} HTTP/1.1" 200 {size} "-" "pip/23.3"\n'
                for day in days
                for client in range(clients)
            )
        )
        with Store.open_or_create(tmp_path / "store") as store:
            ingest([str(log)], store)
            if settled:
                close(store, date(2026, 12, 10))

    return read


@pytest.fixture
def configured(tmp_path: Path) -> Callable[..., Config]:
    return configurer(tmp_path)


def configurer(tmp_path: Path) -> Callable[..., Config]:
    def configured(*reports: dict[str, Any], **more: Any) -> Config:
        made = (
            ReportConfig(
                **{
                    "name": "days",
                    "query": "by_day",
                    "path": tmp_path / "reports/{name}-{period}.{suffix}",
                    **report,
                }
            )
            for report in reports or [{}]
        )
        return Config(
            store=tmp_path / "store",
            reports=tuple(made),
            path=tmp_path / "l7meter.toml",
            **more,
        )

    return configured


def write(config: Config, now: datetime = NOW, **more: Any) -> list[Written]:
    return write_reports(config, connect, config.store, now, **more)


def told(written: list[Written]) -> Answer:
    return [(each.period, each.state) for each in written]


def sidecar(path: Path) -> dict[str, Any]:
    said = json.loads(path.with_name(path.name + ".meta.json").read_text())
    assert isinstance(said, dict)
    return said


def shown(path: Path) -> list[tuple[object, ...]]:
    return pl.read_csv(path).select("bytes", "requests").rows()


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


# Once


def test_each_closed_day_has_its_file_once(read: Read, configured: Any, tmp_path: Path) -> None:
    read(*NOVEMBER[:2], date(2026, 12, 15))
    config = configured()
    first, second = write(config)
    assert [each.period for each in (first, second)] == ["2026-11-01", "2026-11-02"]
    assert (first.state, first.rows, first.exit_code) == ("written", 1, 0)
    assert shown(first.path) == [(100, 1)]
    assert first.octets == first.path.stat().st_size
    assert files(tmp_path / "reports") == [
        "days-2026-11-01.csv",
        "days-2026-11-01.csv.meta.json",
        "days-2026-11-02.csv",
        "days-2026-11-02.csv.meta.json",
    ]
    assert write(config) == []


def test_sidecar_says_what_a_file_is(read: Read, configured: Any) -> None:
    read(NOVEMBER[0], clients=9)
    config = configured(
        {"query": "top_agents", "parameters": {"limit": 3}},
        publish=PublishConfig(min_clients=5, digits=1),
    )
    (written,) = write(config)
    said = sidecar(written.path)
    assert len(said.pop("query_sha256")) == 64
    assert said == {
        "report": "days",
        "period": {"name": "2026-11-01", "first_day": "2026-11-01", "last_day": "2026-11-01"},
        "query": "top_agents",
        "parameters": {
            "since": "2026-11-01T00:00:00+00:00",
            "until": "2026-11-02T00:00:00+00:00",
            "organization": None,
            "ecosystem": None,
            "limit": 3,
        },
        "publish": {"min_clients": 5, "digits": 1},
        "snapshot": Store.open(config.store).snapshot(),
        "format": "csv",
        "rows": 1,
        "l7meter": __version__,
        "written_at": "2026-12-20T02:30:00+00:00",
        "octets": written.octets,
        "sha256": sha256(written.path.read_bytes()).hexdigest(),
        "supersedes": None,
    }
    assert pl.read_csv(written.path)["clients"].to_list() == [9]


def test_month_when_all_of_its_days_are_closed(read: Read, configured: Any) -> None:
    config = configured({"every": "month", "query": "bases"}, days=DaysConfig(close_after=timedelta(days=3)))  # fmt: skip
    read(*NOVEMBER)
    assert write(config, datetime(2026, 12, 3, 23, 59, tzinfo=UTC)) == []
    read(date(2026, 11, 20), settled=False)
    assert write(config) == []
    read(date(2026, 12, 1))
    (written,) = write(config, datetime(2026, 12, 4, tzinfo=UTC))
    assert (written.period, written.path.name) == ("2026-11", "days-2026-11.csv")
    assert shown(written.path) == [(400, 4)]
    assert write(config) == []


def test_everything_at_the_end_of_each_run(read: Read, configured: Any, tmp_path: Path) -> None:
    config = configured({"every": "run", "query": "bases", "format": "json"})
    for day, count in zip(NOVEMBER[:2], (1, 2), strict=True):
        read(day, settled=False)
        (written,) = write(config)
        assert told([written]) == [("all", "written")]
        assert json.loads(written.path.read_text())[0]["requests"] == count
        assert sidecar(written.path)["snapshot"] == Store.open(config.store).snapshot()
    assert files(tmp_path / "reports") == ["days-all.json", "days-all.json.meta.json"]


def test_a_path_without_period_has_the_last_day(
    read: Read, configured: Any, tmp_path: Path
) -> None:
    config = configured({"path": tmp_path / "latest.csv"})
    read(*NOVEMBER[:2])
    assert told(write(config)) == [("2026-11-02", "written")]
    assert write(config) == []
    read(NOVEMBER[0], size=7)
    assert told(write(config)) == [("2026-11-02", "unchanged")]  # it looks a day back
    read(NOVEMBER[2], size=9)
    (written,) = write(config)
    assert (written.superseded, shown(written.path)) == (None, [(9, 1)])
    assert not list(tmp_path.glob("latest.csv-superseded*"))


def test_since_and_until_leave_periods_out(read: Read, configured: Any) -> None:
    read(*NOVEMBER)
    config = configured({}, {"name": "month", "every": "month"})
    within = {"since": NOVEMBER[1], "until": NOVEMBER[2]}
    assert told(write(config, **within)) == [("2026-11-02", "written")]
    assert told(write(config)) == [("2026-11-01", "written"), ("2026-11-30", "written"), ("2026-11", "written")]  # fmt: skip


def test_dry_run_writes_nothing(read: Read, configured: Any, tmp_path: Path) -> None:
    read(*NOVEMBER[:2])
    assert told(write(configured(), dry_run=True)) == [("2026-11-01", "due"), ("2026-11-02", "due")]
    assert not (tmp_path / "reports").exists()
    assert told(write(configured(), since=NOVEMBER[1])) == [("2026-11-02", "written")]


# Again


def test_restated_day_is_written_anew_and_the_earlier_file_kept(
    read: Read, configured: Any, tmp_path: Path
) -> None:
    read(*NOVEMBER[:2])
    config = configured()
    before = write(config)[0]
    old, about = before.path.read_bytes(), sidecar(before.path)
    read(NOVEMBER[0], size=11)
    written = write(config)
    assert told(written) == [("2026-11-01", "restated"), ("2026-11-02", "unchanged")]
    kept = written[0].superseded
    assert kept == tmp_path / f"reports/days-2026-11-01.csv-superseded-{before.snapshot}"
    assert (kept.read_bytes(), sidecar(kept)) == (old, about)
    assert shown(before.path) == [(111, 2)]
    assert sidecar(before.path)["supersedes"] == {"file": kept.name, "sha256": about["sha256"]}
    assert write(config) == []


def test_restated_day_is_waited_for_until_it_is_settled(read: Read, configured: Any) -> None:
    read(*NOVEMBER[:2])
    config = configured()
    write(config)
    read(NOVEMBER[0], size=11, settled=False)
    assert write(config) == []
    with Store.open(config.store) as store:
        close(store, date(2026, 12, 10))
    assert told(write(config))[0] == ("2026-11-01", "restated")


def test_a_day_that_comes_after_its_month_restates_it(read: Read, configured: Any) -> None:
    config = configured({"every": "month", "query": "bases"})
    read(NOVEMBER[0])
    write(config)
    read(NOVEMBER[1], size=5)
    (written,) = write(config)
    assert (written.state, shown(written.path)) == ("restated", [(105, 2)])


def test_restated_without_another_figure_stays_as_it_was(read: Read, configured: Any) -> None:
    read(NOVEMBER[0], clients=20, size=1000)
    config = configured({"query": "bases"}, publish=PublishConfig(digits=1))
    (before,) = write(config)
    content, about = before.path.read_bytes(), sidecar(before.path)
    read(NOVEMBER[0], size=20)
    assert told(write(config)) == [("2026-11-01", "unchanged")]
    assert (before.path.read_bytes(), sidecar(before.path)) == (content, about)
    assert write(config) == []


def test_two_restatements_keep_both_earlier_files(
    read: Read, configured: Any, tmp_path: Path
) -> None:
    config = configured()
    snapshots = []
    for _ in range(3):
        read(NOVEMBER[0])
        snapshots.append(write(config)[0].snapshot)
    kept = [f"days-2026-11-01.csv-superseded-{n}" for n in snapshots[:2]]
    found = [n for n in files(tmp_path / "reports") if "superseded" in n and "meta" not in n]
    assert found == sorted(kept)


def test_records_that_are_gone_are_not_reported_as_nothing(
    read: Read, configured: Any, caplog: pytest.LogCaptureFixture
) -> None:
    read(*NOVEMBER[:2])
    rows = {"name": "rows", "path": Path("{name}-{period}.csv"), "query": "own.sql"}
    config = configured({**rows, "path": configured().path.parent / "{name}-{period}.csv"})
    own = config.path.parent / "own.sql"
    own.write_text("-- Rows\n--\n-- Parameters:\n-- since = null : timestamp : from\n-- until = null : timestamp : before\nSELECT count(*) AS records FROM records WHERE ts >= $since AND ts < $until\n")  # fmt: skip
    write(config, since=NOVEMBER[1])
    content = (config.path.parent / "rows-2026-11-02.csv").read_bytes()
    with Store.open(config.store) as store:
        retain(store, records=NOVEMBER[2])
    assert write(config) == []  # 1 November was never reported on, and cannot be
    (said,) = caplog.messages
    assert said == "report 'rows': not written of 2026-11-01 to 2026-11-01, 1 in all: the records of days before 2026-11-30 are gone"  # fmt: skip
    read(NOVEMBER[1], settled=False)
    with Store.open(config.store) as store:
        retain(store, records=NOVEMBER[2])
    (written,) = write(config)
    assert (written.state, written.exit_code) == ("outdated", 0)
    assert "2026-11-30, whose records are gone" in str(written.problem)
    assert (config.path.parent / "rows-2026-11-02.csv").read_bytes() == content
    assert write(config) == []
    own.write_text(own.read_text().replace("count(*)", "sum(records)").replace("FROM records WHERE ts >= $since AND ts < $until", "FROM usage($since, $until)"))  # fmt: skip
    assert told(write(config)) == [("2026-11-01", "written")]
    assert (config.path.parent / "rows-2026-11-01.csv").read_text() == "records\n1\n"


# Faults


def test_a_report_that_fails_does_not_stop_the_others(
    read: Read, configured: Any, tmp_path: Path
) -> None:
    read(*NOVEMBER[:2])
    (tmp_path / "file").write_text("")
    config = configured(
        {"name": "closed", "query": "top_organizations"},
        {"name": "blocked", "path": tmp_path / "file/{period}.csv"},
        {"name": "absent", "query": "no_such"},
        {"name": "good", "query": "by_day"},
        publish=PublishConfig(min_clients=1),
    )
    written = write(config)
    problems = {each.report: (each.exit_code, str(each.problem)) for each in written if each.problem}  # fmt: skip
    assert problems["closed"][0] == 2
    assert problems["closed"][1].startswith("report 'closed': the answer has no column 'clients'")
    assert problems["blocked"] == (3, f"report 'blocked': {tmp_path}/file: File exists; the next run tries again")  # fmt: skip
    assert problems["absent"][0] == 2
    assert [each.report for each in written if not each.problem] == ["good", "good"]
    assert told(write(config))[2:] == [("2026-11-01", "failed")]


def test_a_fault_of_ours_is_told_from_that_of_a_user(
    read: Read, configured: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    read(NOVEMBER[0])
    config = configured({"name": "one"}, {"name": "two", "query": "bases"})
    real = outbox.put

    def put(path: Path, *arguments: Any, **more: Any) -> outbox.Put:
        if path.name.startswith("one"):
            raise ZeroDivisionError("by nought")
        return real(path, *arguments, **more)

    monkeypatch.setattr(outbox, "put", put)
    one, two = write(config)
    assert (one.state, one.exit_code, two.state) == ("failed", 1, "written")
    assert "ZeroDivisionError: by nought" in str(one.problem)
    assert "Traceback" in caplog.text


def test_a_file_of_somebody_else_is_left_alone(read: Read, configured: Any, tmp_path: Path) -> None:
    read(NOVEMBER[0])
    path = tmp_path / "reports/days-2026-11-01.csv"
    path.parent.mkdir()
    path.write_text("mine")
    (written,) = write(configured())
    assert (written.state, written.exit_code, path.read_text()) == ("failed", 2, "mine")
    assert "is not of report 'days'; move it" in str(written.problem)
    path.unlink()
    assert told(write(configured())) == [("2026-11-01", "written")]


def test_store_that_is_not_there(configured: Any, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no store here"):
        write(configured())
    assert write_reports(Config(store=tmp_path), connect, tmp_path / "none", NOW) == []


@pytest.fixture(scope="module")
def restated(tmp_path_factory: pytest.TempPathFactory) -> Callable[[bool], Path]:
    """A folder with a store of one day; with its report, and the day restated since."""
    folder, kept = (tmp_path_factory.mktemp(name) for name in ("job", "kept"))
    read = reader(folder)
    read(NOVEMBER[0])
    shutil.copytree(folder, kept / "False")
    write(configurer(folder)())
    read(NOVEMBER[0], size=11)
    shutil.copytree(folder, kept / "True")

    def restored(again: bool) -> Path:
        shutil.rmtree(folder)
        return Path(shutil.copytree(kept / str(again), folder))

    return restored


class Killed(BaseException):
    """The end of a process, as far as `except Exception` goes."""


# Renames: the sidecar and the file; before them, of an earlier file, the copies of both
@pytest.mark.parametrize(("again", "step"), [(a, n) for a in (False, True) for n in range(5 if a else 3)])  # fmt: skip
def test_a_run_that_ends_anywhere_is_made_good_by_the_next(
    restated: Callable[[bool], Path], monkeypatch: pytest.MonkeyPatch, step: int, again: bool
) -> None:
    """Ended before the rename number `step`, or with all files written, and none noted."""
    folder = restated(again)
    config = configurer(folder)()
    path = folder / "reports/days-2026-11-01.csv"
    old = path.read_bytes() if again else None
    about = sidecar(path) if again else {}
    renames = iter(range(99))
    real = Path.replace

    def replace(self: Path, target: Path) -> Path:
        if self.parent == path.parent and next(renames) == step:
            raise Killed
        return real(self, target)

    def unnoted(*_: object) -> None:
        assert next(renames) == step
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", replace)
        patch.setattr("l7meter.job.reporting.record", unnoted)
        with pytest.raises(Killed):
            write(config)
    if path.exists():
        there = path.read_bytes()
        assert there == old or sidecar(path)["sha256"] == sha256(there).hexdigest()
    (written,) = write(config)
    assert written.exit_code == 0
    assert shown(path) == [(111, 2) if again else (100, 1)]
    assert sidecar(path)["sha256"] == sha256(path.read_bytes()).hexdigest()
    expected = {path.name}
    if again:
        kept = path.with_name(f"{path.name}-superseded-{about['snapshot']}")
        expected.add(kept.name)
        assert (kept.read_bytes(), sidecar(kept)) == (old, about)
        assert sidecar(path)["supersedes"] == {"file": kept.name, "sha256": about["sha256"]}
    assert files(path.parent) == sorted(expected | {f"{name}.meta.json" for name in expected})
    assert write(config) == []


# Files


ABOUT = {"report": "r", "period": {"name": "d", "first_day": "d", "last_day": "d"}, "snapshot": 7}


def test_files_may_be_read_by_all_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        outbox.put(tmp_path / "a" / "b.csv", b"x", ABOUT, ours=False)
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "a").iterdir()}
    assert modes == {"b.csv": 0o644, "b.csv.meta.json": 0o644}


def test_what_was_kept_is_never_written_over(tmp_path: Path) -> None:
    """Snapshots count anew in a store that was built again."""
    path = tmp_path / "b.csv"
    for content in (b"one", b"two", b"three"):
        outbox.put(path, content, ABOUT, ours=False)
    kept = {each: (tmp_path / each).read_bytes() for each in files(tmp_path) if "json" not in each}
    assert kept == {"b.csv": b"three", "b.csv-superseded-7": b"one", "b.csv-superseded-7-1": b"two"}


def test_a_figure_that_is_right_again_supersedes_nothing(tmp_path: Path) -> None:
    """A run ended between the sidecar of another figure and its file; then the figure was as before."""
    path = tmp_path / "b.csv"
    outbox.put(path, b"one", ABOUT, ours=False)
    said = sidecar(path)
    (tmp_path / "b.csv.meta.json").write_text(json.dumps({**said, "sha256": "of another"}))
    assert outbox.put(path, b"one", ABOUT, ours=False) == outbox.Put(changed=True)
    assert (sidecar(path), files(tmp_path)) == (said, ["b.csv", "b.csv.meta.json"])


@pytest.mark.parametrize("edited", [True, False], ids=["edited", "without sidecar"])
def test_a_file_that_somebody_touched_is_kept_without_a_sidecar_that_is_not_its(
    tmp_path: Path, edited: bool
) -> None:
    path = tmp_path / "b.csv"
    outbox.put(path, b"one", ABOUT, ours=False)
    if edited:
        path.write_bytes(b"by hand")
    else:
        (tmp_path / "b.csv.meta.json").unlink()
    put = outbox.put(path, b"two", ABOUT, ours=True)
    assert put.superseded == tmp_path / "b.csv-superseded-unknown"
    assert put.superseded.read_bytes() == (b"by hand" if edited else b"one")
    assert files(tmp_path) == ["b.csv", "b.csv-superseded-unknown", "b.csv.meta.json"]


def test_a_symbolic_link_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("other")
    (tmp_path / ".b.csv.part").symlink_to("other")
    with pytest.raises(OSError, match="symbolic link"):
        outbox.put(tmp_path / "b.csv", b"x", ABOUT, ours=False)
    assert (tmp_path / "other").read_text() == "other"


# What the store notes


def test_publications_are_noted_by_name_and_path(read: Read, tmp_path: Path) -> None:
    read(NOVEMBER[0])
    place = tmp_path / "store"
    first = Publication("a", "/p", *[NOVEMBER[0]] * 2, 3)
    record(place, first, NOW)
    record(place, first._replace(snapshot=5), NOW)
    record(place, Publication("b", "/p", None, None, 5), NOW)
    stands = standing(place)
    assert stands.publications == {("a", "/p"): first._replace(snapshot=5), ("b", "/p"): Publication("b", "/p", None, None, 5)}  # fmt: skip
    assert stands.snapshot == Store.open(place).snapshot()
    assert (set(stands.changed), stands.moving) == ({NOVEMBER[0]}, frozenset())


def test_days_that_move(read: Read, tmp_path: Path) -> None:
    read(*NOVEMBER[:2], settled=False)
    assert standing(tmp_path / "store").moving == {*NOVEMBER[:2]}
    read(NOVEMBER[2])
    closed = standing(tmp_path / "store")
    assert (set(closed.changed), closed.moving) == ({*NOVEMBER}, frozenset())
    read(NOVEMBER[0], settled=False)
    again = standing(tmp_path / "store")
    assert again.moving == {*NOVEMBER[:2]}  # the day after looks a day back
    assert again.changed[NOVEMBER[1]] == again.snapshot > closed.changed[NOVEMBER[1]]
    assert again.changed[NOVEMBER[2]] == closed.changed[NOVEMBER[2]]
