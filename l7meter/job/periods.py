"""Which reports are due, and of which periods."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from l7meter.job.config import Config, ReportConfig
from l7meter.store.publications import DAY, Standing


class Period(NamedTuple):
    """A UTC day or month, both of its ends included, or all there is (without days)."""

    name: str
    first: date | None = None
    last: date | None = None

    def parameters(self) -> dict[str, str]:
        """`since` and `until` of a question: the start, and the end that is not included."""
        if not self.first or not self.last:
            return {}
        return {"since": str(self.first), "until": str(self.last + DAY)}


class Due(NamedTuple):
    """A file to be written; `again`: it was before, and its days have changed since."""

    period: Period
    path: Path
    again: bool


def closed_before(now: datetime, close_after: timedelta) -> date:
    """The first UTC day that is not closed yet."""
    return (now.astimezone(UTC) - close_after).date()


def due(
    report: ReportConfig, standing: Standing, before: date, since: date | None, until: date | None
) -> list[Due]:
    """The files of a report that are not there yet or no longer right, by time.

    Of periods that share a file (no `{period}` in the path) the last has it. `since` and `until` leave
    out periods that are not wholly within; the day `until` is without.
    """
    files: dict[Path, Period] = {}
    for period in _periods(report.every, standing, before):
        if period.first and period.last:
            outside = (since and period.first < since) or (until and period.last >= until)
            if outside or not standing.moving.isdisjoint(_days(period)):
                continue
        files[report.file(period.name)] = period
    found = (_due(report.name, path, period, standing) for path, period in files.items())
    return [each for each in found if each]


def _periods(every: str, standing: Standing, before: date) -> Iterator[Period]:
    if every == "run":
        yield Period("all")
        return
    if every == "day":
        yield from (Period(str(day), day, day) for day in sorted(standing.changed))
        return
    for first in sorted({day.replace(day=1) for day in standing.changed}):
        last = (first + 31 * DAY).replace(day=1) - DAY
        if last < before:
            yield Period(f"{first:%Y-%m}", first, last)


def _due(name: str, path: Path, period: Period, standing: Standing) -> Due | None:
    known = standing.publications.get((name, str(path)))
    if not known or not period.last:
        return Due(period, path, again=False)
    if (known.first_day, known.last_day) != (period.first, period.last):
        newer = not known.last_day or known.last_day < period.last
        return Due(period, path, again=False) if newer else None
    changed = max(standing.changed.get(day, 0) for day in _days(period))
    return Due(period, path, again=True) if changed > known.snapshot else None


def _days(period: Period) -> Iterable[date]:
    assert period.first
    assert period.last
    return [period.first + DAY * n for n in range((period.last - period.first).days + 1)]


def all_due(
    config: Config, standing: Standing, now: datetime, since: date | None, until: date | None
) -> Iterator[tuple[ReportConfig, list[Due]]]:
    """What is due of each report of a configuration."""
    before = closed_before(now, config.days.close_after)
    for report in config.reports:
        yield report, due(report, standing, before, since, until)
