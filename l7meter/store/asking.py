"""Questions of others put to a store: SQL on a locked connection, and DuckDB's own command line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import duckdb
import polars as pl

from l7meter.errors import UsageError
from l7meter.store.reading import statements
from l7meter.store.store import Store
from l7meter.store.views import LEDGER, State, quote

Connection = duckdb.DuckDBPyConnection


def select(
    connection: Connection, sql: str, parameters: Mapping[str, object] | None = None
) -> pl.DataFrame:
    """The result of the last of some statements that only read; `parameters` are bound in that one.

    Raises `UsageError` for SQL that is wrong, that may write, or that is none at all.
    """
    parts = statements(sql)
    if not parts:
        raise UsageError("no SQL was given; try: l7meter sql 'FROM sources'")
    try:
        for part in parts[:-1]:
            connection.execute(part).fetchall()
        answer: pl.DataFrame = connection.sql(parts[-1], params=dict(parameters or {}) or None).pl()
    except duckdb.IOException as error:
        if "No files found" not in str(error):
            raise UsageError(f"the SQL cannot be run: {error}") from error
        raise UsageError(
            f"a file of the store is gone ({error}): it was expired meanwhile, so ask again; "
            "otherwise see 'l7meter store verify'"
        ) from error
    except duckdb.Error as error:
        raise UsageError(f"the SQL cannot be run: {error}") from error
    except pl.exceptions.PolarsError as error:  # INTERVAL, UNION, ...
        raise UsageError(
            f"the answer has a type that cannot be shown ({error}); cast it to VARCHAR"
        ) from error
    return answer


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
