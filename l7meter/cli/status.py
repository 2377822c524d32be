"""`l7meter status`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from l7meter.cli.config import DEFAULT_CONFIG
from l7meter.cli.options import DEFAULT_STORE, Output, OutputOption, examples
from l7meter.cli.printing import console, literal, print_rows
from l7meter.errors import UsageError

if TYPE_CHECKING:
    from l7meter.job.verdict import Line

CRITICAL = 3
WELL, ILL = 8, 12  # lines of a section that are shown one by one
COLOURS = {"ok": "green", "warning": "bold yellow", "critical": "bold red"}
EXAMPLES = examples(
    "l7meter status",
    "l7meter status --config /etc/l7meter.toml --check",
    "l7meter status --store /var/lib/l7meter/store -o json",
)


def status(
    config: Annotated[Path | None, typer.Option("--config", "-c", metavar="FILE", help="Configuration of the batch job; L7METER_CONFIG, or l7meter.toml here, if neither this nor --store is given.")] = None,
    store: Annotated[Path | None, typer.Option("--store", "-s", metavar="DIR", help="A store alone, without what a configuration expects of it.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Exit with 3 if anything is critical.")] = False,
    output: OutputOption = Output.table,
) -> None:  # fmt: skip
    """Say how the batch job and its store stand: runs, sources, days, reports, size, retention, disk.

    Each line is ok, a warning or critical, with the next step. Nothing is written, and no data is read.
    """
    from l7meter.job.condition import condition
    from l7meter.job.config import read
    from l7meter.job.status import frame, status
    from l7meter.job.verdict import worst

    if config and store:
        raise UsageError("status: give --config or --store, one of them")
    file = None if store else config or _usual()
    made = read(file) if file else None
    folder = made.store if made else (store or Path(os.environ.get("L7METER_STORE", DEFAULT_STORE))).absolute()  # fmt: skip
    lines = status(condition(made, folder))
    if output is Output.table:
        _print(lines, folder)
    else:
        print_rows(frame(lines), output)
    if check and worst(lines) == "critical":
        raise typer.Exit(CRITICAL)


def _usual() -> Path | None:
    """The configuration where none is named."""
    named = os.environ.get("L7METER_CONFIG")
    if named:
        return Path(named)
    return DEFAULT_CONFIG if DEFAULT_CONFIG.is_file() else None


def _print(lines: list[Line], folder: Path) -> None:
    """One screen: each section, its troubles first; of many sources that are well only how many they are."""
    from rich.padding import Padding
    from rich.text import Text

    from l7meter.job.verdict import WORST, plural
    from l7meter.reports.cells import visible

    out = console()
    out.print(f"[bold]{literal(str(folder))}[/]", highlight=False, soft_wrap=True)
    for section in dict.fromkeys(line.section for line in lines):
        mine = [line for line in lines if line.section == section]
        mine.sort(key=lambda line: -WORST.index(line.verdict))
        shown = [line for line in mine if line.verdict != "ok"]
        well = [line for line in mine if line.verdict == "ok"]
        hidden = shown[ILL:]
        shown = shown[:ILL] + (well if len(well) <= WELL else [])
        out.print(f"[bold]{section}[/]", highlight=False)
        for line in shown:
            out.print(Padding(Text.assemble((f"{line.verdict:<8}", COLOURS[line.verdict]), " ", (visible(line.what), "bold"), "  ", visible(line.said)), (0, 0, 0, 2)))  # fmt: skip
            if line.next_step:
                out.print(Padding(Text(f"→ {visible(line.next_step)}", "dim"), (0, 0, 0, 11)))
        if hidden:
            out.print(f"  … and {plural(len(hidden), 'more line')} that are not well: -o csv has all", highlight=False)  # fmt: skip
        if len(well) > WELL:
            out.print(f"  [green]ok[/]       {plural(len(well), 'more line')}: all is well", highlight=False)  # fmt: skip
    counts = {verdict: sum(line.verdict == verdict for line in lines) for verdict in ("critical", "warning")}  # fmt: skip
    told = ", ".join(f"{count:,} {verdict}" for verdict, count in counts.items() if count)
    out.print(told or "all is well", style=COLOURS[next((v for v, n in counts.items() if n), "ok")], highlight=False)  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EXAMPLES)(status)
