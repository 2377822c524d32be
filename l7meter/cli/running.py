"""`l7meter run`."""

from __future__ import annotations

import json
import logging
import signal
import sys
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from l7meter.cli.asking import DryRun
from l7meter.cli.config import DEFAULT_CONFIG, ConfigOption
from l7meter.cli.options import examples, parse_day

EXAMPLES = examples(
    "l7meter run --config /etc/l7meter.toml",
    "l7meter run --dry-run",
    "l7meter run --since 2026-10-01 --until 2026-11-01",
)


def run(
    config: ConfigOption = DEFAULT_CONFIG,
    since: Annotated[str | None, typer.Option("--since", metavar="YYYY-MM-DD", help="Leave out files that were last written to before this day (UTC), and reports of earlier days; nothing is deleted then.")] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="YYYY-MM-DD", help="The day after the last.")] = None,
    dry_run: DryRun = False,
) -> None:  # fmt: skip
    """Do what is due: read what came, sum it up, close days, write reports, delete what is too old.

    For a scheduler: it may be run at any time and as often as you like, two runs never work at once,
    and one that is killed is made good by the next. Standard output has one line of JSON: what was done.
    Exits with 5, and does nothing, where another run is at work.
    """
    from l7meter.cli.progress import progress
    from l7meter.job.config import read
    from l7meter.job.run import run as work

    made = read(config)
    human = made.log.format == "human" or (made.log.format == "auto" and sys.stderr.isatty())
    _log(made.log.level, human)
    signal.signal(signal.SIGTERM, _terminated)
    first, behind = parse_day(since, "--since"), parse_day(until, "--until")
    if human:
        with progress(0) as report:
            result = work(made, since=first, until=behind, dry_run=dry_run, progress=report)
    else:
        result = work(made, since=first, until=behind, dry_run=dry_run)
    print(json.dumps(result.as_dict(), ensure_ascii=False, default=str))
    if result.exit_code:
        raise typer.Exit(result.exit_code)


def _terminated(*_: object) -> None:
    """End as an interrupt does: what was committed stays."""
    raise KeyboardInterrupt


def _log(level: str, human: bool) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s") if human else _Json())
    logger = logging.getLogger("l7meter")
    logger.handlers[:] = [handler]
    logger.setLevel(level.upper())
    logger.propagate = False


class _Json(logging.Formatter):
    """One JSON object a line; control characters of logs are escaped by it."""

    def format(self, record: logging.LogRecord) -> str:
        said: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            said["exception"] = self.formatException(record.exc_info)
        return json.dumps(said, ensure_ascii=True)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EXAMPLES)(run)
