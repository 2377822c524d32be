"""The command line as a person runs it, but within this process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from l7meter import cli

Ran = tuple[int, bytes, str]
Run = Callable[..., Ran]


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path
) -> Run:
    """The command line: exit code, standard output, standard error."""
    monkeypatch.setenv("L7METER_STORE", str(tmp_path / "store"))

    def run(*arguments: str | Path) -> Ran:
        monkeypatch.setattr(sys, "argv", ["l7meter", *map(str, arguments)])
        try:
            cli.run()
            code = 0
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        out, error = capfdbinary.readouterr()
        return code, out, error.decode()

    return run
