"""`l7meter fund policy`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from l7meter.cli.options import examples
from l7meter.errors import UsageError

EXAMPLES = examples("l7meter fund policy policy.toml", "l7meter fund policy --check policy.toml")


def policy(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="Where it goes, or what is checked.")] = Path("policy.toml"),
    check: Annotated[bool, typer.Option("--check", help="Read the file and name every fault with its line; write nothing.")] = False,
) -> None:  # fmt: skip
    """Write a policy to begin with, every choice in it explained; nothing is overwritten."""
    from l7meter.fund import policy as policies

    if check:
        made = policies.read(path)
        print(f"{path}: {made.fund.name}, {len(made.pools)} pools, rules {', '.join(made.rules())}")
        return
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(policies.EXAMPLE.read_text(encoding="utf-8"))
    except FileExistsError as error:
        raise UsageError(f"{path}: is there already; name another file, or check it with --check") from error  # fmt: skip
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror or error}") from error
    print(f"{path}: edit it, then: l7meter fund allocate --policy {path} --period 2026-10 --why")


def register(group: typer.Typer) -> None:
    """Add the command."""
    group.command(epilog=EXAMPLES)(policy)
