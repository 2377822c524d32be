"""Each trap of `tests/data/traps` gives exactly the records and rejects beside it.

The first line of an expected file holds the options; `NAME.VARIANT.expected.jsonl` reads `NAME.log`.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from l7meter.cli.options import said
from l7meter.formats import Parsed
from l7meter.ingest import parse
from l7meter.reports import files
from l7meter.schema import SAID

TRAPS = Path(__file__).resolve().parents[1] / "data" / "traps"
EXPECTED = sorted(TRAPS.glob("*.expected.jsonl"))


def read(log: Path, options: dict[str, Any]) -> list[dict[str, Any]]:
    """The said columns as `l7meter parse` prints them, and the rejects, by line."""
    what = said(
        options.get("format"),
        options.get("log_format"),
        options.get("map"),
        options.get("trusted_hops", 0),
        options.get("timezone", "UTC"),
    )
    blocks: list[Parsed] = []
    out = io.BytesIO()
    for frame in parse(str(log), what, rejected=blocks.append):
        files.write("jsonl", out, frame.select(SAID), absent_nulls=True)
    rows = [json.loads(line) for line in out.getvalue().splitlines()]
    lines = log.read_bytes().removesuffix(b"\n").count(b"\n") + 1
    rejects = 0
    for block in blocks:
        rejects += block.rejects.height
        for number, reason in block.rejects.select("source_line", "reason").iter_rows():
            rows.append({"reject": reason, "source_line": number})
    skipped = sum(sum(block.skipped.values()) for block in blocks)
    assert sum(block.lines for block in blocks) == lines == len(rows) + skipped
    return sorted(rows, key=lambda row: row["source_line"])


@pytest.mark.parametrize(
    "expected",
    [pytest.param(path, id=path.name.removesuffix(".expected.jsonl")) for path in EXPECTED],
)
def test_trap(expected: Path) -> None:
    first, *rows = map(json.loads, expected.read_text().splitlines())
    log = TRAPS / f"{expected.name.partition('.')[0]}.log"
    assert read(log, first["options"]) == rows


def test_every_trap_has_its_expected_records() -> None:
    assert {path.stem for path in TRAPS.glob("*.log")} == {
        path.name.partition(".")[0] for path in EXPECTED
    }
