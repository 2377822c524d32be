"""`l7meter fund statement`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from l7meter.cli.fund.options import DEFAULT_POLICY, PeriodOption, PolicyOption
from l7meter.cli.options import DEFAULT_STORE, SnapshotOption, StoreOption, examples
from l7meter.errors import UsageError

EXAMPLES = examples(
    "l7meter fund statement --organization 'Example Corp' --period 2026-10",
    "l7meter fund statement --all --period 2026-10 --to statements/2026-10 --key fund.pem",
    "l7meter fund statement --all --limit 100 --period 2026-10 --as json,html,pdf,focus",
)


def statement(
    period: PeriodOption,
    organization: Annotated[list[str] | None, typer.Option("--organization", metavar="NAME", help="Whose; may be given several times.")] = None,
    everybody: Annotated[bool, typer.Option("--all", help="Of all organisations that have a share, or are exempt.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=0, help="With --all: only so many, those with the largest shares; 0 has no limit.")] = 0,
    to: Annotated[Path | None, typer.Option("--to", metavar="DIR", help="Where they are written.", show_default="statements/PERIOD")] = None,
    formats: Annotated[str, typer.Option("--as", metavar="FORMAT,...", help="json, html, pdf (extra 'pdf'), csv, focus.")] = "json,html",
    cache: Annotated[bool, typer.Option("--cache/--no-cache", help="Whether to replay each one's requests before a private cache: reads all records.")] = True,
    key: Annotated[Path | None, typer.Option("--key", metavar="FILE", help="Sign the manifest with this ed25519 key ('l7meter fund key' makes one).")] = None,
    policy: PolicyOption = DEFAULT_POLICY,
    store: StoreOption = DEFAULT_STORE,
    snapshot: SnapshotOption = None,
) -> None:  # fmt: skip
    """Write statements: what organisations used, what their shares are, and how they can check both.

    Each is a page for people and a JSON that 'l7meter fund verify' computes anew.
    """
    from l7meter.fund import policy as policies
    from l7meter.fund.period import Period
    from l7meter.statements import making, writing

    if bool(organization) == everybody:
        raise UsageError("whose statement? give --organization NAME, or --all")
    wanted, days = policies.read(policy), Period.parse(period)
    made = making.make(store, wanted, days, organization, snapshot=snapshot, caches=cache, limit=limit or None)  # fmt: skip
    folder = to or Path("statements") / str(days)
    with _progress(len(made.names)) as told:
        files = writing.write(folder, made.documents, [each.strip() for each in formats.split(",")], key=key, told=told)  # fmt: skip
    statements = "statement" if len(made.names) == 1 else "statements"
    print(f"{len(made.names):,} {statements}, {len(files):,} files in {folder}")


@contextmanager
def _progress(count: int) -> Iterator[Callable[[str], None]]:
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    with Progress(TextColumn("statements"), BarColumn(), MofNCompleteColumn(), console=Console(stderr=True), transient=True) as bar:  # fmt: skip
        task = bar.add_task("", total=count)
        yield lambda _: bar.advance(task)


def register(group: typer.Typer) -> None:
    """Add the command."""
    group.command(epilog=EXAMPLES)(statement)
