"""A year of hourly batches: does a run take as long at its end as at its beginning?

`python -m benchmarks.year [--hours 8760] [--lines 300] [--folder DIR]`. Each hour is delivered (some late, some
twice, one log growing), then `l7meter.job.run.run` works as if it were that time, in this process; the first hour of
each month is a process of its own, which shows what a start costs. The clock of snapshots is set to the same
time, as they are expired by it. DIR keeps `runs.jsonl` and the store.
"""

from __future__ import annotations

import argparse
import json
import logging
import resource
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks import measure
from benchmarks.hours import START, Deliveries, configure
from l7meter.analysis import load
from l7meter.analysis import run as ask
from l7meter.job.config import Config, read
from l7meter.job.run import Result, run
from l7meter.store import Store, catalog, connect, verify

MONTH = 730  # hours
ROUNDS = 3


class Clock(datetime):
    """A clock that stands at `at`."""

    at = START

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return cls.at


def at(config: Config, now: datetime) -> Result:
    """A run at that time."""
    Clock.at = now
    catalog.datetime = Clock  # type: ignore[attr-defined]
    return run(config, now=now)


def hours(folder: Path, count: int, lines: int) -> list[dict[str, Any]]:
    """Run hour by hour; what each took. A month is looked at when it is over."""
    deliveries = Deliveries(folder / "logs", lines)
    config = read(path := configure(folder))
    done = []
    with (folder / "runs.jsonl").open("w") as log:
        for hour in range(count):
            now = deliveries.deliver(hour)
            if hour % MONTH == 0:
                own = [sys.executable, "-m", "benchmarks.year", "--one", str(path), now.isoformat()]
                one = measure.run(own)
                if one.exit_code:
                    raise RuntimeError(one.errors)
                took = {"process": one.seconds, "cpu": one.cpu_seconds, "process_anon": one.peak_anon}  # fmt: skip
            else:
                before, used = time.perf_counter(), time.process_time()
                result = at(config, now)
                took = {"seconds": time.perf_counter() - before, "cpu": time.process_time() - used, "steps": result.seconds}  # fmt: skip
                if result.exit_code:
                    raise RuntimeError(f"hour {hour}: {result.problems}")
            entry = {"hour": hour, **took}
            if (hour + 1) % MONTH == 0 or hour + 1 == count:
                entry["month"] = look(config.store)
                print(json.dumps({"hour": hour, **entry["month"]}), file=sys.stderr, flush=True)
            log.write(json.dumps(entry) + "\n")
            done.append(entry)
    _agrees(config.store, deliveries)
    return done


def look(path: Path) -> dict[str, Any]:
    """What a store weighs, and how long it takes to answer."""
    store = Store.open(path)
    said: dict[str, Any] = {"catalog": store.catalog.stat().st_size}
    for table in catalog.TABLES:
        live = store.files(table)
        there = [each.stat().st_size for each in (store.data / table).iterdir()]
        said[table] = {"files": len(live), "rows": sum(f.rows for f in live), "octets": sum(f.size_bytes for f in live), "all_files": len(there), "all_octets": sum(there)}  # fmt: skip
    with catalog.reading(store.catalog) as db:
        names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]  # fmt: skip
        counts = {name: db.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names}  # fmt: skip
        said["catalog_rows"] = {name: count for name, count in counts.items() if count > 300}
    for name in ("by_day", "top_organizations"):
        said[name] = min(_asked(path, name) for _ in range(ROUNDS))
    said["rss_peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return said


def _asked(path: Path, name: str) -> float:
    began = time.perf_counter()
    query = load(name)
    with connect(path) as connection:
        ask(connection, query, query.bind({}))
    return time.perf_counter() - began


def _agrees(path: Path, deliveries: Deliveries) -> None:
    """The store has what was delivered, once: lines, rejects, and records and octets of each day."""
    with connect(path) as connection:
        summed = "SELECT day, sum(records)::BIGINT, sum(server_bytes)::BIGINT FROM usage_daily GROUP BY ALL"
        found = {day: (records, octets) for day, records, octets in connection.sql(summed).fetchall()}  # fmt: skip
        lines = connection.sql("SELECT sum(lines)::BIGINT, sum(rejects)::BIGINT FROM sources").fetchall()  # fmt: skip
    truth = deliveries.truth
    unlike = {day for day in truth.days.keys() | found.keys() if found.get(day) != (truth.days[day], truth.octets[day])}  # fmt: skip
    if unlike or lines != [(truth.lines, truth.rejects)]:
        print(f"WRONG: days {sorted(map(str, unlike))}, lines {lines}", truth.lines, truth.rejects)
    else:
        print(f"{truth.lines:,} lines: every day's records and octets are those delivered, once")
    problems = verify(Store.open(path))
    print(f"verify: {[str(each) for each in problems[:5]] or 'clean'}")


def table(done: list[dict[str, Any]]) -> str:
    """What was measured, as Markdown."""
    months = defaultdict(list)
    for entry in done:
        months[entry["hour"] // MONTH].append(entry)
    text = ["| month | run, median s | p99 | CPU, median s | a process, s | its memory, MB | records files | rows | MB | all files | catalog, MB | by_day, s | top_organizations, s |", "|---|" + "---:|" * 12]  # fmt: skip
    for month, entries in months.items():
        seconds = sorted(each["seconds"] for each in entries if "seconds" in each)
        own = next((each for each in entries if "process" in each), {})
        said = entries[-1]["month"]
        records = said["records"]
        all_files = sum(v["all_files"] for v in said.values() if isinstance(v, dict) and "files" in v)  # fmt: skip
        text.append(
            f"| {month + 1} | {statistics.median(seconds):.3f} | {seconds[int(len(seconds) * 0.99)]:.3f} "
            f"| {statistics.median(each['cpu'] for each in entries if 'seconds' in each):.3f} "
            f"| {own.get('process', 0):.2f} | {own.get('process_anon', 0) / 1e6:.0f} | {records['files']} "
            f"| {records['rows']:,} | {records['octets'] / 1e6:.1f} | {all_files} | {said['catalog'] / 1e6:.1f} "
            f"| {said['by_day']:.2f} | {said['top_organizations']:.2f} |"
        )
    inside = [each for each in done if "seconds" in each]
    text.append("")
    for name, part in (("first", inside[:100]), ("last", inside[-100:])):
        steps: dict[str, float] = defaultdict(float)
        for each in part:
            for step, took in each["steps"].items():
                steps[step] += took / len(part)
        told = ", ".join(f"{step} {took:.3f}" for step, took in steps.items())
        text.append(
            f"{name} 100 runs: median {statistics.median(each['seconds'] for each in part):.3f} s, CPU "
            f"{statistics.median(each['cpu'] for each in part):.3f} s; mean by step: {told}"
        )
    return "\n".join(text)


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=int, default=8760)
    parser.add_argument("--lines", type=int, default=300, help="of an hour's log")
    parser.add_argument("--folder", type=Path, help="that keeps the logs, the store and runs.jsonl")
    parser.add_argument("--one", nargs=2, metavar=("CONFIG", "TIME"), help="one run at a time")
    given = parser.parse_args()
    if given.one:
        raise SystemExit(at(read(Path(given.one[0])), datetime.fromisoformat(given.one[1])).exit_code)  # fmt: skip
    logging.getLogger("l7meter").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        print(table(hours(folder, given.hours, given.lines)))


if __name__ == "__main__":
    main()
