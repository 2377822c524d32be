"""`l7meter explain`."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from typing import Annotated

import typer

from l7meter.cli.options import (
    OrganizationsOption,
    Output,
    OutputOption,
    RefdataOption,
    RegistryOption,
    examples,
    parse_day,
)
from l7meter.cli.printing import print_cards, print_rows

EXAMPLES = examples(
    "l7meter explain address 2600:1f18::1 100.64.0.9 ::ffff:8.8.8.8 8.8.8",
    "l7meter explain agent 'Debian APT-HTTP/1.3 (2.6.1)'",
    "l7meter explain target /simple/requests/ --registry pypi",
    "cut -d' ' -f1 access.log | sort -u | l7meter explain address - -o jsonl",
)


class What(StrEnum):
    """What can be explained."""

    address = "address"
    agent = "agent"
    target = "target"


def explain(
    what: Annotated[What, typer.Argument(help="What the values are.")],
    values: Annotated[list[str], typer.Argument(metavar="VALUE...|-", help="The values; - reads one a line from standard input.")],
    registry: RegistryOption = None,
    organizations: OrganizationsOption = None,
    refdata: RefdataOption = None,
    day: Annotated[str | None, typer.Option("--day", metavar="YYYY-MM-DD", help="The day as of which addresses are looked up; today if not given.")] = None,
    output: OutputOption = Output.table,
) -> None:  # fmt: skip
    """Say what is concluded of addresses, user agents or request targets, and by which rule."""
    from l7meter.attribution import explain as run

    if values == ["-"]:
        given = [line.rstrip(b"\r\n") for line in sys.stdin.buffer]
    else:
        given = [os.fsencode(value) for value in values]
    found = run(
        what.value,
        [value.decode("utf-8", "backslashreplace") for value in given],
        registry,
        organizations=organizations,
        refdata=refdata,
        day=parse_day(day, "--day"),
    )
    if output is Output.table:
        details = [name for name, kind in found.schema.items() if kind.is_nested()]
        print_cards(found.unnest(details))
    else:
        print_rows(found, output)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EXAMPLES)(explain)
