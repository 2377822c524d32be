"""The application: its commands, and what becomes of an error."""

from __future__ import annotations

import atexit
import os
import sys
from contextlib import suppress
from typing import Annotated

import typer

from l7meter import __version__
from l7meter.cli import (
    attributing,
    capturing,
    checking,
    config,
    costing,
    days,
    erasing,
    explaining,
    fund,
    ingesting,
    init,
    memory,
    parsing,
    privacy,
    quality,
    querying,
    reconciling,
    refdata,
    reference,
    running,
    schedule,
    sourcing,
    status,
    storing,
    whatif,
)
from l7meter.cli.printing import flush, outlets
from l7meter.errors import L7MeterError

EXITS = """\
[bold]Exit codes[/bold]  0 done · 1 a bug · 2 wrong usage · 3 a source (or the store) cannot be read; \
the other sources were ingested · 4 more rejected lines than --max-reject-share · 5 another run is at work"""

app = typer.Typer(
    name="l7meter",
    help="Who uses a package registry's bandwidth: access logs and packets in, answers out.",
    epilog=EXITS,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"l7meter {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Who uses a package registry's bandwidth: access logs and packets in, answers out."""


PANELS = {
    "Read": (ingesting, capturing, parsing, checking, attributing),
    "Ask": (querying, explaining, quality, reconciling),
    "What would help, and a fair share": (whatif, costing, fund),
    "Every night": (init, running, status, schedule, config),
    "Look after, look up": (sourcing, days, privacy, refdata, storing, reference),
}
for panel, modules in PANELS.items():
    for module in modules:
        commands, groups = len(app.registered_commands), len(app.registered_groups)
        module.register(app)
        for command in app.registered_commands[commands:]:
            command.rich_help_panel = panel
        for group in app.registered_groups[groups:]:
            group.rich_help_panel = panel
erasing.register(privacy.app)


def main() -> None:
    """Run the command in a process of its own, which ends with it."""
    try:
        run()
    except SystemExit as ended:
        if ended.code:
            raise
    atexit._run_exitfuncs()
    with suppress(OSError):
        sys.stderr.flush()
    os._exit(0)  # to take itself apart, Python takes a tenth of a second


def run() -> None:
    """Run the command; a user's error is a sentence, a bug keeps its traceback."""
    memory.bound()
    outlets()
    try:
        app()
    except L7MeterError as error:
        from l7meter.reports.cells import visible

        lines = map(visible, str(error).splitlines())
        print("l7meter:", "\n".join(lines), file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("l7meter: interrupted; what was committed stays, the rest can be run again", file=sys.stderr)  # fmt: skip
        sys.exit(130)
    finally:
        flush()
