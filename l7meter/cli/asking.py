"""Questions before something is destroyed."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from l7meter.errors import UsageError

DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; for scripts.")]


def asks() -> bool:
    """Whether a person can answer."""
    return sys.stdin is not None and sys.stdin.isatty()


def confirm(question: str, yes: bool, command: str) -> None:
    """Ask for what cannot be undone; `UsageError` where nobody can answer and `yes` was not said."""
    if yes:
        return
    if not asks():
        raise UsageError(f"{command} removes what cannot be had again: look with --dry-run, then say --yes")  # fmt: skip
    typer.confirm(question, abort=True)
