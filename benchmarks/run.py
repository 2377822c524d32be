"""Measure l7meter against its peers: `python -m benchmarks.run [--quick] [--only CASE] ...`.

Every figure is of a whole command: process start, reading, answer, durable files. Contenders take
turns (A B C, A B C, ...), and a ratio is the median of the rounds' ratios, so that a machine that
slows down slows both sides of it.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import generate, records, report
from benchmarks.contenders import (
    BARE_SUM,
    CHDB,
    FLOOR,
    GOACCESS,
    L7METER,
    L7METER_TOP,
    Contender,
    Job,
    without_root,
)
from benchmarks.generate import DATA
from benchmarks.measure import run
from benchmarks.report import Expected, Result

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Size:
    """How much of everything: lines of a log, records of a store, octets piped, rounds."""

    lines: int
    records: int
    piped: int
    repeat: int


QUICK = Size(lines=100_000, records=500_000, piped=200_000_000, repeat=1)


@dataclass(frozen=True)
class Case:
    """What is read, and by whom."""

    name: str
    format: str  # of `generate.make`, or `records` for a store
    contenders: tuple[Contender, ...]
    piped: bool = False  # the log over and over on standard input

    def prepare(self, size: Size) -> tuple[Path, Expected]:
        """Make the data, and say what is in it."""
        if self.format == "records":
            path, found = records.make(size.records)
            return path, report.expect_records(found)
        path, truth = generate.make(self.format, size.lines)
        return path, report.expect_lines(truth.times(self._times(truth.text_bytes, size)))

    def _times(self, octets: int, size: Size) -> int:
        return -(-size.piped // octets) if self.piped else 1

    def measure(self, size: Size) -> Result:
        """Run all contenders in turns."""
        path, expected = self.prepare(size)
        result = Result(self.name, expected)
        able = _able(self, result)
        _read(path)
        for turn in range(1 if self.piped else size.repeat):
            for contender in list(able):
                out = DATA / "out"
                shutil.rmtree(out, ignore_errors=True)
                out.mkdir(parents=True)
                if self.piped:
                    times = self._times(path.stat().st_size, size)
                    with subprocess.Popen(["cat", *[path] * times], stdout=subprocess.PIPE) as cat:
                        went = _run(contender, Job(self.format, "-", out), result, turn, cat)
                else:
                    went = _run(contender, Job(self.format, str(path), out), result, turn)
                if not went:
                    able.remove(contender)
        return result


CASES = {
    case.name: case
    for case in (
        Case("nginx", "nginx", (L7METER, FLOOR, CHDB, GOACCESS)),
        Case("apache", "apache", (L7METER, FLOOR, CHDB, GOACCESS)),
        Case("gzip", "gzip", (L7METER, FLOOR)),
        Case("json", "fastly", (L7METER, FLOOR)),
        Case("memory", "nginx", (L7METER,), piped=True),
        Case("top", "records", (L7METER_TOP, BARE_SUM)),
    )
}


def _able(case: Case, result: Result) -> list[Contender]:
    able = []
    for contender in case.contenders:
        result.contenders[contender.name] = contender.does
        if reason := contender.missing():
            result.skipped[contender.name] = reason
            print(f"{case.name}: {contender.name} is left out: {reason}", file=sys.stderr)
        else:
            result.versions[contender.name] = contender.version()
            able.append(contender)
    return able


def _read(path: Path) -> None:
    """Read all files once: every contender finds them in the page cache."""
    for file in [path] if path.is_file() else path.rglob("*.parquet"):
        with file.open("rb") as opened:
            while opened.read(1 << 24):
                pass


def _run(
    contender: Contender,
    job: Job,
    result: Result,
    turn: int,
    stdin: subprocess.Popen[bytes] | None = None,
) -> bool:
    """Run once and keep the measurement; in the first round, also what the contender found.

    Returns whether the command went well; the result says why not.
    """
    command = contender.command(job)
    ran = run(command, stdin=stdin.stdout if stdin else None)
    print(f"{result.case}: {contender.name} {ran.seconds:.2f} s", file=sys.stderr)
    if ran.exit_code:
        errors = without_root(" ".join(ran.errors.split())[-400:])
        result.skipped[contender.name] = f"ended with {ran.exit_code}: {errors}"
        return False
    result.runs.setdefault(contender.name, []).append(ran)
    if turn == 0:
        result.answers[contender.name] = contender.answer(job, ran.output)
    return True


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--lines", type=int, default=4_000_000, help="of each log")
    parser.add_argument("--records", type=int, default=100_000_000, help="of the store of `top`")
    parser.add_argument("--piped", type=int, default=10**10, help="octets of the `memory` case")
    parser.add_argument("--repeat", type=int, default=3, help="rounds")
    parser.add_argument("--quick", action="store_true", help="a small size of all, one round")
    parser.add_argument(
        "--only", action="append", choices=CASES, metavar="CASE", help=", ".join(CASES)
    )
    options = parser.parse_args(arguments)
    size = Size(options.lines, options.records, options.piped, options.repeat)
    # only a whole run replaces the results that are kept
    kept = DATA if options.quick or options.only else HERE
    machine = report.machine()
    results: list[Result] = []
    for case in map(CASES.__getitem__, options.only or CASES):
        if case.format == "records" and (reason := L7METER_TOP.missing()):
            print(f"{case.name} is left out: {reason}", file=sys.stderr)  # no store without l7meter
            continue
        results.append(case.measure(QUICK if options.quick else size))
        (kept / "results.md").write_text(report.markdown(machine, results))
        (kept / "results.json").write_text(report.as_json(machine, results))
    shutil.rmtree(DATA / "out", ignore_errors=True)
    print(report.markdown(machine, results))


if __name__ == "__main__":
    main()
