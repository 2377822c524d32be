"""Columns and tables that l7meter knows and an older store does not: added by a snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from sqlite3 import Connection

from l7meter.store.accept import Layout
from l7meter.store.catalog import TABLES, TYPES, add_snapshot, head, insert, insert_table


def add_missing(db: Connection, layouts: Mapping[str, Layout]) -> None:
    """Add what is missing of each table, as one snapshot; old files have null there."""
    last = head(db)
    snapshot, version = last.number + 1, last.schema_version + 1
    altered, next_id = [], last.next_catalog_id
    for table in (name for name in TABLES if name not in layouts):
        insert_table(db, table, next_id, snapshot, version)
        altered.append(f'created_table:"main"."{table}"')
        next_id += 1
    for table, layout in layouts.items():
        missing = [c for c in TABLES[table] if c.name not in layout.field_ids]
        if not missing:
            continue
        altered.append(f"altered_table:{layout.table_id}")
        insert(db, "schema_versions", (snapshot, version, layout.table_id))
        last_id, last_order = db.execute(
            "SELECT max(column_id), max(column_order) FROM ducklake_column WHERE table_id = ?",
            (layout.table_id,),
        ).fetchone()
        for i, c in enumerate(missing, start=1):
            key = (last_id + i, snapshot, None, layout.table_id, last_order + i)
            default = (None, "NULL", 1, None, "literal", "duckdb")
            insert(db, "column", (*key, c.name, TYPES[c.type], *default))
            # a file without statistics of a column is never read where that column is asked for
            db.execute(
                "INSERT INTO ducklake_file_column_stats SELECT data_file_id, table_id, ?, 0, 0, "
                "record_count, NULL, NULL, NULL, NULL FROM ducklake_data_file WHERE table_id = ?",
                (last_id + i, layout.table_id),
            )
    if altered:
        new = last._replace(number=snapshot, schema_version=version, next_catalog_id=next_id)
        add_snapshot(db, new, altered, "add columns and tables")
