"""Stores in memory, of the shapes that `l7meter.store.connect` offers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import polars as pl
import pytest

from l7meter import schema
from l7meter.store import SourceRow, Store, connect
from l7meter.store.usage import USAGE, definitions

DATA = Path(__file__).parents[1] / "data" / "queries"
SOURCES = pl.Schema(
    {
        "source_id": pl.String(),
        "name": pl.String(),
        "format": pl.String(),
        "lines": pl.Int64(),
        "records": pl.Int64(),
        "rejects": pl.Int64(),
        "skipped": pl.Int64(),
        "unmeasured_records": pl.Int64(),
        "rejects_by_reason": pl.String(),
        "skipped_by_reason": pl.String(),
        "problem": pl.String(),
    }
)
CACHE_HIT = """
CREATE MACRO cache_hit(said) AS
CASE WHEN said = 'HIT' THEN true WHEN said = 'MISS' THEN false END
"""
REQUESTS = """
CREATE VIEW requests AS
SELECT *, ts::DATE AS day, date_trunc('hour', ts) AS hour,
    response_status_code // 100 || 'xx' AS status_class,
    cache_hit(cache_status) AS cache_hit,
    coalesce(sample_weight, 1) AS weight
FROM records WHERE exchange_kind = 'http'
"""
SALT = "salt of the tests"

Fill = Callable[[pl.DataFrame, pl.DataFrame], duckdb.DuckDBPyConnection]


def frame(rows: pl.DataFrame, columns: pl.Schema) -> pl.DataFrame:
    """The rows with all columns of the schema: what is missing is null."""
    return rows.select(
        (pl.col(name) if name in rows.columns else pl.lit(None)).cast(type_).alias(name)
        for name, type_ in columns.items()
    )


@pytest.fixture(scope="session")
def store_of() -> Iterator[Fill]:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    columns = ", ".join(f"{column.name} {column.shown}" for column in schema.RECORD)
    connection.execute(f"CREATE TABLE records ({columns})")
    connection.execute(CACHE_HIT)
    connection.execute(REQUESTS)
    connection.execute("CREATE VIEW other_records AS FROM records")
    connection.execute("CREATE VIEW rolled_records AS FROM records WHERE false")
    for table, made in USAGE.items():
        names = ", ".join(f"{column.name} {column.duckdb}" for column in made)
        connection.execute(f"CREATE TABLE rolled_{table} ({names})")
    for statement in definitions(SALT):
        connection.execute(statement)
    ledger = ", ".join(
        f"{name} {'BIGINT' if type_ == pl.Int64() else 'VARCHAR'}"
        for name, type_ in SOURCES.items()
    )
    connection.execute(f"CREATE TABLE sources ({ledger})")

    def fill(records: pl.DataFrame, sources: pl.DataFrame) -> duckdb.DuckDBPyConnection:
        for name, rows, columns in (
            ("records", records, schema.POLARS),
            ("sources", sources, SOURCES),
        ):
            connection.execute(f"DELETE FROM {name}")
            connection.register("rows_to_insert", schema.opened(frame(rows, columns)).to_arrow())
            connection.execute(f"INSERT INTO {name} SELECT * FROM rows_to_insert")
            connection.unregister("rows_to_insert")
        return connection

    yield fill
    connection.close()


@pytest.fixture(scope="session")
def real_store(
    tmp_path_factory: pytest.TempPathFactory,
    sample_records: pl.DataFrame,
    sample_sources: pl.DataFrame,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """The sample as a store on disk, locked as `l7meter query` locks it."""
    path = tmp_path_factory.mktemp("queries") / "store"
    counts = ("rejects_by_reason", "skipped_by_reason")
    rows = [
        SourceRow(**{**row, **{name: json.loads(row[name]) for name in counts}})
        for row in sample_sources.to_dicts()
    ]
    rejects = [
        {"source_id": row.source_id, "source_line": 100 + n, "reason": reason}
        for row in rows
        for reason, count in row.rejects_by_reason.items()
        for n in range(count)
    ]
    with Store.create(path) as store:
        records = store.write("records", frame(sample_records, schema.POLARS))
        store.append(rows, [records, store.write("rejects", pl.DataFrame(rejects))])
    with connect(path, locked=True) as connection:
        yield connection


@pytest.fixture(scope="session")
def sample_records() -> pl.DataFrame:
    overrides = {name: type_ for name, type_ in schema.POLARS.items() if name != "ts"}
    rows = pl.read_csv(DATA / "records.csv", schema_overrides={**overrides, "ts": pl.String()})
    return rows.with_columns(
        pl.col("ts").str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="us", time_zone="UTC")
    )


@pytest.fixture(scope="session")
def sample_sources() -> pl.DataFrame:
    return pl.read_csv(DATA / "sources.csv", schema_overrides=SOURCES)
