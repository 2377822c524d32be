"""`l7meter store`."""

from __future__ import annotations

from typing import Annotated

import typer

from l7meter.cli.options import DEFAULT_STORE, Output, OutputOption, StoreOption, examples
from l7meter.cli.printing import print_rows

app = typer.Typer(
    help="Look after a store: its state, whether it is right, small files, left-overs.",
    no_args_is_help=True,
)
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
DAMAGED = 3


def info(store: StoreOption = DEFAULT_STORE, output: OutputOption = Output.table) -> None:
    """Say what is in a store: rows, files, octets, sources, time range."""
    import polars as pl

    from l7meter.store import Store

    found = Store.open(store).info()
    if output is Output.table:
        rows = [(name, "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)) for name, value in found.items()]  # fmt: skip
        print_rows(pl.DataFrame(rows, schema=["what", "value"], orient="row"), output, wrapped=True)
    else:
        print_rows(pl.DataFrame([found]), output)


def verify(
    store: StoreOption = DEFAULT_STORE,
    quick: Annotated[bool, typer.Option("--quick", help="Files and ledger only; do not read every row.")] = False,
    output: OutputOption = Output.table,
) -> None:  # fmt: skip
    """Check that every file is there and whole, and that the rows add up to the ledger.

    Exits with 3 if anything is wrong.
    """
    import polars as pl

    from l7meter.store import Store
    from l7meter.store import verify as run

    problems = run(Store.open(store), deep=not quick)
    if problems or output is not Output.table:
        names = ["kind", "where", "message"]
        print_rows(pl.DataFrame([tuple(each) for each in problems], schema=dict.fromkeys(names, pl.String), orient="row"), output)  # fmt: skip
    else:
        print(f"{store}: nothing is wrong")
    if problems:
        raise typer.Exit(DAMAGED)


def repair(store: StoreOption = DEFAULT_STORE, dry_run: DryRun = False) -> None:
    """Remove the files that interrupted runs left behind; nothing that counts is touched."""
    from l7meter.store import Store
    from l7meter.store import repair as run

    removed = run(Store.open(store), dry_run)
    for path in removed:
        print(f"{'would remove' if dry_run else 'removed'} {path}")
    print(f"{store}: {len(removed):,} left-over files{' (dry run)' if dry_run else ' removed'}")


def compact(store: StoreOption = DEFAULT_STORE) -> None:
    """Merge small files; the rows and every answer stay the same."""
    from l7meter.store import Store
    from l7meter.store import compact as run

    opened = Store.open(store)
    made = sum(len(run(opened, table)) for table in ("records", "rejects"))
    print(f"{store}: {made:,} new files, each merged from several")


def register(root: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog=examples("l7meter store info", "l7meter store info -o json"))(info)
    app.command(epilog=examples("l7meter store verify", "l7meter store verify --quick"))(verify)
    app.command(epilog=examples("l7meter store repair --dry-run"))(repair)
    app.command(epilog=examples("l7meter store compact --store /srv/meter"))(compact)
    root.add_typer(app, name="store")
