"""The catalog: the SQL tables of DuckLake 1.0 in a SQLite file, and what we accept in them.

Specification: https://ducklake.select/docs/stable/specification/introduction

The rollback journal is used, not the write-ahead log: the catalog is then one file, which can be
read from a read-only directory and copied while no commit runs, and it is what DuckLake's own
extension makes. `synchronous=EXTRA` makes a commit durable before it is reported: with FULL, power
loss may bring back a journal that was already removed (https://sqlite.org/pragma.html#pragma_synchronous).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from sqlite3 import Connection, DatabaseError, IntegrityError, connect
from typing import NamedTuple

import polars as pl

from l7meter import __version__
from l7meter.errors import StoreError
from l7meter.schema import RECORD, Column
from l7meter.store import ledger, side
from l7meter.store.usage import USAGE

VERSION = "1.0"
AUTHOR = f"l7meter {__version__}"
BUSY_SECONDS = 60  # a commit takes some 20 ms, so this is a queue of thousands

REJECT: tuple[Column, ...] = (
    Column("source_id", "string", "said", "Identity of the source.", ""),
    Column("source_line", "int64", "said", "Line in the source, from 1.", ""),
    Column("reason", "string", "said", "Why the line is not a record.", ""),
    Column("line", "string", "said", "Its first 4 KiB; undecodable octets escaped.", ""),
    Column("line_bytes", "int64", "said", "Its length in octets.", ""),
)
REQUIRED = ("records", "rejects")  # the others came later
TABLES: dict[str, tuple[Column, ...]] = {"records": RECORD, "rejects": REJECT, **USAGE}

# https://ducklake.select/docs/stable/specification/tables/overview
_SPECIFIED = {
    "metadata": "key VARCHAR NOT NULL, value VARCHAR NOT NULL, scope VARCHAR, scope_id BIGINT",
    "snapshot": "snapshot_id BIGINT PRIMARY KEY, snapshot_time VARCHAR, schema_version BIGINT, "
    "next_catalog_id BIGINT, next_file_id BIGINT",
    "snapshot_changes": "snapshot_id BIGINT PRIMARY KEY, changes_made VARCHAR, author VARCHAR, "
    "commit_message VARCHAR, commit_extra_info VARCHAR",
    "schema": "schema_id BIGINT PRIMARY KEY, schema_uuid VARCHAR, begin_snapshot BIGINT, "
    "end_snapshot BIGINT, schema_name VARCHAR, path VARCHAR, path_is_relative BIGINT",
    "table": "table_id BIGINT, table_uuid VARCHAR, begin_snapshot BIGINT, end_snapshot BIGINT, "
    "schema_id BIGINT, table_name VARCHAR, path VARCHAR, path_is_relative BIGINT",
    "view": "view_id BIGINT, view_uuid VARCHAR, begin_snapshot BIGINT, end_snapshot BIGINT, "
    "schema_id BIGINT, view_name VARCHAR, dialect VARCHAR, sql VARCHAR, column_aliases VARCHAR",
    "tag": "object_id BIGINT, begin_snapshot BIGINT, end_snapshot BIGINT, key VARCHAR, value VARCHAR",
    "column_tag": "table_id BIGINT, column_id BIGINT, begin_snapshot BIGINT, end_snapshot BIGINT, "
    "key VARCHAR, value VARCHAR",
    "data_file": "data_file_id BIGINT PRIMARY KEY, table_id BIGINT, begin_snapshot BIGINT, "
    "end_snapshot BIGINT, file_order BIGINT, path VARCHAR, path_is_relative BIGINT, "
    "file_format VARCHAR, record_count BIGINT, file_size_bytes BIGINT, footer_size BIGINT, "
    "row_id_start BIGINT, partition_id BIGINT, encryption_key VARCHAR, mapping_id BIGINT, "
    "partial_max BIGINT",
    "file_column_stats": "data_file_id BIGINT, table_id BIGINT, column_id BIGINT, "
    "column_size_bytes BIGINT, value_count BIGINT, null_count BIGINT, min_value VARCHAR, "
    "max_value VARCHAR, contains_nan BIGINT, extra_stats VARCHAR",
    "file_variant_stats": "data_file_id BIGINT, table_id BIGINT, column_id BIGINT, "
    "variant_path VARCHAR, shredded_type VARCHAR, column_size_bytes BIGINT, value_count BIGINT, "
    "null_count BIGINT, min_value VARCHAR, max_value VARCHAR, contains_nan BIGINT, "
    "extra_stats VARCHAR",
    "delete_file": "delete_file_id BIGINT PRIMARY KEY, table_id BIGINT, begin_snapshot BIGINT, "
    "end_snapshot BIGINT, data_file_id BIGINT, path VARCHAR, path_is_relative BIGINT, "
    "format VARCHAR, delete_count BIGINT, file_size_bytes BIGINT, footer_size BIGINT, "
    "encryption_key VARCHAR, partial_max BIGINT",
    "column": "column_id BIGINT, begin_snapshot BIGINT, end_snapshot BIGINT, table_id BIGINT, "
    "column_order BIGINT, column_name VARCHAR, column_type VARCHAR, initial_default VARCHAR, "
    "default_value VARCHAR, nulls_allowed BIGINT, parent_column BIGINT, "
    "default_value_type VARCHAR, default_value_dialect VARCHAR",
    "table_stats": "table_id BIGINT, record_count BIGINT, next_row_id BIGINT, "
    "file_size_bytes BIGINT",
    "table_column_stats": "table_id BIGINT, column_id BIGINT, contains_null BIGINT, "
    "contains_nan BIGINT, min_value VARCHAR, max_value VARCHAR, extra_stats VARCHAR",
    "partition_info": "partition_id BIGINT, table_id BIGINT, begin_snapshot BIGINT, "
    "end_snapshot BIGINT",
    "partition_column": "partition_id BIGINT, table_id BIGINT, partition_key_index BIGINT, "
    "column_id BIGINT, transform VARCHAR",
    "file_partition_value": "data_file_id BIGINT, table_id BIGINT, partition_key_index BIGINT, "
    "partition_value VARCHAR",
    "files_scheduled_for_deletion": "data_file_id BIGINT, path VARCHAR, path_is_relative BIGINT, "
    "schedule_start VARCHAR",
    "inlined_data_tables": "table_id BIGINT, table_name VARCHAR, schema_version BIGINT",
    "column_mapping": "mapping_id BIGINT, table_id BIGINT, type VARCHAR",
    "name_mapping": "mapping_id BIGINT, column_id BIGINT, source_name VARCHAR, "
    "target_field_id BIGINT, parent_column BIGINT, is_partition BIGINT",
    "schema_versions": "begin_snapshot BIGINT, schema_version BIGINT, table_id BIGINT",
    "macro": "schema_id BIGINT, macro_id BIGINT, macro_name VARCHAR, begin_snapshot BIGINT, "
    "end_snapshot BIGINT",
    "macro_impl": "macro_id BIGINT, impl_id BIGINT, dialect VARCHAR, sql VARCHAR, type VARCHAR",
    "macro_parameters": "macro_id BIGINT, impl_id BIGINT, column_id BIGINT, "
    "parameter_name VARCHAR, parameter_type VARCHAR, default_value VARCHAR, "
    "default_value_type VARCHAR",
    "sort_info": "sort_id BIGINT, table_id BIGINT, begin_snapshot BIGINT, end_snapshot BIGINT",
    "sort_expression": "sort_id BIGINT, table_id BIGINT, sort_key_index BIGINT, "
    "expression VARCHAR, dialect VARCHAR, sort_direction VARCHAR, null_order VARCHAR",
}
# https://ducklake.select/docs/stable/specification/data_types
TYPES = {
    "timestamp": "timestamptz",
    "date": "date",
    "string": "varchar",
    "int16": "int16",
    "int32": "int32",
    "int64": "int64",
    "double": "float64",
    "bool": "boolean",
}
# blake3 of each file we wrote: a changed octet is found even where Parquet would still decode
_HASHES = """
CREATE TABLE l7meter_file(data_file_id BIGINT PRIMARY KEY, blake3 VARCHAR NOT NULL);
CREATE INDEX l7meter_file_stats ON ducklake_file_column_stats(data_file_id, column_id);
"""


_ODD = (ValueError, TypeError, OverflowError)  # of what octets that changed may say


class Snapshot(NamedTuple):
    """One state of the store and the identifiers that come next."""

    number: int
    schema_version: int
    next_catalog_id: int
    next_file_id: int


@contextmanager
def reading(path: Path) -> Iterator[Connection]:
    """A connection that sees one state of the catalog and writes nothing.

    It may write where the disk lets it, because the journal of a killed commit has to be rolled
    back before anything can be read; SQLite itself falls back to reading. What is read is to be
    understood within the block: values of another type or form than we write are a `StoreError`.
    """
    step = "check the disk, or restore the catalog"
    with _connection(path, "mode=rw", step) as db:
        db.execute("PRAGMA query_only = true")
        db.execute("BEGIN")
        try:
            yield db
        except (*_ODD, pl.exceptions.PolarsError) as error:
            what = str(error).partition("\n")[0]
            raise StoreError(f"{path}: a value in it cannot be ({what}); {step}") from error


@contextmanager
def writing(path: Path, mode: str = "mode=rw") -> Iterator[Connection]:
    """One transaction, alone: committed when the block ends, undone when it raises."""
    step = "nothing was committed; make room, or end what holds the catalog, and try again"
    with _connection(path, mode, step) as db:
        db.execute("PRAGMA synchronous = EXTRA")
        db.execute("PRAGMA secure_delete = ON")  # or what was to be forgotten stays in free pages
        db.execute("BEGIN IMMEDIATE")
        yield db
        db.execute("COMMIT")


@contextmanager
def _connection(path: Path, mode: str, step: str) -> Iterator[Connection]:
    db = None
    try:
        uri = f"{path.absolute().as_uri()}?{mode}"
        db = connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
        yield db
    except IntegrityError:
        raise
    except (DatabaseError, UnicodeDecodeError) as error:  # damaged SQL is no UTF-8 in messages
        raise StoreError(f"{path}: {error}; {step}") from error
    finally:
        if db is not None:
            db.close()  # an open transaction is rolled back


def initialise(db: Connection, data: Path) -> None:
    """Write an empty catalog: the schema `main`, our tables, no rows.

    Nothing is done where another process was first.
    """
    if db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
        return
    for name, definition in _SPECIFIED.items():
        db.execute(f"CREATE TABLE ducklake_{name}({definition})")
    for statement in (ledger.TABLES + _HASHES).split(";")[:-1]:
        db.execute(statement)
    side.salt(db)
    metadata = {
        "version": VERSION,
        "created_by": AUTHOR,
        "data_path": f"{data}/",
        "encrypted": "false",
        "data_inlining_row_limit": "0",  # other writers shall not put rows into the catalog
    }
    db.executemany("INSERT INTO ducklake_metadata(key, value) VALUES (?, ?)", metadata.items())
    insert(db, "schema", (0, str(uuid.uuid4()), 0, None, "main", "", 1))
    add_snapshot(db, Snapshot(0, 0, 1, 0), ['created_schema:"main"'], "create")
    for table_id, table in enumerate(TABLES, start=1):
        insert_table(db, table, table_id, 1, 1)
    made = [f'created_table:"main"."{table}"' for table in TABLES]
    add_snapshot(db, Snapshot(1, 1, len(TABLES) + 1, 0), made, "create")


def insert_table(db: Connection, table: str, table_id: int, snapshot: int, version: int) -> None:
    """Enter one of our tables with its columns."""
    insert(db, "table", (table_id, str(uuid.uuid4()), snapshot, None, 0, table, f"{table}/", 1))
    insert(db, "schema_versions", (snapshot, version, table_id))
    for i, c in enumerate(TABLES[table], start=1):
        default = (None, "NULL", 1, None, "literal", "duckdb")
        insert(db, "column", (i, snapshot, None, table_id, i, c.name, TYPES[c.type], *default))


def head(db: Connection) -> Snapshot:
    """The latest snapshot."""
    row = db.execute(
        "SELECT snapshot_id, schema_version, next_catalog_id, next_file_id FROM ducklake_snapshot "
        "ORDER BY snapshot_id DESC LIMIT 1"
    ).fetchone()
    if row is None:
        raise ValueError("no snapshot")
    return Snapshot(*row)


def add_snapshot(db: Connection, new: Snapshot, changes: Sequence[str], message: str) -> None:
    """Enter a snapshot; `changes` in the words of the specification."""
    number, *counters = new
    insert(db, "snapshot", (number, ledger.instant(datetime.now(UTC)), *counters))
    insert(db, "snapshot_changes", (number, ",".join(changes) or None, AUTHOR, message, None))


def insert(db: Connection, table: str, *rows: tuple[object, ...]) -> None:
    """Insert full rows into a table of the specification, named without `ducklake_`."""
    marks = ", ".join("?" * len(rows[0]))
    db.executemany(f"INSERT INTO ducklake_{table} VALUES ({marks})", rows)
