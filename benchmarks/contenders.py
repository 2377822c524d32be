"""Who runs: l7meter and its peers, each a whole command over one file, and what it found."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import polars as pl

ROOT = Path(__file__).parent.parent
PEERS = ROOT / "benchmarks" / ".venv-peers"
PEERS_PYTHON = PEERS / "bin" / "python"
REQUIREMENTS = ROOT / "requirements" / "bench.txt"
GOACCESS_OPTIONS = ("--log-format=COMBINED", "--no-global-config", "--no-progress")


class Job(NamedTuple):
    """A file in a format (or a store), and an empty directory for what comes of it."""

    format: str
    source: str  # a path, or `-`
    out: Path


class Answer(NamedTuple):
    """What a contender found: records, and octets by the format's own size field."""

    records: int
    octets: int | None  # None: it does not say
    messages: int | None = None  # of a capture: octets of the responses, heads included


@dataclass(frozen=True)
class Contender:
    """One program: why it cannot run here (None if it can), what it runs, what it found."""

    name: str
    does: str
    missing: Callable[[], str | None]
    version: Callable[[], str]
    command: Callable[[Job], list[str]]
    answer: Callable[[Job, str], Answer] | None  # of the job and of what the command printed
    part: bool = False  # reads the first packets only, too slow for all; its time is extrapolated


def _l7meter(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "l7meter", *arguments]


@cache
def _l7meter_missing(command: str) -> str | None:
    return _fails(_l7meter(command, "--help"))


def _fails(command: list[str]) -> str | None:
    tried = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if tried.returncode == 0:
        return None
    last = tried.stderr.strip().rpartition("\n")[2]
    return without_root(f"`{' '.join(command[1:])}` fails: {last}")


def without_root(text: str) -> str:
    """Take this machine's path to the repository out of a message."""
    return text.replace(f"{ROOT}/", "")


def _l7meter_version() -> str:
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return f"l7meter {version('l7meter')} ({described.stdout.strip() or 'no git'})"


def _l7meter_answer(job: Job, _: str) -> Answer:
    # out of the stored files, not out of what the command said of itself
    records = pl.scan_parquet(job.out / "store" / "data" / "records" / "**" / "*.parquet")
    return _sums(records, pl.col("server_bytes"))


def _floor_answer(job: Job, _: str) -> Answer:
    frame = pl.scan_parquet(job.out / "out.parquet")
    if job.format == "fastly":
        return _sums(frame, pl.col("response_bytes"))
    size = pl.col("piece_3").str.extract(r"^ \d{3} (\d+) $").cast(pl.Int64)
    return _sums(frame, size)


def _sums(frame: pl.LazyFrame, octets: pl.Expr) -> Answer:
    return Answer(*frame.select(pl.len(), octets.sum().cast(pl.Int64)).collect().row(0))


@cache
def _chdb_missing() -> str | None:
    """Make the peers' environment once; a reason if that fails."""
    if PEERS_PYTHON.exists() and _fails([str(PEERS_PYTHON), "-c", "import chdb"]) is None:
        return None
    if reason := _fails([sys.executable, "-m", "venv", "--clear", str(PEERS)]):
        return reason
    return _fails([str(PEERS_PYTHON), "-m", "pip", "install", "--quiet", "-r", str(REQUIREMENTS)])


def _top_answer(_: Job, output: str) -> Answer:
    rows = json.loads(output)
    return Answer(sum(row["requests"] for row in rows), sum(row["bytes"] for row in rows))


def _in_and_out(job: Job) -> tuple[str, str, str]:
    return job.format, job.source, str(job.out / "out.parquet")


def _chdb(*arguments: str) -> list[str]:
    return [str(PEERS_PYTHON), str(ROOT / "benchmarks" / "chdb_reader.py"), *arguments]


def _goaccess_missing() -> str | None:
    return None if shutil.which("goaccess") else "the Debian package `goaccess` is not installed"


def _goaccess_answer(job: Job, _: str) -> Answer:
    general = json.loads((job.out / "out.json").read_text())["general"]
    return Answer(general["valid_requests"], general["bandwidth"])


def printed(command: list[str]) -> str:
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return said.splitlines()[0].rstrip(".")


L7METER = Contender(
    name="l7meter",
    does="ingest into a store: typed, attributed, every line accounted for, files durable",
    missing=lambda: _l7meter_missing("ingest"),
    version=_l7meter_version,
    command=lambda job: _l7meter(
        "ingest", job.source, "--store", str(job.out / "store"), "--output", "json"
    ),
    answer=_l7meter_answer,
)
FLOOR = Contender(
    name="floor",
    does="Polars merely splits the lines at quotes (JSON: reads the objects) and writes Parquet",
    missing=lambda: None,
    version=lambda: f"Polars {pl.__version__}",
    command=lambda job: [sys.executable, "-m", "benchmarks.floor", *_in_and_out(job)],
    answer=_floor_answer,
)
CHDB = Contender(
    name="chdb",
    does="ClickHouse's reader by regular expression writes Parquet; the time stays text",
    missing=_chdb_missing,
    version=lambda: printed(_chdb()),
    command=lambda job: _chdb(*_in_and_out(job)),
    answer=lambda job, _: _sums(pl.scan_parquet(job.out / "out.parquet"), pl.col("size")),
)
GOACCESS = Contender(
    name="goaccess",
    does="GoAccess counts its panels and writes them as JSON; it keeps no records",
    missing=_goaccess_missing,
    version=lambda: printed(["goaccess", "--version"]),
    command=lambda job: [
        "goaccess",
        job.source,
        *GOACCESS_OPTIONS,
        "-o",
        str(job.out / "out.json"),
    ],
    answer=_goaccess_answer,
)
L7METER_TOP = Contender(
    name="l7meter",
    does="`query top_organizations`: bytes, requests and basis, who is a provider, the others",
    missing=lambda: _l7meter_missing("query"),
    version=_l7meter_version,
    command=lambda job: _l7meter(
        "query", "top_organizations", "--store", job.source, "--output", "json"
    ),
    answer=_top_answer,
)
BARE_SUM = Contender(
    name="bare sum",
    does="DuckDB sums and counts the same Parquet by organisation, and nothing else",
    missing=lambda: None,
    version=lambda: f"DuckDB {version('duckdb')}",
    command=lambda job: [sys.executable, "-m", "benchmarks.bare_sum", job.source],
    answer=lambda _, output: Answer(**json.loads(output)),
)
