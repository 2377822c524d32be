"""`l7meter quality` and `l7meter reconcile`: options, output, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from stores import exchange, store_of_sources
from typer.testing import CliRunner

from l7meter.cli import quality, reconciling
from l7meter.errors import UsageError

BILLS = Path(__file__).parents[1] / "data" / "bills"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    rows = [
        exchange(n * 60, f"192.0.2.{n % 200}", f"/{n}", None if n < 50 else 9) for n in range(1000)
    ]
    store_of_sources(tmp_path / "store", {"a\x1b[2J.log": rows}).close()
    return tmp_path / "store"


def run(*arguments: str | Path):  # type: ignore[no-untyped-def]
    app = typer.Typer()
    quality.register(app)
    reconciling.register(app)
    return CliRunner().invoke(app, list(map(str, arguments)))


def test_quality_prints_findings_and_is_strict_when_told(store: Path) -> None:
    done = run("quality", "--store", store)
    assert done.exit_code == 0
    assert "warning unmeasured" in done.stdout
    assert "Findings: 1 warning" in done.stdout
    assert "\x1b[2J" not in done.stdout
    assert run("quality", "--store", store, "--strict").exit_code == 3
    assert (
        run("quality", "--store", store, "--strict", "--since", "2026-11-01T01:00").exit_code == 0
    )


def test_quality_as_rows(store: Path) -> None:
    (row,) = json.loads(run("quality", "--store", store, "-o", "json").stdout)
    assert (row["check"], row["count"], row["bytes"]) == ("unmeasured", 50, None)


def test_reconcile_says_the_difference_and_what_could_not_be_read(store: Path) -> None:
    done = run("reconcile", BILLS / "cloudfront-usage.csv", "--store", store)
    assert done.exit_code == 3
    assert "Completeness, requests: 0.5556" in done.stdout  # 1,000 of 1,800
    assert "cloudfront-usage.csv:13: 'n/a' is no quantity" in done.stderr
    assert "1 of 12 lines of the bill were not read" in done.stderr


def test_reconcile_as_json(store: Path) -> None:
    done = run(
        "reconcile",
        BILLS / "table.csv",
        "--map",
        "Volume (GiB)=bytes",
        "--header-bytes",
        "300",
        "--store",
        store,
        "-o",
        "json",
    )
    assert done.exit_code == 0
    told = json.loads(done.stdout)
    assert told["header_octets_per_response"]["source"] == "said"
    assert [day["billed_bytes"] for day in told["days"]] == [2 * 2**30, 2**30]


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [("--timezone", "Mars", "no such zone"), ("--map", "x", "give COLUMN=MEANING"), ("--region-of", "=EU", "give PATTERN=REGION"), ("--since", "soon", "is not a timestamp")],
)  # fmt: skip
def test_options_that_say_nothing(store: Path, option: str, value: str, says: str) -> None:
    done = run("reconcile", BILLS / "table.csv", option, value, "--store", store)
    assert isinstance(done.exception, UsageError)
    assert says in str(done.exception)
