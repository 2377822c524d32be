"""All that status and metrics are made of, looked at once: nothing is written, no data file is read."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

from l7meter.attribution.reference.choosing import doubts
from l7meter.attribution.reference.listing import holding
from l7meter.attribution.reference.shelf import Shelf, Snapshot
from l7meter.errors import L7MeterError
from l7meter.job.config import Config, ReportConfig
from l7meter.job.delivery import Delivery, deliveries
from l7meter.job.lock import holder
from l7meter.job.periods import Due, all_due
from l7meter.store import Store
from l7meter.store.history import PastRun, last_runs
from l7meter.store.maintenance import GRACE_SECONDS, mergeable
from l7meter.store.overview import Overview, overview
from l7meter.store.publications import Publication, Standing, standing
from l7meter.store.side import DayState
from l7meter.store.verify import orphans

RUNS = 10


@dataclass
class Condition:
    """A store and its job as of `now` (UTC). `config` is None where only a store is looked at.

    `runs` has the newest first; `holder` is who holds the lock of runs. What needs a store is None, or
    empty, where there is none yet. `free` and `size` are octets of the store's file system.
    """

    now: datetime
    path: Path
    config: Config | None = None
    runs: list[PastRun] = field(default_factory=list)
    holder: str | None = None
    store: Overview | None = None
    standing: Standing | None = None
    days: list[DayState] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)  # reports that are due and were never written
    outdated: list[str] = field(default_factory=list)  # files that are no longer right
    small_files: int = 0
    left_over: int = 0  # files that nothing refers to, a day old or more
    references: list[Snapshot] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    free: int = 0
    size: int = 0

    @property
    def read_at(self) -> datetime | None:
        """When the last run that ended began."""
        return next((each.started_at for each in self.runs if each.ended_at), None)

    @property
    def open_days(self) -> list[date]:
        """Days that have records and were never closed."""
        return sorted(self.standing.moving - self.standing.changed.keys()) if self.standing else []

    @property
    def unsettled(self) -> list[date]:
        """Closed days whose sums have yet to follow what changed in them."""
        return [each.day for each in self.days if not each.settled]

    @property
    def growth(self) -> float | None:
        """Octets a day by which records grow: what came within the last week less what went."""
        if not self.store or not self.store.came:
            return None
        records = self.store.tables["records"]
        days = max((self.now - self.store.since).total_seconds() / 86_400, 1.0)
        net = self.store.came - self.store.went
        return net / days * records.octets / records.rows if records.rows else None


def condition(config: Config | None, path: Path, now: datetime | None = None) -> Condition:
    """Look at a store, and at what its configuration expects. Raises `StoreError` where it cannot be read."""
    made = Condition((now or datetime.now(UTC)).astimezone(UTC), path, config)
    if Store.exists(path):
        _look(made, Store.open(path))
    if config:
        made.deliveries = deliveries(config, made.store, made.now, made.read_at)
    _references(made)
    disk = next(each for each in (path, *path.parents) if each.is_dir())
    usage = shutil.disk_usage(disk)
    made.free, made.size = usage.free, usage.total
    return made


def _look(made: Condition, store: Store) -> None:
    made.holder = holder(made.path)  # first: who ends meanwhile is in the history
    made.runs = last_runs(store, RUNS)
    made.store = overview(store, made.now)
    made.standing = standing(made.path)
    made.days = store.days()
    by_day = made.config.retention.records is not None if made.config else None
    groups = [group for table in ("records", "rejects") for group in mergeable(store, table, balanced=True, by_day=by_day)]  # fmt: skip
    made.small_files = sum(map(len, groups))  # as `steps.compact_files` counts them
    made.left_over = sum(map(_old, orphans(store)))
    if made.config:
        for report, dues in all_due(made.config, made.standing, made.now, None, None):
            _due(made, report, dues)
    else:
        made.outdated = [each.path for each in made.standing.publications.values() if _outdated(each, made.standing)]  # fmt: skip


def _old(path: Path) -> bool:
    try:
        return path.stat().st_mtime < time.time() - GRACE_SECONDS
    except OSError:  # gone since
        return False


def _due(made: Condition, report: ReportConfig, dues: list[Due]) -> None:
    for each in dues if report.every != "run" else ():
        (made.outdated if each.again else made.missing).append(str(each.path))


def _outdated(published: Publication, stands: Standing) -> bool:
    first, last = published.first_day, published.last_day
    if not first or not last:
        return False
    return any(first <= day <= last and at > published.snapshot for day, at in stands.changed.items())  # fmt: skip


def _references(made: Condition) -> None:
    day = made.now.date()
    try:
        made.references = holding(Shelf(made.config.attribution.refdata if made.config else None), day)  # fmt: skip
    except (L7MeterError, OSError) as error:
        made.doubts.append(str(error))
        return
    if made.config is None:
        made.doubts += doubts(made.references, day)
