"""`l7meter query`, `sql` and `shell`."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from l7meter.cli.options import (
    DEFAULT_STORE,
    Output,
    OutputOption,
    SnapshotOption,
    StoreOption,
    examples,
)
from l7meter.cli.printing import print_rows
from l7meter.errors import UsageError

if TYPE_CHECKING:
    from l7meter.analysis import Query
    from l7meter.store import Connection

QUERY_EXAMPLES = examples(
    "l7meter query",
    "l7meter query top_organizations -p limit=20 -p since=2026-10-01",
    "l7meter query packages -p ecosystem=npm -o csv > packages.csv",
    "l7meter query ./my-question.sql",
    "l7meter query top_organizations --snapshot 41",
    "l7meter query top_asns -p limit=null --min-clients 5 --digits 3 -o csv > published.csv",
)
SQL_EXAMPLES = examples(
    "l7meter sql 'SELECT agent_name, sum(server_bytes) FROM records GROUP BY 1 ORDER BY 2 DESC'",
    "l7meter sql 'SELECT reason, count(*) FROM rejects GROUP BY 1' -o markdown",
    "echo 'FROM sources' | l7meter sql -",
)


def query(
    name: Annotated[str | None, typer.Argument(help="A question, or a file that ends in .sql; all are listed if not given.")] = None,
    parameter: Annotated[list[str] | None, typer.Option("--parameter", "-p", metavar="KEY=VALUE", help="A parameter of the question.")] = None,
    store: StoreOption = DEFAULT_STORE,
    snapshot: SnapshotOption = None,
    min_clients: Annotated[int, typer.Option("--min-clients", min=0, metavar="N", help="For others to see: rows of fewer distinct clients are folded into one; 0 folds none.")] = 0,
    digits: Annotated[int, typer.Option("--digits", min=0, metavar="N", help="For others to see: significant digits of all figures; 0 leaves them exact.")] = 0,
    output: OutputOption = Output.table,
) -> None:  # fmt: skip
    """Ask one of the questions that come with l7meter, or list them."""
    from l7meter.analysis import catalogue, load, run
    from l7meter.analysis.publishing import publishable
    from l7meter.store import connect

    if name is None:
        import polars as pl

        rows = [(each.name, each.title, ", ".join(p.name for p in each.parameters)) for each in catalogue()]  # fmt: skip
        frame = pl.DataFrame(rows, schema=["query", "answers", "parameters"], orient="row")
        print_rows(frame, output, "Questions: l7meter query NAME [-p key=value]", wrapped=True)
        return
    wanted = load(name)
    given = dict(_pair(each) for each in parameter or ())
    wanted.bind(given)
    with connect(store, snapshot=snapshot, locked=True) as connection:
        frame = run(connection, wanted, given)
        if snapshot is None:  # an earlier state may have what is gone now
            _warn(store, connection, wanted, given)
    print_rows(publishable(frame, min_clients, digits), output, wanted.title)


def _warn(store: Path, connection: Connection, asked: Query, given: dict[str, str]) -> None:
    """Say so where records were asked for that retention has taken out."""
    from l7meter.store import Store
    from l7meter.store.asking import asks_records
    from l7meter.store.retention import records_from

    first = records_from(Store.open(store))
    since = asked.bind(given).get("since")
    day = since.date() if isinstance(since, datetime) else since
    early = first and not (isinstance(day, date) and day >= first)
    if early and asks_records(connection, asked.sql):
        print(f"l7meter: '{asked.name}' is asked of records, which are there from {first} on: retention took out what came before; rollups have its sums", file=sys.stderr)  # fmt: skip


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"-p {text}: give key=value")
    return key, value


def sql(
    text: Annotated[str, typer.Argument(metavar="SQL", help="Statements that only read; - takes them from standard input.")],
    store: StoreOption = DEFAULT_STORE,
    snapshot: SnapshotOption = None,
    allow_files: Annotated[bool, typer.Option("--allow-files", help="Let the SQL read other files and the environment, too: only for SQL of your own.")] = False,
    output: OutputOption = Output.table,
) -> None:  # fmt: skip
    """Run SQL of your own on the views records, requests, usage_daily, sources and others; it can only read."""
    from l7meter.store import connect, select

    statement = sys.stdin.read() if text == "-" else text
    with connect(store, snapshot=snapshot, locked=not allow_files) as connection:
        frame = select(connection, statement)
    print_rows(frame, output)


def shell(store: StoreOption = DEFAULT_STORE) -> None:
    """Open DuckDB's own command line on the store, its views made."""
    from l7meter.store import shell_script

    program = shutil.which("duckdb")
    if program is None:
        raise UsageError(
            "DuckDB's command line is not installed: pip install duckdb-cli (or "
            "'l7meter[shell]'), or ask with 'l7meter sql'"
        )
    folder = tempfile.mkdtemp(prefix="l7meter-shell-")
    script = shell_script(store, Path(folder))
    os.execv(program, [program, "-init", str(script)])


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog=QUERY_EXAMPLES)(query)
    app.command(epilog=SQL_EXAMPLES)(sql)
    app.command(epilog=examples("l7meter shell --store /srv/meter"))(shell)
