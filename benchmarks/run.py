"""Measure l7meter against its peers: `python -m benchmarks.run [--quick] [--only CASE] ...`.

Every figure is of a whole command: process start, reading, answer, durable files. Contenders take
turns (A B C, A B C, ...), and a ratio is the median of the rounds' ratios, so that a machine that
slows down slows both sides of it.
"""

from __future__ import annotations

import argparse
import compileall
import math
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import captures, generate, records, report
from benchmarks.capture_contenders import DPKT, L7METER_CAPTURE, PYSHARK, TSHARK
from benchmarks.contenders import (
    BARE_SUM,
    CHDB,
    FLOOR,
    GOACCESS,
    L7METER,
    L7METER_TOP,
    ROOT,
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
    """How much of everything: lines of a log, records of a store, octets piped, rounds; whether a
    capture is the small one.
    """

    lines: int
    records: int
    piped: int
    repeat: int
    quick: bool = False


QUICK = Size(lines=100_000, records=500_000, piped=200_000_000, repeat=1, quick=True)


@dataclass(frozen=True)
class Case:
    """What is read, and by whom."""

    name: str
    format: str  # of `generate.make`, a plan of `captures`, or `records` for a store
    contenders: tuple[Contender, ...]
    piped: float = 0  # over and over on standard input: this share of the octets that are piped

    def missing(self, size: Size) -> str | None:
        """Say why there are no data; None if there are, or can be made."""
        if self.format == "records":
            return L7METER_TOP.missing()  # no store without l7meter
        if self.format in captures.PLANS:
            return captures.missing(self.format, self._exchanges(size))
        return None

    def prepare(self, size: Size) -> tuple[Path, Expected]:
        """Make the data, and say what is in it."""
        if self.format == "records":
            path, found = records.make(size.records)
            return path, report.expect_records(found)
        if self.format in captures.PLANS:
            path, captured = captures.make(self.format, self._exchanges(size))
            return path, report.expect_capture(captured, self._times(captured.file_bytes, size))
        path, truth = generate.make(self.format, size.lines)
        return path, report.expect_lines(truth.times(self._times(truth.text_bytes, size)))

    def _times(self, octets: int, size: Size) -> int:
        return math.ceil(size.piped * self.piped / octets) if self.piped else 1

    def _exchanges(self, size: Size) -> int:
        plan = captures.PLANS[self.format]
        return plan.quick if size.quick else plan.exchanges

    def _feed(self, path: Path, size: Size) -> list[str | Path]:
        times = self._times(path.stat().st_size, size)
        if self.format in captures.PLANS:
            return [sys.executable, "-m", "benchmarks.capture_repeat", path, str(times)]
        return ["cat", *[path] * times]

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
                    feed = self._feed(path, size)
                    with subprocess.Popen(feed, cwd=ROOT, stdout=subprocess.PIPE) as pipe:
                        went = _run(contender, Job(self.format, "-", out), result, turn, pipe)
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
        Case("memory", "nginx", (L7METER,), piped=1),
        Case("top", "records", (L7METER_TOP, BARE_SUM)),
        Case("capture-downloads", "capture-downloads", (L7METER_CAPTURE, TSHARK, DPKT)),
        Case("capture-small", "capture-small", (L7METER_CAPTURE, TSHARK, PYSHARK, DPKT)),
        Case("capture-tls", "capture-tls", (L7METER_CAPTURE, TSHARK, DPKT)),
        Case("capture-loss", "capture-loss", (L7METER_CAPTURE, TSHARK)),
        Case("capture-memory", "capture-downloads", (L7METER_CAPTURE,), piped=1),
        Case("capture-memory-half", "capture-downloads", (L7METER_CAPTURE,), piped=0.5),
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
    share = 1.0
    if contender.part:
        part, share = captures.first_part(Path(job.source))
        job = job._replace(source=str(part))
    ran = run(contender.command(job), stdin=stdin.stdout if stdin else None)
    print(f"{result.case}: {contender.name} {ran.seconds:.2f} s", file=sys.stderr)
    if ran.exit_code:
        errors = without_root(" ".join(ran.errors.split())[-400:])
        result.skipped[contender.name] = f"ended with {ran.exit_code}: {errors}"
        return False
    whole = replace(ran, seconds=ran.seconds / share, cpu_seconds=ran.cpu_seconds / share)
    result.runs.setdefault(contender.name, []).append(whole)
    if turn == 0 and contender.answer:
        result.answers[contender.name] = contender.answer(job, ran.output)
    return True


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--lines", type=int, default=4_000_000, help="of each log")
    parser.add_argument("--records", type=int, default=100_000_000, help="of the store of `top`")
    parser.add_argument("--piped", type=int, default=10**10, help="octets of the memory cases")
    parser.add_argument("--repeat", type=int, default=3, help="rounds")
    parser.add_argument("--quick", action="store_true", help="a small size of all, one round")
    parser.add_argument(
        "--only", action="append", choices=CASES, metavar="CASE", help=", ".join(CASES)
    )
    options = parser.parse_args(arguments)
    size = Size(options.lines, options.records, options.piped, options.repeat)
    wanted = QUICK if options.quick else size
    # only a whole run replaces the results that are kept
    kept = DATA if options.quick or options.only else HERE
    machine = report.machine()
    # as pip leaves it: where PYTHONDONTWRITEBYTECODE is set, each start would compile 200 modules
    compileall.compile_dir(ROOT / "l7meter", quiet=1)
    results: list[Result] = []
    for case in map(CASES.__getitem__, options.only or CASES):
        if reason := case.missing(wanted):
            print(f"{case.name} is left out: {reason}", file=sys.stderr)
            continue
        results.append(case.measure(wanted))
        (kept / "results.md").write_text(report.markdown(machine, results))
        (kept / "results.json").write_text(report.as_json(machine, results))
    shutil.rmtree(DATA / "out", ignore_errors=True)
    print(report.markdown(machine, results))


if __name__ == "__main__":
    main()
