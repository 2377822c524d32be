"""`l7meter day`: which days are closed, and what changed in them since."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from l7meter.cli.options import (
    DEFAULT_STORE,
    Output,
    OutputOption,
    StoreOption,
    examples,
    parse_day,
)
from l7meter.cli.printing import print_rows
from l7meter.errors import UsageError

app = typer.Typer(help="Days: open, closed or restated.", no_args_is_help=True)


@app.command("list", epilog=examples("l7meter day list", "l7meter day list -o csv"))
def list_(store: StoreOption = DEFAULT_STORE, output: OutputOption = Output.table) -> None:
    """List the UTC days of a store: `open`, `closed`, or `restated` since they were closed."""
    import polars as pl

    from l7meter.store import Store
    from l7meter.store.days import day_states

    rows = [each[:6] for each in day_states(Store.open(store))]
    names: dict[str, Any] = {"day": pl.Date, "state": pl.String, "settled": pl.Boolean, "closed_at": pl.Datetime("us", "UTC"), "restatements": pl.Int64, "restated_at": pl.Datetime("us", "UTC")}  # fmt: skip
    print_rows(pl.DataFrame(rows, schema=names, orient="row"), output)


@app.command(epilog=examples("l7meter day changes"))
def changes(store: StoreOption = DEFAULT_STORE, output: OutputOption = Output.table) -> None:
    """List what changed in closed days: when, why, and by how many records and octets."""
    import polars as pl

    from l7meter.store import Store
    from l7meter.store.days import restatements

    names: dict[str, Any] = {"day": pl.Date, "snapshot": pl.Int64, "at": pl.Datetime("us", "UTC"), "cause": pl.String, "records": pl.Int64, "server_bytes": pl.Int64}  # fmt: skip
    print_rows(pl.DataFrame(restatements(Store.open(store)), schema=names, orient="row"), output)


@app.command(epilog=examples("l7meter day close --before 2026-11-01"))
def close(
    before: Annotated[str, typer.Option("--before", metavar="YYYY-MM-DD", help="The first day that stays open.")],
    store: StoreOption = DEFAULT_STORE,
) -> None:  # fmt: skip
    """Close the days before one, and sum up restated ones anew; 'l7meter run' does this by itself."""
    from l7meter.store import Store
    from l7meter.store import close as run

    day = parse_day(before, "--before")
    if day is None or day > datetime.now(UTC).date():
        raise UsageError("--before: give a day that has begun; a day that is not over cannot be closed")  # fmt: skip
    with Store.open(store) as opened:
        done = run(opened, day)
    print(f"{len(done):,} days closed or summed up anew{': ' + ', '.join(map(str, done)) if done else ''}")  # fmt: skip


def register(above: typer.Typer) -> None:
    """Add the commands."""
    above.add_typer(app, name="day")
