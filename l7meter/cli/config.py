"""`l7meter config`: the configuration of the batch job, checked and shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from l7meter.cli.options import examples
from l7meter.errors import UNREADABLE, UsageError

if TYPE_CHECKING:
    from l7meter.job.looking import Found, Look

app = typer.Typer(
    help="The configuration of the batch job: whether it is right, and what it means.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
DEFAULT_CONFIG = Path("l7meter.toml")

ConfigOption = Annotated[
    Path, typer.Option("--config", "-c", envvar="L7METER_CONFIG", metavar="FILE", help="Configuration of the batch job ('l7meter init' writes one).", show_default=True)
]  # fmt: skip


@app.command(
    epilog=examples(
        "l7meter config check",
        "l7meter config check --config /etc/l7meter.toml -o json",
    )
)
def check(
    config: ConfigOption = DEFAULT_CONFIG,
    output: Annotated[str, typer.Option("--output", "-o", help="table, or json for one object on standard output.")] = "table",
) -> None:  # fmt: skip
    """Say every fault of a configuration with its line, and then what each source matches now.

    Exits with 2 if it is wrong, with 3 if something that it names cannot be read or is missing.
    """
    from dataclasses import asdict

    from l7meter.job.config import read
    from l7meter.job.looking import look

    if output not in ("table", "json"):
        raise UsageError(f"--output {output}: config check gives table or json")
    made = read(config)
    found = look(made)
    if output == "json":
        said = {"config": str(made.path), "sha256": made.digest, **asdict(found)}
        print(json.dumps(said, default=str, ensure_ascii=False))
    else:
        _answer(config, found)
    if found.problems or any(source.problems for source in found.sources):
        raise typer.Exit(UNREADABLE)


def _answer(config: Path, found: Look) -> None:
    from l7meter.cli.printing import console, literal

    out = console()
    for source in found.sources:
        out.print(
            f"[bold]{literal(source.source)}[/]: {literal(_files(source))}",
            highlight=False,
            soft_wrap=True,
        )
        if source.size:
            out.print(f"  size     {literal(source.size)}", highlight=False, soft_wrap=True)
        for problem in source.problems:
            out.print(f"  [red]problem[/]  {literal(problem)}", highlight=False, soft_wrap=True)
        for note in source.notes:
            out.print(f"  note     {literal(note)}", highlight=False, soft_wrap=True)
    for problem in found.problems:
        out.print(f"[red]problem[/]  {literal(problem)}", highlight=False, soft_wrap=True)
    for note in found.notes:
        out.print(f"note     {literal(note)}", highlight=False, soft_wrap=True)
    count = len(found.problems) + sum(len(source.problems) for source in found.sources)
    name = literal(str(config))
    if count:
        out.print(f"\n{name} is right, but a run would meet {count} problem{'s' if count > 1 else ''}", highlight=False, soft_wrap=True)  # fmt: skip
    else:
        out.print(
            f"\n{name} is right. Next: [bold]l7meter run --config {name}[/]",
            highlight=False,
            soft_wrap=True,
        )


def _files(source: Found) -> str:
    from l7meter.units import bytes_text

    if not source.files:
        return "no file"
    text = f"{source.files:,} file{'s' if source.files > 1 else ''}, {bytes_text(source.octets)}"
    text += f", {source.format}" if source.format else ""
    text += f", the newest of {source.newest:%Y-%m-%d %H:%M} UTC" if source.newest else ""
    return text + (f"; {source.waiting:,} not settled yet" if source.waiting else "")


@app.command(epilog=examples("l7meter config show", "l7meter config show --config /etc/l7meter.toml"))  # fmt: skip
def show(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Print a configuration as JSON, every default filled in and every path absolute."""
    from l7meter.job.config import read
    from l7meter.job.reference import as_dict

    print(json.dumps(as_dict(read(config)), indent=2, ensure_ascii=False))


def register(above: typer.Typer) -> None:
    """Add the commands."""
    above.add_typer(app, name="config")
