"""Status of the runs and of what the sources deliver."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

import polars as pl

from l7meter.job.condition import Condition
from l7meter.job.delivery import DAY, Delivery
from l7meter.job.verdict import Line, Verdict, graded, plural, span, worst
from l7meter.store.history import PastRun

RUN = "'l7meter run' says more"
BUG, USAGE = 1, 2
SHOWN = 3  # runs
HOUR, WEEK = timedelta(hours=1), timedelta(days=7)
LONG = 4.0  # times what is usual
_MEANS = {0: "done", BUG: "a fault of l7meter", USAGE: "not as configured", 3: "something could not be read or written", 4: "too many rejected lines"}  # fmt: skip


def runs(found: Condition) -> Iterator[Line]:
    """When the job ran last, how it ended, and whether it is at work, dead or overdue."""
    if not found.runs:
        if found.config or not found.store:
            yield Line("runs", "last run", "warning", "there was none", "'l7meter run' makes the first; 'l7meter schedule' makes it regular")  # fmt: skip
        return
    last, *before = found.runs
    at_work = last.ended_at is None and found.holder is not None
    yield _last(found, last, at_work)
    yield from _overdue(found, last, at_work)
    for past in before[: SHOWN - 1]:
        yield Line("runs", f"run {past.run_id}", "ok", f"{past.started_at:%Y-%m-%d %H:%M}: {_ended(past)}")  # fmt: skip


def _last(found: Condition, last: PastRun, at_work: bool) -> Line:
    name, when = f"run {last.run_id}", f"{last.started_at:%Y-%m-%d %H:%M}"
    if at_work:
        took, usual = found.now - last.started_at, _usual_length(found)
        stuck: Verdict = "warning" if usual and took > max(LONG * usual, 6 * HOUR) else "ok"
        said = f"{when}: at work for {span(took)} ({found.holder})"
        return Line("runs", name, stuck, said, "look what it waits for: its log, the disk" if stuck != "ok" else None, took.total_seconds(), "seconds")  # fmt: skip
    if last.ended_at is None:
        return Line("runs", name, "critical", f"{when}: died, nobody knows when: it was killed, or the machine went down", "see the system's log (memory?); 'l7meter run' makes it good")  # fmt: skip
    code = last.exit_code or 0
    verdict: Verdict = "ok" if not code else "warning" if code in (3, 4) else "critical"
    problems = last.result.get("problems", [])
    said = f"{when}: {_ended(last)}"
    if problems:
        said += f": {problems[0]}" + (f" (and {len(problems) - 1:,} more)" if problems[1:] else "")
    took = last.ended_at - last.started_at
    return Line("runs", name, verdict, said, RUN if code else None, took.total_seconds(), "seconds")


def _ended(past: PastRun) -> str:
    if past.ended_at is None:
        return "died"
    code = past.exit_code or 0
    means = _MEANS.get(code, "interrupted")
    at = f" at {past.result['failed_at']}" if past.result.get("failed_at") else ""
    return f"{means}{at} after {span(past.ended_at - past.started_at)}" + (f", exit {code}" if code else "")  # fmt: skip


def _usual_length(found: Condition) -> timedelta | None:
    lengths = sorted(each.ended_at - each.started_at for each in found.runs if each.ended_at)
    return lengths[len(lengths) // 2] if lengths else None


def _overdue(found: Condition, last: PastRun, at_work: bool) -> Iterator[Line]:
    expected = interval(found.runs)
    ago = found.now - last.started_at
    verdict = graded(ago / HOUR, (2 * expected + HOUR) / HOUR, (4 * expected + HOUR) / HOUR)
    if ago < -HOUR:
        yield Line("runs", "clock", "warning", f"the last run began {span(ago)} from now", "set the clock; a run deletes nothing until it is past that")  # fmt: skip
    elif verdict != "ok" and not at_work:
        yield Line("runs", "overdue", verdict, f"no run for {span(ago)}; there was one every {span(expected)}", "see the scheduler: systemctl list-timers, cron's mail", ago.total_seconds(), "seconds")  # fmt: skip


def interval(runs: list[PastRun]) -> timedelta:
    """How far runs are apart, as a rule: an hour to a week; a day where too few of them tell.

    The upper quartile of the last ten, so that some that were made by hand do not count.
    """
    starts = sorted(each.started_at for each in runs)
    gaps = sorted(later - one for one, later in pairwise(starts))
    if len(gaps) < 3 or starts[-1] - starts[0] < 2 * DAY:
        return DAY
    return min(max(gaps[len(gaps) * 3 // 4], HOUR), WEEK)


def sources(found: Condition) -> Iterator[Line]:
    """How late each source is, what waits to be read, and what share of its lines was rejected."""
    if found.config is None and found.store is not None:
        yield from _all_sources(found)
    names = {each.source.name for each in found.deliveries}
    for each in found.deliveries:
        yield _delivered(found, each)
        if each.rejects:
            share = each.rejects / max(each.lines, 1)
            limit = each.source.max_reject_share
            said = f"{share:.2%} of {plural(each.lines, 'line')} of the last day were rejected; {limit:.2%} may be"  # fmt: skip
            step = None if share <= limit else "'l7meter quality' says why; a wrong format is taken out by 'l7meter source forget'"  # fmt: skip
            yield Line("sources", f"{each.source.name}: rejects", graded(share, limit, max(limit, 0.5)), said, step, share, "share")  # fmt: skip
        if each.problems:
            yield Line("sources", f"{each.source.name}: broken", "warning", f"{plural(each.problems, 'file')} of the last day could not be read to the end", "'l7meter source list --problems' names them; deliver them again", each.problems, "files")  # fmt: skip
    if found.config and not names:
        yield Line("sources", "none", "warning", "the configuration has no source", "write [[source]]: 'l7meter init' finds them")  # fmt: skip


def _delivered(found: Condition, each: Delivery) -> Line:
    late, every = each.late(found.now), each.source.every
    parts = [f"newest record {_ago(each.newest_record, found.now)}"]
    parts.append(f"{plural(each.files, 'file')}, newest {_ago(each.newest_file, found.now)}" if each.files else "no file")  # fmt: skip
    parts += [f"{each.unread:,} unread"] if each.unread else []
    parts += [f"{each.waiting:,} not settled"] if each.waiting else []
    parts += [f"{each.records:,} records of the last day"] if each.records else []
    judged = [line for line in (_late(found, each, late, every), _left(each)) if line]
    verdict: Verdict = worst(judged) if judged else "ok"
    step = next((line.next_step for line in judged if line.verdict == verdict), None)
    said = "; ".join([*(line.said for line in judged), *parts])
    return Line("sources", each.source.name, verdict, said, step, late.total_seconds() if late else None, "seconds" if late else None)  # fmt: skip


def _late(
    found: Condition, each: Delivery, late: timedelta | None, every: timedelta | None
) -> Line | None:
    """The newest record as of when it was last looked for, the newest file as of now."""
    if late is None and each.files and found.read_at and each.unread < each.files:
        return Line("sources", "", "warning", "none of its files gave a record", "'l7meter check FILE' says what they are")  # fmt: skip
    if every is None:
        return None
    if late is None:
        return Line("sources", "", "warning", "nothing was ever read", "'l7meter config check' says what its paths meet")  # fmt: skip
    behind = late - (found.now - found.read_at) if found.read_at else late
    if each.newest_file:  # what came since the last run waits for the next
        behind = max(behind, found.now - each.newest_file)
    verdict = graded(behind / every, 2, 5)
    if verdict == "ok":
        return None
    return Line("sources", "", verdict, f"late: nothing for {span(behind)}, expected every {span(every)}", "see who delivers it")  # fmt: skip


def _left(each: Delivery) -> Line | None:
    if not each.left:
        return None
    return Line("sources", "", "warning", f"the last run left {plural(each.left, 'file')} unread", "'l7meter run' tells why; may it read them?")  # fmt: skip


def _all_sources(found: Condition) -> Iterator[Line]:
    assert found.store
    ledger = found.store.sources
    last = ledger["last_ts"].max()
    moment = last if isinstance(last, datetime) else None
    day = ledger.filter(pl.col("ingested_at") >= found.now - DAY)
    said = f"{plural(ledger.height, 'source')}; newest record {_ago(moment, found.now)}; of the last day {day['records'].sum():,} records, {day['rejects'].sum():,} rejects"  # fmt: skip
    lag = (found.now - moment).total_seconds() if moment else None
    yield Line("sources", "all", "ok", said, None, lag, "seconds" if moment else None)


def _ago(moment: datetime | None, now: datetime) -> str:
    if moment is None:
        return "never"
    return f"{span(now - moment)} {'ago' if moment <= now else 'ahead'}"
