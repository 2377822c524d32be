"""The batch job: what came is read, summed up and reported, what is too old goes; safe to end anywhere.

Each step is complete in itself and looks at the store for what there is to do, so that a run that is
killed is made good by the next one.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from l7meter import __version__
from l7meter.ingest.outcome import Source
from l7meter.job import steps
from l7meter.job.config import Config
from l7meter.job.lock import alone
from l7meter.job.metrics import write_metrics
from l7meter.privacy import Policy, Privacy
from l7meter.store import Store
from l7meter.store.history import PastRun, begin, end, last_runs

LOG = logging.getLogger("l7meter.job")
INTERRUPTED = 130
LEAP = timedelta(days=30)  # a clock that is so far ahead of the last run may be wrong


@dataclass
class Result:
    """What a run did: one object for a scheduler, `as_dict`; its names are part of the interface."""

    started_at: datetime
    dry_run: bool = False
    run: int | None = None
    exit_code: int = 0
    problems: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    parts: dict[str, Any] = field(default_factory=dict)
    failed_at: str | None = None

    @property
    def ended_at(self) -> datetime:
        """When it began and how long it took; the clock may have been set meanwhile."""
        return self.started_at + timedelta(seconds=sum(self.seconds.values()))

    def worse(self, code: int, problem: str) -> None:
        """Note a problem; 3 goes before 4, and 1 and 2 before both."""
        self.problems.append(problem)
        self.exit_code = min(filter(None, (self.exit_code, code)))
        LOG.error(problem)

    def as_dict(self) -> dict[str, Any]:
        """One JSON object."""
        return {
            "run": self.run,
            "exit_code": self.exit_code,
            "started_at": self.started_at.isoformat(),
            "seconds": round(sum(self.seconds.values()), 3),
            "dry_run": self.dry_run,
            **self.parts,
            "problems": self.problems,
            "failed_at": self.failed_at,
            "seconds_by_step": {name: round(took, 3) for name, took in self.seconds.items()},
            "l7meter_version": __version__,
        }


def run(
    config: Config,
    *,
    now: datetime | None = None,
    since: date | None = None,
    until: date | None = None,
    dry_run: bool = False,
    progress: Callable[[Source], None] | None = None,
) -> Result:
    """Do what is due. `since` and `until` (UTC days, the latter not included) leave out files that were
    last written to, and days, outside of them; nothing is deleted then.

    Raises `Busy` where another run is at work, `UsageError` for a privacy policy that cannot be kept and
    `StoreError` for a store that cannot be had (nothing is read then); all else that fails is in the result.
    """
    began = (now or datetime.now(UTC)).astimezone(UTC)
    result = Result(began, dry_run)
    privacy = Privacy(Policy(**asdict(config.privacy)))
    if dry_run:
        _steps(config, result, privacy, since, until, progress)
        return result
    with Store.open_or_create(config.store) as store, alone(config.store, began):
        before = last_runs(store, 1)
        result.run = begin(store, began)
        try:
            _look_back(result, before[0] if before else None)
            _steps(config, result, privacy, since, until, progress)
        except BaseException as error:  # a signal; errors are caught by their step
            code = error.code if isinstance(error, SystemExit) else None
            result.exit_code = code if isinstance(code, int) and code else INTERRUPTED
            result.problems.append(f"interrupted at {result.failed_at}: the next run does the rest")
            raise
        finally:
            _end(config, store, result)
    return result


def _end(config: Config, store: Store, result: Result) -> None:
    if config.metrics.textfile:
        with _step(result, "metrics"):
            write_metrics(config, config.metrics.textfile, result, result.as_dict())
    with _step(result, "history"):
        assert result.run
        end(store, result.run, result.ended_at, result.exit_code, result.as_dict())


def _steps(
    config: Config,
    result: Result,
    privacy: Privacy,
    since: date | None,
    until: date | None,
    progress: Callable[[Source], None] | None,
) -> None:
    whole = since is None and until is None
    period = steps.Period(result.started_at, since, until, result.dry_run)
    with _step(result, "reference_data"):
        result.parts["reference_data"] = steps.update_reference_data(config, period, result.worse)
    with _step(result, "sources"):
        result.parts["sources"] = steps.read_sources(
            config, period, privacy, progress, result.worse
        )
    for name, step, wanted in (
        ("days", steps.sum_up, config.rollups.enabled),
        ("reports", steps.report, bool(config.reports)),
        ("retention", steps.forget_old, whole and "clock" not in result.parts),
        ("compaction", steps.compact_files, config.compaction.enabled and whole),
        ("snapshots", steps.expire_snapshots, whole and "clock" not in result.parts),
    ):
        if wanted and Store.exists(config.store):
            with _step(result, name):
                result.parts[name] = step(config, period, result.worse)


@contextmanager
def _step(result: Result, name: str) -> Iterator[None]:
    """Time a step; an error of one, of any kind, does not keep the next from what they can do."""
    LOG.debug("step %s", name)
    began = time.monotonic()
    try:
        yield
    except BaseException as error:
        result.failed_at = result.failed_at or name
        if not isinstance(error, Exception):
            raise
        code, said = steps.fault(error)
        result.worse(code, f"{name}: {said}")
    finally:
        result.seconds[name] = time.monotonic() - began


def _look_back(result: Result, before: PastRun | None) -> None:
    """Say that the last run died. A clock that went back, or leapt, closes and deletes what it should not:
    nothing is deleted then.
    """
    if before is None:
        return
    if before.ended_at is None:
        result.parts["died"] = before.run_id
        LOG.warning("run %s, begun %s, never ended: this one does what it left", before.run_id, f"{before.started_at:%Y-%m-%d %H:%M}")  # fmt: skip
    apart = result.started_at - before.started_at
    if timedelta(0) <= apart <= LEAP:
        return
    way = "before" if apart < timedelta(0) else "after"
    what = f"the clock says {result.started_at:%Y-%m-%d %H:%M}, {abs(apart).days} days {way} the last run began"  # fmt: skip
    result.parts["clock"] = f"{what}: nothing is deleted this time"
    LOG.warning("%s", result.parts["clock"])
