"""Reports of the batch job: each closed day and month once, and again where its days were restated."""

from __future__ import annotations

import io
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, Protocol

from l7meter import __version__
from l7meter.analysis import load, run
from l7meter.analysis.catalogue import Query
from l7meter.analysis.publishing import publishable
from l7meter.errors import UNREADABLE, L7MeterError
from l7meter.job import outbox
from l7meter.job.config import Config, ReportConfig
from l7meter.job.periods import Due, all_due
from l7meter.reports import files
from l7meter.store import Connection
from l7meter.store.asking import asks_records
from l7meter.store.publications import Publication, Standing, record, standing

LOG = logging.getLogger(__name__)

State = Literal["written", "restated", "unchanged", "outdated", "failed", "due"]


class Connect(Protocol):
    """How a store is opened to be asked: `l7meter.store.connect`."""

    def __call__(self, path: Path, /, *, snapshot: int, locked: bool) -> Connection:
        """The views of a store as of a snapshot, with no way out."""


@dataclass(frozen=True, kw_only=True)
class Written:
    """What became of one file of a report.

    `written`; `restated`: with other figures than before, which are kept in `superseded`; `unchanged`:
    days were restated, but not what it shows; `outdated`: so, but its records are gone; `failed`;
    `due`, of a dry run. `problem` says why, `exit_code` what a command ends with for it.
    """

    report: str
    period: str
    path: Path
    state: State
    snapshot: int
    rows: int = 0
    octets: int = 0
    superseded: Path | None = None
    problem: str | None = None
    exit_code: int = 0


def write_reports(
    config: Config,
    connect: Connect,
    store_path: Path,
    now: datetime,
    since: date | None = None,
    until: date | None = None,
    dry_run: bool = False,
) -> list[Written]:
    """Write the reports that are due, all of one snapshot; what came of each file, by report and time.

    A day is reported on once it is closed, a month once all of its days are; days to be settled again are
    waited for. `since` and `until` (UTC days, the latter not included) leave out periods that are
    not wholly within. A report that fails is said to, and left for the next run; the others go on.
    Raises `StoreError` where the store cannot be read or written to.
    """
    if not config.reports:
        return []
    stands = standing(store_path)
    wanted = list(all_due(config, stands, now, since, until))
    if dry_run or not any(dues for _, dues in wanted):
        return [
            Written(report=report.name, period=each.period.name, path=each.path, state="due", snapshot=stands.snapshot)
            for report, dues in wanted
            for each in dues
        ]  # fmt: skip
    with connect(store_path, snapshot=stands.snapshot, locked=True) as connection:
        desk = _Desk(config, connection, store_path, stands, now)
        return [made for report, dues in wanted if dues for made in desk.write(report, dues)]


class _Desk:
    def __init__(
        self, config: Config, connection: Connection, store: Path, stands: Standing, now: datetime
    ) -> None:
        self.config = config
        self.connection = connection
        self.store = store
        self.stands = stands
        self.now = now.astimezone(UTC)

    def write(self, report: ReportConfig, dues: list[Due]) -> list[Written]:
        """Write the files of one report, up to the first that fails."""
        done: list[Written] = []
        due = dues[0]
        try:
            name = report.query
            query = load(str(self.config.path.parent / name) if name.endswith(".sql") else name)
            horizon = self.stands.horizon
            if horizon and not asks_records(self.connection, query.sql):
                horizon = None
            late = [each for each in dues if horizon and each.period.first and each.period.first < horizon]  # fmt: skip
            _tell(report, dues, late, horizon)
            for due in dues:
                if due in late:
                    done += self._outdated(report, due)
                else:
                    done.append(self._file(report, query, due))
        except Exception as error:  # of any kind: the other reports go on
            done.append(self._failed(report, due, error))
        return done

    def _file(self, report: ReportConfig, query: Query, due: Due) -> Written:
        bound = query.bind({**report.parameters, **due.period.parameters()})
        publish = self.config.publish
        frame = publishable(run(self.connection, query, bound), publish.min_clients, publish.digits)
        stream = io.BytesIO()
        files.write(report.format, stream, frame)
        first, last = due.period.first, due.period.last
        about = {
            "report": report.name,
            "period": {"name": due.period.name, "first_day": first and str(first), "last_day": last and str(last)},
            "query": query.name,
            "query_sha256": sha256(query.sql.encode()).hexdigest(),
            "parameters": _said(bound),
            "publish": {"min_clients": publish.min_clients, "digits": publish.digits},
            "snapshot": self.stands.snapshot,
            "format": report.format,
            "rows": frame.height,
            "l7meter": __version__,
            "written_at": self.now.isoformat(timespec="seconds"),
        }  # fmt: skip
        known = (report.name, str(due.path)) in self.stands.publications
        put = outbox.put(due.path, stream.getvalue(), about, ours=known)
        self._record(report, due)
        state: State = "written" if put.changed else "unchanged"
        return Written(
            report=report.name,
            period=due.period.name,
            path=due.path,
            state="restated" if put.superseded else state,
            snapshot=self.stands.snapshot,
            rows=frame.height,
            octets=len(stream.getvalue()),
            superseded=put.superseded,
        )

    def _outdated(self, report: ReportConfig, due: Due) -> list[Written]:
        """Of records that are gone nothing is written; that a file is no longer right is said once."""
        if not due.again:
            return []
        self._record(report, due)
        problem = (
            f"report '{report.name}': {due.path}: data came for days before {self.stands.horizon}, "
            "whose records are gone: it stays as it was; keep records longer ([retention] records)"
        )
        return [self._written(report, due, "outdated", problem)]

    def _failed(self, report: ReportConfig, due: Due, error: Exception) -> Written:
        code, said = 1, f"{type(error).__name__}: {error}; this is a fault of l7meter"
        if isinstance(error, L7MeterError):
            code, said = error.exit_code, str(error)
        elif isinstance(error, OSError):
            code = UNREADABLE
            said = (
                f"{error.filename or due.path}: {error.strerror or error}; the next run tries again"
            )
        else:
            LOG.error("report '%s' failed", report.name, exc_info=error)
        return self._written(report, due, "failed", f"report '{report.name}': {said}", code)

    def _written(
        self, report: ReportConfig, due: Due, state: State, problem: str, code: int = 0
    ) -> Written:
        return Written(
            report=report.name,
            period=due.period.name,
            path=due.path,
            state=state,
            snapshot=self.stands.snapshot,
            problem=problem,
            exit_code=code,
        )

    def _record(self, report: ReportConfig, due: Due) -> None:
        _, first, last = due.period
        at = Publication(report.name, str(due.path), first, last, self.stands.snapshot)
        record(self.store, at, self.now)


def _tell(report: ReportConfig, dues: list[Due], late: list[Due], horizon: date | None) -> None:
    """Say which records a report is not of, as retention has taken them out."""
    never = [each.period.name for each in late if not each.again]
    if never:
        LOG.warning("report '%s': not written of %s to %s, %d in all: the records of days before %s are gone", report.name, never[0], never[-1], len(never), horizon)  # fmt: skip
    if horizon and not all(each.period.first for each in dues):
        LOG.info("report '%s' is of the records that are there, from %s on", report.name, horizon)


def _said(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Values of parameters as JSON has them: dates as ISO 8601, durations in seconds."""
    made = dict(parameters)
    for name, value in made.items():
        if isinstance(value, timedelta):
            made[name] = value.total_seconds()
        elif isinstance(value, date):
            made[name] = value.isoformat()
    return made
