"""The steps of a run: each takes the configuration and the period, and gives what it did, for JSON."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from l7meter.attribution import Attribution
from l7meter.errors import REJECTED, UNREADABLE, L7MeterError
from l7meter.ingest import Ingested, ingest
from l7meter.ingest.outcome import Source
from l7meter.job.config import Config, SourceConfig
from l7meter.job.reporting import write_reports
from l7meter.privacy import Privacy
from l7meter.sources import discover
from l7meter.sources.discover import UNMATCHED
from l7meter.store import Store, close, compact, connect, expire, repair, retain
from l7meter.store.maintenance import mergeable
from l7meter.store.rollups import drop_before

LOG = logging.getLogger("l7meter.job")
Worse = Callable[[int, str], None]


class Period(NamedTuple):
    """When a run began (UTC), the days it is about (None: all), and whether it only says what is due."""

    now: datetime
    since: date | None = None
    until: date | None = None
    dry_run: bool = False

    def holds(self, moment: datetime) -> bool:
        """Whether an instant is on one of the days."""
        day = moment.astimezone(UTC).date()
        return (self.since is None or day >= self.since) and (
            self.until is None or day < self.until
        )

    def before(self, keep: timedelta) -> date:
        """The first UTC day of which a part is still within `keep`."""
        return (self.now - keep).date()


def update_reference_data(config: Config, period: Period, worse: Worse) -> dict[str, Any]:
    """Fetch what `update` names where it is older than `max_age`."""
    from l7meter.attribution.reference.fetching import fetch, named
    from l7meter.attribution.reference.shelf import Shelf

    shelf = Shelf(config.attribution.refdata)
    fetched: list[str] = []
    due: list[str] = []
    limit = config.attribution.max_age
    for name in config.attribution.update:
        newest = max((each.as_of for each in shelf.snapshots() if each.series.split(".")[0] == name), default=None)  # fmt: skip
        if newest and (limit is None or period.now.date() - newest <= limit):
            continue
        due.append(name)
        for url in () if period.dry_run else named(name).urls:
            made = fetch(shelf, named(name), url)
            if isinstance(made, str):
                LOG.warning("reference data %s: %s", name, made)  # the older stays in use
            else:
                fetched.append(made.name)
    return {"due": due, "fetched": fetched}


def read_sources(
    config: Config,
    period: Period,
    privacy: Privacy,
    progress: Callable[[Source], None] | None,
    worse: Worse,
) -> list[dict[str, Any]]:
    """Ingest what is new of each source; one object each. One that fails does not keep the others."""
    done = []
    for source in config.sources:
        try:
            done.append(_read(config, source, period, privacy, progress, worse))
        except Exception as error:
            code, said = fault(error)
            worse(code, f"source {source.name}: {said}")
            done.append({"name": source.name, "problem": said})
    return done


def fault(error: Exception) -> tuple[int, str]:
    """The exit code of an error, and what is said of it; a bug leaves its traceback in the log."""
    if isinstance(error, L7MeterError):
        return error.exit_code, str(error)
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return UNREADABLE, f"{place}{error.strerror or error}; the next run tries again"
    LOG.error("%s", error, exc_info=error)
    return 1, f"{type(error).__name__}: {error}; this is a fault of l7meter, please report it"


def _read(
    config: Config,
    source: SourceConfig,
    period: Period,
    privacy: Privacy,
    progress: Callable[[Source], None] | None,
    worse: Worse,
) -> dict[str, Any]:
    names, missing = discover(source.paths)
    ready, waiting = _ready(names, period, source.settle)
    for name, problem in missing:
        if problem != UNMATCHED:  # a glob may match nothing yet
            worse(UNREADABLE, f"source {source.name}: {name}: {problem}")
    if period.dry_run:
        done = _would(config, ready)
    else:
        attribution = Attribution(
            source.registry or None,
            organizations=config.attribution.organizations,
            refdata=config.attribution.refdata,
        )
        with Store.open_or_create(config.store) as store:
            done = ingest(ready, store, source.said(), attribution=attribution, privacy=privacy, progress=progress)  # fmt: skip
        if done.last_ts:
            for doubt in attribution.doubts(done.last_ts.date()):
                LOG.warning("reference data: %s", doubt)
    for each in done.sources:
        if each.status == "failed":
            worse(UNREADABLE, f"source {source.name}: {each.name}: {each.problem}")
        elif each.problem and each.status == "ingested":
            LOG.warning("source %s: %s: %s", source.name, each.name, each.problem)
    lines, rejects = sum(each.lines for each in done.logs), done.total("rejects")
    if lines and rejects > source.max_reject_share * lines:
        worse(REJECTED, f"source {source.name}: {rejects:,} of {lines:,} lines were rejected; 'l7meter quality' says why")  # fmt: skip
    told = done.as_dict()
    told.pop("files")
    told.pop("snapshot")
    return {"name": source.name, "files": len(names), "waiting": len(waiting), **told}


def _ready(names: Iterable[str], period: Period, settle: timedelta) -> tuple[list[str], list[str]]:
    """The files that are to be read, and those that were written to too recently; others are left out."""
    ready: list[str] = []
    waiting: list[str] = []
    for name in names:
        try:
            written = datetime.fromtimestamp(os.stat(name).st_mtime, UTC)  # noqa: PTH116
        except OSError:
            ready.append(name)  # to be told by who opens it
            continue
        if period.holds(written):
            quiet = period.now - written >= settle or settle == timedelta(0)
            (ready if quiet else waiting).append(name)
    return ready, waiting


def _would(config: Config, names: Iterable[str]) -> Ingested:
    """What a run would find: files that were seen are known, the others would be read."""
    from l7meter.ingest.seen import Seen

    there = Store.exists(config.store)
    seen = Seen(Store.open(config.store)) if there else None
    done = Ingested()
    for name in names:
        known = seen.before(name) if seen else None
        done.sources.append(Source(name, status="known" if known else "ingested"))
    return done


def sum_up(config: Config, period: Period, worse: Worse) -> dict[str, Any]:
    """Cover the records, and close the days that are complete."""
    before = period.before(config.days.close_after)
    with Store.open(config.store) as store:
        if period.dry_run:
            known = {each.day for each in store.days()}
            due = [day for day in store.summed_days() if day < before and day not in known]
            return {"to_close": [str(day) for day in due]}
        closed = close(store, min(filter(None, (before, period.until))))
        restated = [str(each.day) for each in store.days() if each.state == "restated"]
    return {"closed": [str(day) for day in closed], "restated_ever": restated}


def report(config: Config, period: Period, worse: Worse) -> list[dict[str, Any]]:
    """Write the reports that are due."""
    made = write_reports(config, connect, config.store, period.now, period.since, period.until, period.dry_run)  # fmt: skip
    for each in made:
        if each.problem:
            worse(each.exit_code or UNREADABLE, f"report {each.report} of {each.period}: {each.problem}")  # fmt: skip
    return [
        {"report": each.report, "period": each.period, "state": each.state, "path": str(each.path)}
        for each in made
        if each.state != "unchanged"
    ]


def forget_old(config: Config, period: Period, worse: Worse) -> dict[str, Any]:
    """Take out what is older than it may be kept."""
    keep = config.retention
    with Store.open(config.store) as store:
        taken = retain(
            store,
            records=period.before(keep.records) if keep.records else None,
            rejects=period.before(keep.rejects) if keep.rejects else None,
            rollups=config.rollups.enabled,
            dry_run=period.dry_run,
        )
        dropped = 0
        if keep.rollups:
            dropped = drop_before(store, period.before(keep.rollups), dry_run=period.dry_run)
    return {"records": taken.records, "rejects": taken.rejects, "rollup_files": dropped}


def compact_files(config: Config, period: Period, worse: Worse) -> dict[str, Any]:
    """Merge small files where there are enough of them."""
    merged = 0
    by_day = config.retention.records is not None
    with Store.open(config.store) as store:
        for table in ("records", "rejects"):
            files = sum(map(len, mergeable(store, table, balanced=True, by_day=by_day)))
            if files >= config.compaction.files:
                merged += files
                if not period.dry_run:
                    compact(store, table, balanced=True, by_day=by_day)
    return {"files": merged}


def expire_snapshots(config: Config, period: Period, worse: Worse) -> dict[str, Any]:
    """End time travel where it is no longer kept, and remove what killed writers left."""
    removed: list[Path] = []
    with Store.open(config.store) as store:
        if config.retention.snapshots is not None:
            removed = expire(store, before=period.now - config.retention.snapshots, dry_run=period.dry_run)  # fmt: skip
    with Store.open(config.store) as store:  # another: repair waits for who has written
        left = repair(store, period.dry_run)
    return {"files": len(removed), "left_over_files": len(left)}
