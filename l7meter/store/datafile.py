"""Data files: frames made durable as Parquet under a name that nothing refers to yet."""

from __future__ import annotations

import io
import os
import uuid
from collections.abc import Iterable, Mapping
from datetime import MAXYEAR, MINYEAR, date
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pyarrow as pa
from blake3 import blake3

from l7meter.errors import StoreError
from l7meter.schema import Column
from l7meter.store.catalog import TABLES
from l7meter.store.statistics import ColumnStats, describe

# At least, twice DuckDB's own: one row group is one unit of its parallel work, and text that recurs is
# written once in each, so that a short last one costs a tenth of the time and octets of a file. Level 1 of zstd writes a third faster than 3 for 4 % more octets (make bench).
ROW_GROUP_ROWS = 245_760
LEVEL = 1
TEMPORARY = ".tmp"  # never read as *.parquet


class DataFile(NamedTuple):
    """A durable Parquet file of a table, not yet part of a snapshot; sizes in octets."""

    table: str
    name: str
    rows: int
    size_bytes: int
    footer_bytes: int
    blake3: str
    stats: dict[str, ColumnStats]
    days: dict[date, tuple[int, int]]  # records and their octets by UTC day


def write_frame(
    directory: Path, table: str, frame: pl.DataFrame, field_ids: Mapping[str, int]
) -> DataFile:
    """Write a frame of some or all columns of a table into `directory`; missing ones are null.

    Text may come as Categorical or Enum: it is written as a Parquet dictionary and read as text.
    Raises `StoreError` if it cannot be stored, `ValueError` if the frame is empty or has a column
    the table has not.
    """
    if frame.is_empty():
        raise ValueError(f"no rows to write to {table}")
    if unknown := set(frame.columns) - set(field_ids):
        raise ValueError(f"{table} has no columns {sorted(unknown)}")
    columns = {c.name: c for c in TABLES[table] if c.name in field_ids}
    schema = frame.schema
    full = frame.select(_conform(schema, c) for c in columns.values())
    doubles = [c.name for c in columns.values() if c.type == "double"]
    nan = full.select(pl.col(doubles).is_nan().any()).row(0, named=True) if doubles else {}
    fields = full.clear().to_arrow(compat_level=pl.CompatLevel.newest()).schema
    encoded = io.BytesIO()  # 30-100 MB; Polars tells of a full disk as "invalid thrift"
    full.write_parquet(
        encoded,
        compression="zstd",
        compression_level=LEVEL,
        row_group_size=-(-full.height // max(1, full.height // ROW_GROUP_ROWS)),
        # Parquet bounds leave NaN out and DuckDB prunes by them: none at all, then
        statistics=not any(nan.values()),
        arrow_schema=pa.schema(
            f.with_metadata({**(f.metadata or {}), "PARQUET:field_id": str(field_ids[f.name])})
            for f in fields
        ),
    )
    partial = new_path(directory)
    try:
        partial.write_bytes(encoded.getbuffer())
        return finish(partial, table, columns, nan)._replace(days=_days(table, full))
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise StoreError(
            f"{directory}: cannot write a data file: {error}; make room or make it writable, "
            "then run the same command again: what was committed stays"
        ) from error


def _days(table: str, frame: pl.DataFrame) -> dict[date, tuple[int, int]]:
    if table != "records":
        return {}
    common = frame.filter(pl.col("ts").dt.year().is_between(MINYEAR, MAXYEAR))
    sums = common.group_by(pl.col("ts").dt.date().alias("day")).agg(
        pl.len(), pl.col("server_bytes").sum()
    )
    return {day: (rows, octets) for day, rows, octets in sums.iter_rows()}


def by_day(each: Iterable[Mapping[date, tuple[int, int]]]) -> dict[date, tuple[int, int]]:
    """Records and octets by day, of several files or changes put together."""
    sums: dict[date, tuple[int, int]] = {}
    for days in each:
        for day, (records, octets) in days.items():
            before = sums.get(day, (0, 0))
            sums[day] = (before[0] + records, before[1] + octets)
    return sums


def new_path(directory: Path) -> Path:
    """A temporary path in `directory` that no other writer uses."""
    return directory / f"{uuid.uuid4().hex}{TEMPORARY}"


def finish(
    partial: Path, table: str, columns: Mapping[str, Column], nan: Mapping[str, bool] | None
) -> DataFile:
    """Make a written temporary file durable, give it its name and describe it."""
    rows, footer_bytes, stats = describe(partial, columns, nan)
    final = partial.with_suffix(".parquet")
    synced(partial, final)
    return DataFile(
        table=table,
        name=final.name,
        rows=rows,
        size_bytes=final.stat().st_size,
        footer_bytes=footer_bytes,
        blake3=digest(final),
        stats=stats,
        days={},
    )


def synced(partial: Path, final: Path) -> None:
    """Make a written temporary file durable, and give it its name."""
    partial.chmod(partial.stat().st_mode & 0o444)  # no data file is ever changed
    _sync(partial)
    partial.rename(final)
    _sync(final.parent)


def digest(path: Path) -> str:
    """The BLAKE3 of a file, in hexadecimal."""
    return blake3().update_mmap(path).hexdigest()


def _conform(schema: pl.Schema, column: Column) -> pl.Expr:
    given = schema.get(column.name)
    if given is None:
        return pl.lit(None, dtype=column.polars).alias(column.name)
    if column.type == "string" and isinstance(given, pl.Categorical | pl.Enum):
        return pl.col(column.name)
    return pl.col(column.name).cast(column.polars)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
