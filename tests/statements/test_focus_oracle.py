"""FOCUS files beside the FinOps Foundation's validator."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from statement_documents import document, limited, pool

from l7meter.statements import focus

REQUIREMENTS = Path(__file__).parents[2] / "requirements" / "focus.txt"
RUN = Path(__file__).with_name("focus_validator_run.py")
RULES = 133  # that release 1.0.0 has for FOCUS 1.0


@pytest.fixture(scope="module")
def validator() -> Path:
    """The Python of an environment that has the validator, made once for each version of it."""
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    home = cache / "l7meter" / f"focus-{wanted}"
    python, complete = home / "bin" / "python", home / "complete"
    if not complete.exists():
        try:
            for command in (
                [sys.executable, "-m", "venv", "--clear", home],
                [python, "-m", "pip", "install", "-q", "--no-deps", "-r", REQUIREMENTS],
            ):
                subprocess.run(command, check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"no focus-validator to hold FOCUS files against: {error}")
        complete.touch()
    return python


def failed(python: Path, path: Path) -> set[str]:
    """The rules that a file fails; all of them were run."""
    report = path.with_suffix(".xml")
    command = [python, RUN, path, report]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    suites = ElementTree.parse(report).getroot()
    assert (suites.get("tests"), suites.get("errors"), suites.get("skipped")) == (str(RULES), "0", "0")  # fmt: skip
    return {case.get("name", "").split(" :: ")[0] for case in suites.iter("testcase") if len(case)}


# one test: workers side by side would make the environment twice
def test_the_validator_accepts_it(validator: Path, tmp_path: Path) -> None:
    pools = [
        pool(),
        pool("metadata", "40.00", driver="requests", quantity=0.5, of=5000, unit="requests"),
        pool("people", "7.77", driver="flat", quantity=1, of=12, unit="organisations"),
    ]
    asked = document("Exämple, \"AG\" & Söhne", pools)  # fmt: skip
    asked["fund"] |= {"claim": "asked", "wording": "Thank you."}
    capped = document("=Example", pools, adjustments=limited("200.00", "147.77"))
    free = document("Example University", [pool(amount="0.00")], adjustments=limited("5.00", "0.00"))  # fmt: skip
    path = tmp_path / "focus.csv"
    focus.write(path, [asked, capped, free])
    assert failed(validator, path) == set()
    text = path.read_text().replace("Developer Tools", "Registries").replace(",Usage-Based,", ",,")
    (tmp_path / "wrong.csv").write_text(text)
    wanted = {"ServiceCategory_Enum", "ChargeFrequency_NotNull"}
    assert failed(validator, tmp_path / "wrong.csv") >= wanted
