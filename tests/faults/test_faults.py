"""The harness of benchmarks/faults.py, with small counts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def harness(name: str, *arguments: str) -> str:
    """What it prints; it fails where anything was lost, doubled or not clean."""
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("act", ["replaced", "compact", "l7meter run"])
def test_killed_at_a_point_of(act: str) -> None:
    said = harness("faults", "--kills", "2", "--moments", "0", "--seed", "7", "--only", act)
    *_, kills, landed, hit, lost, doubled, unlike, unclean = said.splitlines()[-1].strip("| ").split(" | ")  # fmt: skip
    assert (kills, landed, lost, doubled, unlike, unclean) == ("2", "2", "0", "0", "0", "0")
    assert hit.startswith("2,")


def test_processes_at_once_and_a_clock_that_leaps() -> None:
    said = harness("fault_company", "--rounds", "1", "--logs", "6")
    assert '"end": "right"' in said
    assert '"once": "6 of 6 logs' in said
    assert "clock: right" in said


def test_files_that_may_not_grow() -> None:
    said = harness("fault_disks", "limit", "--only", "compact", "--rooms", "0", "4096", "65536")
    _, tries, told, sufficed, wrong = said.splitlines()[-1].strip("| ").split(" | ")
    assert (int(tries), wrong) == (3, "0")
    assert int(told) >= 1
    assert int(told) + int(sufficed) == 3
