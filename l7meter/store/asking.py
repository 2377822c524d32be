"""Questions of others put to a store: SQL on a locked connection, and DuckDB's own command line."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

import duckdb
import polars as pl

from l7meter.errors import StoreError, UsageError
from l7meter.store.reading import statements
from l7meter.store.store import Store
from l7meter.store.views import LEDGER, State, quote

Connection = duckdb.DuckDBPyConnection
RECORDS = {"records", "requests", "rejects"}  # views that retention empties
_TABLE = re.compile(r'"table_name":"(\w+)"')  # quotes inside a text are escaped


def select(
    connection: Connection, sql: str, parameters: Mapping[str, object] | None = None
) -> pl.DataFrame:
    """The result of the last of some statements that only read; `parameters` are bound in that one.

    Raises `UsageError` for SQL that is wrong, that may write, or that is none at all; `StoreError` where
    it needs more memory than there is.
    """
    parts = statements(sql)
    if not parts:
        raise UsageError("no SQL was given; try: l7meter sql 'FROM sources'")
    try:
        for part in parts[:-1]:
            connection.execute(part).fetchall()
        answer: pl.DataFrame = connection.sql(parts[-1], params=dict(parameters or {}) or None).pl()
    except duckdb.Error as error:
        raise _told(error) from error
    except pl.exceptions.PolarsError as error:  # INTERVAL, UNION, ...
        raise UsageError(
            f"the answer has a type that cannot be shown ({error}); cast it to VARCHAR"
        ) from error
    return answer


def _told(error: duckdb.Error) -> UsageError | StoreError:
    """What is to be said of SQL that failed."""
    text = str(error)
    if isinstance(error, duckdb.OutOfMemoryException) or "No space left" in text:
        return StoreError(
            f"the SQL needs more memory, or room on the disk, than there is ({text.splitlines()[0]}): ask of a "
            f"shorter period, free memory, or let TMPDIR name a larger place than {tempfile.gettempdir()}"
        )
    if isinstance(error, duckdb.IOException) and "No files found" in text:
        return UsageError(
            f"a file of the store is gone ({error}): it was expired meanwhile, so ask again; "
            "otherwise see 'l7meter store verify'"
        )
    return UsageError(f"the SQL cannot be run: {error}")


def asks_records(connection: Connection, sql: str) -> bool:
    """Whether a question reads records themselves, of which retention may have taken some; sums stay."""
    tree = select(connection, "SELECT json_serialize_sql($sql)", {"sql": sql}).item()
    names = {name.lower() for name in _TABLE.findall(tree)}
    return '"error":true' in tree or not RECORDS.isdisjoint(names)  # else not one SELECT


def shell_script(path: str | Path, folder: Path) -> Path:
    """A script for DuckDB's command line that makes the views of a store; written into `folder`.

    The ledger goes into Parquet files beside the script: the views are of this moment.
    """
    state = State.of(path)
    lines = ["SET TimeZone = 'UTC';"]
    with duckdb.connect() as connection:
        for name in LEDGER:
            file = quote(folder / f"{name}.parquet")
            frame = getattr(state, name).to_arrow(compat_level=pl.CompatLevel.oldest())
            connection.register("ledger_frame", frame)
            connection.execute(f"COPY ledger_frame TO {file} (FORMAT parquet)")
            lines.append(f"CREATE VIEW {name} AS FROM read_parquet({file});")
    lines += [f"{statement};" for statement in state.definitions()]
    script = folder / "views.sql"
    script.write_text("\n".join([*lines, f"SELECT 'views of {Store.open(path).path}: records, requests, usage_daily, usage_hourly, sources, rejects, attributions, removals' AS l7meter;", ""]))  # fmt: skip
    return script
