"""The job's commands as a person runs them, and a configuration that is right."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
import typer
from configuring import LINE, Run, Write
from typer.testing import CliRunner

from l7meter.cli import config, init, schedule
from l7meter.errors import L7MeterError


@pytest.fixture
def run() -> Run:
    """A command: exit code, and what it said."""
    app = typer.Typer()
    for each in (config, init, schedule):
        each.register(app)

    def run(*arguments: str | Path) -> tuple[int, str]:
        result = CliRunner().invoke(app, [*map(str, arguments)])
        if isinstance(result.exception, L7MeterError):
            return result.exception.exit_code, str(result.exception)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.output

    return run


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a configuration."""

    def write(text: str) -> Path:
        (path := tmp_path / "l7meter.toml").write_text(textwrap.dedent(text), "utf-8")
        return path

    return write


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """A directory of logs."""
    (folder := tmp_path / "logs").mkdir()
    (folder / "access.log").write_text(LINE * 3)
    return folder
