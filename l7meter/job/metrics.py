"""Metrics of a run for Prometheus, in the text format that node_exporter's textfile collector takes.

Names and types: https://prometheus.io/docs/practices/naming/. What can shrink (a source is forgotten,
retention takes records) is a gauge; counters add up what runs have read. Labels have the values that the
configuration, the shelf of reference data and the schema have, and none that a log could bring.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from l7meter import __version__
from l7meter.job import outbox
from l7meter.job.condition import Condition, condition
from l7meter.job.config import Config
from l7meter.store.overview import read_by_runs

READ = ("lines", "records", "rejects")
Values = Iterable[tuple[tuple[str, ...], float]]


class Ended(Protocol):
    """What metrics want of the result of a run."""

    started_at: datetime
    exit_code: int
    seconds: dict[str, float]

    @property
    def ended_at(self) -> datetime:
        """When it ended, or is about to."""


def write_metrics(config: Config, path: Path, result: Ended, said: Mapping[str, Any]) -> None:
    """Write the metrics of a run that is about to end, at once: a scrape sees the old file or the new one.

    `said` is the result's JSON. The directory has to be there. Raises `OSError` if it cannot be written to.
    """
    found = condition(config, config.store, result.ended_at)
    outbox.write(path, metrics(found, result, said))


def metrics(found: Condition, result: Ended, said: Mapping[str, Any]) -> bytes:
    """The metrics of a store after a run, as text."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(found, result, said))
    return generate_latest(registry)


class _Collector(Collector):
    def __init__(self, found: Condition, result: Ended, said: Mapping[str, Any]) -> None:
        self.found = found
        self.result = result
        self.said = said

    def collect(self) -> Iterator[Metric]:
        yield _gauge("build_info", "Version of l7meter that ran.", [((__version__,), 1)], "version")
        yield from self._run()
        yield from self._sources()
        yield from self._store()
        yield from self._days()
        now = self.found.now.date()
        ages = [((each.series,), (now - each.as_of).days * 86_400.0) for each in self.found.references]  # fmt: skip
        yield _gauge("refdata_age_seconds", "Age of reference data in use, by the day it is of.", ages, "series")  # fmt: skip

    def _run(self) -> Iterator[Metric]:
        seconds = self.result.seconds
        code = self.result.exit_code
        yield _gauge("last_run_timestamp_seconds", "When the last run began.", [((), self.result.started_at.timestamp())])  # fmt: skip
        yield _gauge("last_run_success", "Whether the last run ended with exit code 0.", [((), float(code == 0))])  # fmt: skip
        yield _gauge("last_run_exit_code", "Exit code of the last run (docs/run.md).", [((), code)])
        yield _gauge("last_run_problems", "Problems that the last run met.", [((), len(self.said["problems"]))])  # fmt: skip
        yield _gauge("last_run_duration_seconds", "How long each step of the last run took.", [((step,), took) for step, took in seconds.items()], "step")  # fmt: skip

    def _sources(self) -> Iterator[Metric]:
        found, now = self.found.deliveries, self.found.now
        lags = [((each.source.name,), late.total_seconds()) for each in found if (late := each.late(now)) is not None]  # fmt: skip
        yield _gauge("source_lag_seconds", "Age of the newest record of each source.", lags, "source")  # fmt: skip
        expected = [((each.source.name,), each.source.every.total_seconds()) for each in found if each.source.every]  # fmt: skip
        yield _gauge("source_period_seconds", "How often each source should deliver.", expected, "source")  # fmt: skip
        files = [((each.source.name, state), float(count)) for each in found for state, count in (("read", each.files - each.unread), ("unread", each.unread))]  # fmt: skip
        yield _gauge("source_files", "Files of each source: as they were when they were read, or not.", files, "source", "state")  # fmt: skip
        totals = self._read()
        for place, what in enumerate(READ):
            values = [((each.source.name,), float(totals[each.source.name][place])) for each in found]  # fmt: skip
            yield _counter(f"source_{what}", f"{what.capitalize()} that all runs have read of each source.", values, "source")  # fmt: skip

    def _read(self) -> dict[str, list[int]]:
        """Sums of the runs before, and of this one."""
        before = read_by_runs(self.found.path) if self.found.store else {}
        totals = {each.source.name: list(before.get(each.source.name, (0, 0, 0))) for each in self.found.deliveries}  # fmt: skip
        for each in self.said.get("sources", ()):
            if each["name"] in totals:
                totals[each["name"]] = [sum + each.get(what, 0) for what, sum in zip(READ, totals[each["name"]], strict=True)]  # fmt: skip
        return totals

    def _store(self) -> Iterator[Metric]:
        yield _gauge("store_free_bytes", "Octets that are free on the store's file system.", [((), self.found.free)])  # fmt: skip
        store = self.found.store
        if store is None:
            return
        tables = store.tables.items()
        yield _gauge("store_bytes", "Octets of the files of each table.", [((name,), each.octets) for name, each in tables], "table")  # fmt: skip
        yield _gauge("store_former_bytes", "Octets of files that only earlier snapshots have.", [((), store.former_octets)])  # fmt: skip
        yield _gauge("store_rows", "Rows of each table.", [((name,), each.rows) for name, each in tables], "table")  # fmt: skip
        yield _gauge("store_files", "Files of each table.", [((name,), each.files) for name, each in tables], "table")  # fmt: skip
        yield _gauge("store_small_files", "Files that compaction would merge.", [((), self.found.small_files)])  # fmt: skip
        yield _gauge("store_left_over_files", "Files that nothing refers to, a day old or more.", [((), self.found.left_over)])  # fmt: skip
        yield _gauge("store_snapshots", "States of the store that can be asked.", [((), store.snapshots)])  # fmt: skip
        yield _gauge("store_sources", "Sources in the ledger.", [((), store.sources.height)])

    def _days(self) -> Iterator[Metric]:
        if self.found.standing is None:
            return
        states = {"open": len(self.found.open_days), "closed": 0, "restated": 0}
        for each in self.found.days:
            states[each.state] += 1
        yield _gauge("dates", "UTC days by state.", [((state,), count) for state, count in states.items()], "state")  # fmt: skip
        yield _gauge("dates_unsettled", "Closed days whose sums have yet to follow what changed in them.", [((), len(self.found.unsettled))])  # fmt: skip
        yield _gauge("reports_outdated", "Reports whose days have changed since they were written.", [((), len(self.found.outdated))])  # fmt: skip
        yield _gauge("reports_missing", "Reports of closed periods that were never written.", [((), len(self.found.missing))])  # fmt: skip


def _gauge(name: str, sentence: str, values: Values, *labels: str) -> Metric:
    return _filled(GaugeMetricFamily(f"l7meter_{name}", sentence, labels=labels), values)


def _counter(name: str, sentence: str, values: Values, *labels: str) -> Metric:
    return _filled(CounterMetricFamily(f"l7meter_{name}", sentence, labels=labels), values)


def _filled(family: GaugeMetricFamily | CounterMetricFamily, values: Values) -> Metric:
    for labels, value in values:
        family.add_metric(labels, value)
    return family
