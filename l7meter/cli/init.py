"""`l7meter init`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from l7meter.cli.options import DEFAULT_STORE, StoreOption, examples
from l7meter.errors import UsageError

if TYPE_CHECKING:
    from l7meter.job.starting import Start

EXAMPLES = examples(
    "l7meter init",
    "l7meter init --store /var/lib/l7meter/store --output /etc/l7meter.toml",
    "l7meter init /srv/logs/cdn '/srv/logs/origin/*.gz'",
)


def init(
    paths: Annotated[list[str] | None, typer.Argument(metavar="[PATH...]", help="Logs: files, directories, globs; the usual places of web servers if not given.")] = None,
    store: StoreOption = DEFAULT_STORE,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The file to write; one that is there is left alone.")] = Path("l7meter.toml"),
) -> None:  # fmt: skip
    """Write a configuration of the batch job from what this machine shows; nothing is asked.

    The format of the newest file at each place is told by its content. Where no logs are found, the
    file says what to fill in.
    """
    import os

    from l7meter.job.starting import find, text

    if output.exists():
        raise UsageError(f"{output}: is there already and is left as it is; name another with --output")  # fmt: skip
    start = find(paths or ())
    made = text(start, Path(os.path.abspath(store)))  # noqa: PTH100 (links are kept, `..` is not)
    try:
        with output.open("x", encoding="utf-8") as file:
            file.write(made)
    except OSError as error:
        raise UsageError(f"{output}: cannot be written: {error.strerror or error}") from error
    _tell(start, output)


def _tell(start: Start, output: Path) -> None:
    from l7meter.cli.printing import console, literal

    out = console()
    for each in start.candidates:
        what = literal(each.problem or f"{each.files:,} file{'s' if each.files > 1 else ''}, {each.format}")  # fmt: skip
        out.print(f"{literal(each.pattern)}: {what}", highlight=False, soft_wrap=True)
        if each.size:
            out.print(f"  size     {literal(each.size)}", highlight=False, soft_wrap=True)
    if not start.sources:
        out.print("No logs were found that can be read: fill in the [[source]] that the file has as a comment.", markup=False, highlight=False, soft_wrap=True)  # fmt: skip
    name = literal(str(output))
    out.print(f"\n{name} is written. Next: [bold]l7meter config check --config {name}[/]", highlight=False, soft_wrap=True)  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EXAMPLES)(init)
