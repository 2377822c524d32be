"""What of a DuckLake catalog we can read exactly; everything else is refused, never guessed.

Other writers may append to the tables and merge their files. Files with deleted rows, rows kept in
the catalog, encryption, other formats and files mapped by name are features we do not read.
"""

from __future__ import annotations

import sqlite3
from datetime import date
from pathlib import Path
from typing import NamedTuple

from l7meter.errors import StoreError
from l7meter.store import side
from l7meter.store.catalog import REQUIRED, TABLES, TYPES, VERSION


class Layout(NamedTuple):
    """A table in the catalog: its id and the field id of each of our columns it has."""

    table_id: int
    field_ids: dict[str, int]


class LiveFile(NamedTuple):
    """A data file as of a snapshot; `lower` and `upper` bound the first column (`ts` of records).

    `rows_until` is the snapshot up to which rows count, where a merged file holds later ones too,
    else None. `covered` records are in the rollups.
    """

    file_id: int
    table: str
    name: str
    rows: int
    size_bytes: int
    lower: str | None
    upper: str | None
    rows_until: int | None
    covered: bool = False


def day_of(file: LiveFile) -> date | None:
    """The UTC day that a file of records begins on, or that a rollup file is of; None without time."""
    try:
        return date.fromisoformat(file.lower[:10]) if file.lower else None
    except ValueError as error:
        place = f"data/{file.table}/{file.name}"
        raise StoreError(
            f"{place}: begins at {file.lower}, says the catalog; restore it"
        ) from error


def in_calendar(bound: str) -> bool:
    """Whether a bound is of the years 1 to 9999, which are all that Python's dates have."""
    return bound[:4].isdigit() and bound[4:5] == "-"


def _refuse(path: Path, what: str, step: str) -> StoreError:
    return StoreError(f"{path}: {what}; {step}")


def layouts(db: sqlite3.Connection, path: Path) -> dict[str, Layout]:
    """Our tables in the catalog at `path`; `StoreError` where it is not one we can read."""
    tables = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not {"ducklake_metadata", "l7meter_source"} <= tables:
        raise _refuse(path, "not the catalog of an l7meter store", "name a store or a new place")
    metadata = dict(db.execute("SELECT key, value FROM ducklake_metadata WHERE scope IS NULL"))
    if metadata.get("version") != VERSION:
        raise _refuse(
            path,
            f"a DuckLake {metadata.get('version')} catalog, not {VERSION}",
            "use the l7meter that wrote it, or ingest again into a new store",
        )
    if metadata.get("encrypted") != "false":
        raise _refuse(path, "an encrypted DuckLake", "ingest again into a new store")
    result = {}
    for table, columns in TABLES.items():
        rows = db.execute(
            "SELECT table_id, column_id, column_name, column_type FROM ducklake_table "
            "JOIN ducklake_column USING (table_id) JOIN ducklake_schema USING (schema_id) "
            "WHERE schema_name = 'main' AND table_name = ? AND ducklake_table.end_snapshot IS NULL "
            "AND ducklake_column.end_snapshot IS NULL AND parent_column IS NULL",
            (table,),
        ).fetchall()
        if not rows and table not in REQUIRED:
            continue
        if not rows:
            raise _refuse(path, f"the table {table} is missing", "restore the catalog")
        found = {name: (field_id, type_) for _, field_id, name, type_ in rows}
        for column in columns:
            if column.name in found and found[column.name][1] != TYPES[column.type]:
                raise _refuse(
                    path,
                    f"{table}.{column.name} is {found[column.name][1]}, not {TYPES[column.type]}",
                    "use the l7meter that wrote it",
                )
        result[table] = Layout(
            rows[0][0], {c.name: found[c.name][0] for c in columns if c.name in found}
        )
    return result


def live_files(
    db: sqlite3.Connection, path: Path, table: str, layout: Layout, snapshot: int
) -> list[LiveFile]:
    """The files of a table as of a snapshot, by time; `StoreError` where one cannot be read."""
    at = "begin_snapshot <= :at AND (end_snapshot IS NULL OR end_snapshot > :at)"
    values = {"at": snapshot, "table": layout.table_id, "first": min(layout.field_ids.values())}
    odd = db.execute(
        "SELECT CASE WHEN file_format <> 'parquet' THEN 'another format' "
        "WHEN encryption_key IS NOT NULL THEN 'encryption' "
        "WHEN mapping_id IS NOT NULL THEN 'columns mapped by name' "
        "ELSE 'a path outside the store' END, path FROM ducklake_data_file "
        f"WHERE table_id = :table AND {at} AND (file_format <> 'parquet' OR encryption_key IS NOT "
        "NULL OR mapping_id IS NOT NULL OR NOT path_is_relative) LIMIT 1",
        values,
    ).fetchone()
    if odd:
        raise _refuse(
            path, f"{table} has a file with {odd[0]} ({odd[1]})", "insert its rows instead"
        )
    deletes = f"SELECT path FROM ducklake_delete_file WHERE table_id = :table AND {at} LIMIT 1"
    if db.execute(deletes, values).fetchone():
        raise _refuse(
            path,
            f"{table} has delete files, which l7meter does not read",
            "run DuckLake's ducklake_rewrite_data_files on it",
        )
    inlined = [
        row[0]
        for row in db.execute(
            "SELECT table_name FROM ducklake_inlined_data_tables WHERE table_id = :table "
            "UNION SELECT name FROM sqlite_master WHERE name = 'ducklake_inlined_delete_' || :table",
            values,
        )
    ]
    for name in inlined:
        if db.execute(f'SELECT 1 FROM "{name}" LIMIT 1').fetchone():
            raise _refuse(
                path,
                f"{table} has rows in the catalog itself, which l7meter does not read",
                "run DuckLake's ducklake_flush_inlined_data on it",
            )
    rows = db.execute(
        "SELECT f.data_file_id, path, record_count, file_size_bytes, min_value, max_value, "
        "CASE WHEN partial_max > :at THEN :at END "
        "FROM ducklake_data_file f LEFT JOIN ducklake_file_column_stats s "
        "ON s.data_file_id = f.data_file_id AND s.column_id = :first "
        f"WHERE f.table_id = :table AND {at} ORDER BY min_value, f.data_file_id",
        values,
    )
    covered = side.covered(db, snapshot) if table == "records" else ()
    found = (LiveFile(file_id, table, *rest) for file_id, *rest in rows)
    return [_checked(file, path)._replace(covered=file.file_id in covered) for file in found]


def _checked(file: LiveFile, path: Path) -> LiveFile:
    """The file; `StoreError` for what no writer says of one: octets of the catalog at `path` changed."""
    counts = (file.file_id, file.rows, file.size_bytes)
    if not (isinstance(file.name, str) and all(isinstance(each, int) for each in counts)):
        what = f"a data file whose path, record_count or size is {file[:5]}"
        raise _refuse(path, what, "restore the catalog")
    try:
        for bound in (file.lower, file.upper) if file.table != "rejects" else ():
            if bound and in_calendar(bound):
                date.fromisoformat(bound[:10])
    except (ValueError, TypeError) as error:
        what = f"{file.name} has rows from {file.lower} to {file.upper}"
        raise _refuse(path, what, "restore the catalog") from error
    return file
