"""`l7meter status`: what an operator wants at 3 a.m., each line with a verdict and, where it is not well, a step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path

import polars as pl

from l7meter.job.condition import Condition
from l7meter.job.status_runs import runs, sources
from l7meter.job.verdict import Line, Verdict, graded, plural, span
from l7meter.units import bytes_text

ONE_DAY = timedelta(days=1)
SMALL_FILES = 64  # as [compaction] files
ROOM = 0.05  # share of the file system; compaction and summing up need some
LATE_DELETION = (2, 7)  # days beyond what [retention] says
TIGHT = (30, 7)  # days until the disk is full


def status(found: Condition) -> list[Line]:
    """All lines, by section."""
    sections = (runs, sources, days, reports, store, retention, references, disk)
    return [line for section in sections for line in section(found)]


def frame(lines: Sequence[Line]) -> pl.DataFrame:
    """Lines as rows: section, what, verdict, said, next_step, value, unit."""
    text, number = pl.String, pl.Float64
    types = dict(zip(Line._fields, (text, text, text, text, text, number, text), strict=True))
    return pl.DataFrame([tuple(line) for line in lines], schema=types, orient="row")


def days(found: Condition) -> Iterator[Line]:
    """Days by state, those that should be closed by now, and those that changed and wait."""
    if not found.standing or (found.config and not found.config.rollups.enabled):
        return
    restated = [each for each in found.days if each.state == "restated"]
    said = f"{plural(len(found.open_days), 'day')} open, {len(found.days):,} closed, {len(restated):,} of them restated"  # fmt: skip
    if restated:
        said += f" (last {max(each.day for each in restated)})"
    yield Line("days", "states", "ok", said, None, len(found.open_days), "days")
    if found.unsettled:
        yield Line("days", "unsettled", "warning", f"data came for closed days: {_some(found.unsettled)}", "'l7meter run' sums them up anew", len(found.unsettled), "days")  # fmt: skip
    if not found.config:
        return
    limit = (found.now - found.config.days.close_after - 2 * ONE_DAY).date()
    if due := [day for day in found.open_days if day < limit]:
        yield Line("days", "not closed", "warning", f"should be closed: {_some(due)}", "'l7meter run' closes them", len(due), "days")  # fmt: skip


def reports(found: Condition) -> Iterator[Line]:
    """Files of reports that are no longer right, or not there."""
    if not found.standing:
        return
    count = len(found.standing.publications)
    if found.outdated:
        yield Line("reports", "outdated", "warning", f"days have changed since these were written: {_some(found.outdated)}", "'l7meter run' writes them again and keeps the old ones beside", len(found.outdated), "files")  # fmt: skip
    if found.missing:
        yield Line("reports", "missing", "warning", f"due and not written: {_some(found.missing)}", "'l7meter run' writes them, or says why not", len(found.missing), "files")  # fmt: skip
    if count and not (found.outdated or found.missing):
        yield Line("reports", "published", "ok", f"{plural(count, 'file')}, all as the store has it", None, count, "files")  # fmt: skip


def store(found: Condition) -> Iterator[Line]:
    """What the store holds and how it is kept."""
    if found.store is None:
        yield Line(
            "store", str(found.path), "warning", "is not there yet", "'l7meter run' makes it"
        )
        return
    tables = found.store.tables.items()
    total = sum(each.octets for _, each in tables)
    parts = ", ".join(f"{name} {bytes_text(each.octets)} ({each.rows:,} rows, {plural(each.files, 'file')})" for name, each in tables if each.files)  # fmt: skip
    yield Line("store", "size", "ok", f"{bytes_text(total)}: {parts}" if parts else "empty", None, total, "bytes")  # fmt: skip
    former, count = found.store.former_octets, found.store.snapshots
    said = f"{plural(count, 'snapshot')} since {found.store.oldest_snapshot:%Y-%m-%d}; {bytes_text(former)} only earlier ones have"  # fmt: skip
    wasteful = former > 2 * total and former > 1e9
    yield Line("store", "snapshots", "warning" if wasteful else "ok", said, "'l7meter store expire --keep-days 7' frees it" if wasteful else None, count, "snapshots")  # fmt: skip
    small = found.small_files
    limit = 4 * (found.config.compaction.files if found.config else SMALL_FILES)
    many: Verdict = "warning" if small > limit else "ok"
    yield Line("store", "small files", many, f"{plural(small, 'file')} could be merged", "'l7meter store compact' makes questions faster" if many != "ok" else None, small, "files")  # fmt: skip
    if found.left_over:
        yield Line("store", "left over", "warning", f"nothing refers to {plural(found.left_over, 'file')} of more than a day ago", "'l7meter store repair --dry-run' names them", found.left_over, "files")  # fmt: skip


def retention(found: Condition) -> Iterator[Line]:
    """Whether the store keeps nothing for longer than it may."""
    if found.store is None:
        return
    oldest, horizon = found.store.oldest_record, found.store.horizon
    gone = f"; records before {horizon} are deleted" if horizon else ""
    if not found.config:
        if oldest:
            yield Line("retention", "records", "ok", f"the oldest is of {oldest}{gone}")
        return
    keep = found.config.retention
    for what, day, limit in (
        ("records", oldest, keep.records),
        ("rejects", found.store.oldest_rejects and found.store.oldest_rejects.date(), keep.rejects),
    ):
        if day:
            yield _kept(found, what, day, limit, gone if what == "records" else "")


def _kept(found: Condition, what: str, day: date, limit: timedelta | None, gone: str) -> Line:
    said = f"the oldest is of {day}"
    if limit is None:
        return Line("retention", what, "ok", f"{said}; kept for ever{gone}")
    over = ((found.now - limit).date() - day).days
    verdict = graded(over, *LATE_DELETION)
    said += f"; kept for {span(limit)}"
    if verdict == "ok":
        return Line("retention", what, verdict, said + gone, None, over, "days")
    return Line("retention", what, verdict, f"{said}, which ended {over:,} days ago{gone}", "'l7meter run' deletes what is too old; it does not under --since or --until, or a clock that leapt", over, "days")  # fmt: skip


def references(found: Condition) -> Iterator[Line]:
    """How old the reference data are by which it is said who is who."""
    config = found.config.attribution if found.config else None
    limit = config.max_age if config else None
    for each in found.references:
        age = (found.now.date() - each.as_of).days
        old = limit is not None and age > limit.days
        step = "'l7meter run' fetches what [attribution] update names" if config and config.update else "'l7meter refdata update' fetches newer"  # fmt: skip
        yield Line("reference data", each.series, "warning" if old else "ok", f"{age:,} days old ({each.name})", step if old else None, age * 86_400.0, "seconds")  # fmt: skip
    for doubt in found.doubts:
        yield Line(
            "reference data",
            "doubt",
            "warning",
            doubt,
            "'l7meter refdata list' shows what is in use",
        )


def disk(found: Condition) -> Iterator[Line]:
    """How long the disk lasts, if records go on to come, and to be deleted, as in the last week."""
    share = found.free / found.size if found.size else 1.0
    said = f"{bytes_text(found.free)} free of {bytes_text(found.size)}"
    verdict = graded(-share, -2 * ROOM, -ROOM)
    left: float | None = None
    if found.growth is not None:
        change = "grow" if found.growth >= 0 else "shrink"
        said += f"; records {change} by {bytes_text(abs(found.growth))} a day"
        if found.growth > 0:
            left = found.free / found.growth
            said += f": full in {left:,.0f} days" if left < 3650 else ""
            verdict = max(verdict, graded(-left, -TIGHT[0], -TIGHT[1]), key=("ok", "warning", "critical").index)  # fmt: skip
    step = "make room: shorten [retention], or 'l7meter store expire', or a larger disk"
    yield Line(
        "disk", "space", verdict, said, step if verdict != "ok" else None, found.free, "bytes"
    )


def _some(items: Sequence[date] | Sequence[str], shown: int = 3) -> str:
    names = [Path(each).name if isinstance(each, str) else str(each) for each in items]
    return ", ".join(names[:shown]) + (f" and {len(names) - shown:,} more" if len(names) > shown else "")  # fmt: skip
