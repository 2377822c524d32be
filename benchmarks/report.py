"""What was measured, as Markdown for people and as JSON: figures, ratios, targets, disagreements."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.captures import Truth as Captured
from benchmarks.contenders import L7METER, Answer
from benchmarks.generate import SEED, Truth
from benchmarks.measure import Run
from benchmarks.records import Records
from benchmarks.targets import Ratio, absolute, met, ratios


class Expected(NamedTuple):
    """What is in the data: a sentence, its size, and the answers it bears out."""

    sentence: str
    unit: str
    units: int
    octets: int | None  # of text read; None where text is not what is read
    least_records: int
    most_records: int
    sums: tuple[int, ...]  # of the size field
    messages: int | None = None  # of a capture: octets of the responses, heads included


def expect_lines(truth: Truth) -> Expected:
    """Say what a reader may find: a spoilt line may be a record to one and none to another."""
    compressed = (
        f" ({truth.file_bytes:,} compressed)" if truth.file_bytes != truth.text_bytes else ""
    )
    return Expected(
        f"{truth.lines:,} lines, {truth.text_bytes:,} bytes{compressed}; among the lines "
        f"{truth.chopped:,} cut short, {truth.binary:,} binary and {truth.empty:,} empty requests",
        "lines",
        truth.lines,
        truth.text_bytes,
        truth.well_formed,
        truth.lines,
        (truth.octets, truth.octets - truth.bad_octets),
    )


def expect_records(truth: Records) -> Expected:
    """Say what a store holds."""
    sentence = f"{truth.records:,} records that state {truth.octets:,} bytes"
    count = truth.records
    return Expected(sentence, "records", count, None, count, count, (truth.octets,))


def expect_capture(truth: Captured, times: int = 1) -> Expected:
    """Say what nginx logged while the capture was made; of TLS, who connected and what it sent."""
    packets, octets = truth.packets * times, truth.file_bytes * times
    count = truth.connections if truth.tls else truth.exchanges
    size = truth.response_size if truth.tls else truth.response_body_size
    sentence = (
        f"{packets:,} packets, {octets:,} bytes; {truth.exchanges * times:,} exchanges in "
        f"{truth.connections * times:,} connections{', in TLS' if truth.tls else ''}"
    )
    return Expected(
        sentence,
        "packets",
        packets,
        octets,
        count * times,
        count * times,
        (size * times,),
        None if truth.tls else truth.response_size * times,
    )


@dataclass
class Result:
    """One case: what the data hold, and by contender its runs, its answer, or why it is absent."""

    case: str
    expected: Expected
    contenders: dict[str, str] = field(default_factory=dict)
    runs: dict[str, list[Run]] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)


def machine() -> dict[str, str]:
    """Describe what the figures hold for."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    processor = next(models, platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "cores": f"{len(os.sched_getaffinity(0))} ({processor})",
        "memory": f"{memory / 1e9:.0f} GB",
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "load before": f"{os.getloadavg()[0]:.1f}",
        "seed": str(SEED),
    }


def disagreements(result: Result) -> Iterator[str]:
    """Yield a sentence for each answer that the data do not bear out or that differs from ours."""
    expected = result.expected
    ours = result.answers.get(L7METER.name)
    for name, found in result.answers.items():
        if not expected.least_records <= found.records <= expected.most_records:
            yield f"{name} found {found.records:,} records where there are {expected.least_records:,}"
        if found.octets is not None and found.octets not in expected.sums:
            off = found.octets - expected.sums[0]
            yield f"{name} found {found.octets:,} octets ({off:+,} beside what the data state)"
        if found.messages is not None and found.messages != expected.messages:
            yield f"{name} found {found.messages:,} octets of messages, not {expected.messages:,}"
        if (
            ours
            and name != L7METER.name
            and found[:2] != (ours.records, found.octets and ours.octets)
        ):
            beside = (found.octets or 0) - (ours.octets or 0) if found.octets is not None else 0
            yield (
                f"{name} found {found.records - ours.records:+,} records and "
                f"{beside:+,} octets beside l7meter"
            )


def markdown(about: dict[str, str], results: Sequence[Result]) -> str:
    """Write the whole report."""
    versions = {name: text for result in results for name, text in result.versions.items()}
    head = (
        "# Results\n\nMade by `make bench`; `docs/benchmarks.md` says what is measured and how.\n\n"
    )
    if float(about["load before"]) > 1:
        head += "**The machine was busy with other work: trust no ratio of this run.**\n\n"
    return head + "\n".join(
        [_table(["", ""], [[*pair] for pair in (about | versions).items()]), *map(_case, results)]
    )


def _case(result: Result) -> str:
    expected = result.expected
    parts = [f"## {result.case}\n\n{expected.sentence}.\n"]
    parts.append("".join(f"- {name}: {does}\n" for name, does in result.contenders.items()))
    parts += [f"Left out: {name}: {reason}.\n" for name, reason in result.skipped.items()]
    if result.runs:
        parts.append(_figures(result))
    if compared := list(_ratios(result)):
        parts.append(
            _table(
                ["l7meter beside", "ratio of", "median", "least–greatest", "target", ""],
                [
                    [r.peer, r.of, f"{r.middle:.2f}", f"{r.least:.2f}–{r.greatest:.2f}", r.target, met(r.met)]
                    for r in compared
                ],
            )
        )  # fmt: skip
    if runs := result.runs.get(L7METER.name):
        parts += [f"{said}\n" for said in absolute(result.case, expected.octets, runs)]
    if result.answers:
        differing = "".join(f"- {text}\n" for text in disagreements(result))
        parts.append(differing or "Counts and sums agree with the data and with each other.\n")
    return "\n".join(parts)


def _figures(result: Result) -> str:
    expected = result.expected
    columns: dict[str, Callable[[list[Run]], str]] = {
        "s (median)": lambda runs: f"{_seconds(runs):.2f}",
        "least–greatest": lambda runs: f"{min(_all(runs)):.2f}–{max(_all(runs)):.2f}",
        f"{expected.unit}/s": lambda runs: f"{expected.units / _seconds(runs):,.0f}",
        "MB/s": lambda runs: f"{(expected.octets or 0) / _seconds(runs) / 1e6:,.0f}",
        "CPU s": lambda runs: f"{median(run.cpu_seconds for run in runs):.2f}",
        "peak MB": lambda runs: f"{max(run.peak_rss for run in runs) / 1e6:,.0f}",
        "without file pages": lambda runs: f"{max(run.peak_anon for run in runs) / 1e6:,.0f}",
    }
    if expected.octets is None:
        del columns["MB/s"]
    rows = [
        [
            name,
            *(show(runs) for show in columns.values()),
            *_shown(result.answers.get(name)),
        ]
        for name, runs in result.runs.items()
    ]
    return _table(["contender", *columns, "records", "octets"], rows)


def as_json(about: dict[str, str], results: Sequence[Result]) -> str:
    """Write everything measured, each run apart; outputs of the commands left out."""
    written = [
        asdict(result)
        | {
            "runs": {
                name: [
                    {
                        key: value
                        for key, value in asdict(run).items()
                        if key not in ("output", "errors")
                    }
                    for run in runs
                ]
                for name, runs in result.runs.items()
            },
            "expected": result.expected._asdict(),
            "answers": {name: answer._asdict() for name, answer in result.answers.items()},
            "ratios": [asdict(ratio) for ratio in _ratios(result)],
            "disagreements": list(disagreements(result)),
        }
        for result in results
    ]
    return json.dumps({"machine": about, "results": written}, indent=1) + "\n"


def _shown(answer: Answer | None) -> list[str]:
    found = (answer.records, answer.octets) if answer else (None, None)
    return ["–" if number is None else f"{number:,}" for number in found]


def _ratios(result: Result) -> Iterator[Ratio]:
    return ratios(result.case, result.expected.unit, result.runs)


def _seconds(runs: list[Run]) -> float:
    return median(_all(runs))


def _all(runs: list[Run]) -> list[float]:
    return [run.seconds for run in runs]


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
