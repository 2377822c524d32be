"""`l7meter schedule`."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from l7meter import __version__
from l7meter.cli.config import DEFAULT_CONFIG, ConfigOption
from l7meter.cli.options import examples
from l7meter.errors import UsageError

if TYPE_CHECKING:
    from l7meter.job.scheduling import Unit

EXAMPLES = examples(
    "l7meter schedule systemd --config /etc/l7meter.toml",
    "l7meter schedule systemd --config /etc/l7meter.toml --directory /etc/systemd/system",
    "l7meter schedule cron --at 03:15 | sudo tee /etc/cron.d/l7meter",
    "l7meter schedule kubernetes --every 1h --image registry.example/l7meter:1 | kubectl apply -f -",
)


def schedule(
    kind: Annotated[str, typer.Argument(metavar="systemd|cron|kubernetes|airflow", help="The scheduler.")],
    config: ConfigOption = DEFAULT_CONFIG,
    at: Annotated[str | None, typer.Option("--at", metavar="HH:MM", help="When it runs each day: in UTC, for cron in the machine's zone. 02:30 if neither this nor --every is given.")] = None,
    every: Annotated[str | None, typer.Option("--every", metavar="DURATION", help="How often it runs instead: 15m, 1h, 6h, ...")] = None,
    name: Annotated[str, typer.Option("--name", help="What units, job or DAG are called.")] = "l7meter",
    user: Annotated[str, typer.Option("--user", help="Account that runs it (systemd, cron).")] = "l7meter",
    memory: Annotated[str, typer.Option("--memory", metavar="SIZE", help="Memory it may use (systemd, kubernetes).")] = "4GiB",
    image: Annotated[str, typer.Option("--image", help="Container image (kubernetes).")] = f"l7meter:{__version__}",
    mail: Annotated[str, typer.Option("--mail", metavar="ADDRESS", help="Whom cron writes to of a run that failed.")] = "root",
    program: Annotated[str | None, typer.Option("--program", metavar="PATH", help="The l7meter that it runs; this one if not given.")] = None,
    directory: Annotated[Path | None, typer.Option("--directory", metavar="DIR", help="Write the files into this directory instead of standard output.")] = None,
) -> None:  # fmt: skip
    """Print what makes a scheduler run the batch job, made for the paths of a configuration."""
    from l7meter.job.config import read
    from l7meter.job.scheduling import KINDS, Times, planned

    if kind not in KINDS:
        raise UsageError(f"{kind}: no scheduler of these: {', '.join(KINDS)}")
    plan = planned(
        read(config),
        Times.parse(at, every),
        program or _program(),
        name=name,
        user=user,
        memory=memory,
        image=image,
        mail=mail,
    )
    units = KINDS[kind](plan)
    if directory:
        _write(units, directory)
    else:
        _print(units)


def _program() -> str:
    """The path of this program, as it was started or is found."""
    started = Path(sys.argv[0]).absolute()
    if started.name == "l7meter" and started.is_file():
        return str(started)
    return shutil.which("l7meter") or "/usr/local/bin/l7meter"


def _print(units: Sequence[Unit]) -> None:
    for number, unit in enumerate(units):
        print(f"{chr(10) if number else ''}# {unit.file}\n{unit.text}", end="")


def _write(units: Sequence[Unit], directory: Path) -> None:
    for unit in units:
        path = directory / Path(unit.file).name
        try:
            if path.exists() and path.read_text("utf-8") != unit.text:
                raise UsageError(f"{path}: is there already and says something else; remove it first")  # fmt: skip
            path.write_text(unit.text, "utf-8")
        except OSError as error:
            raise UsageError(f"{path}: cannot be written: {error.strerror or error}") from error
        print(path)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EXAMPLES)(schedule)
