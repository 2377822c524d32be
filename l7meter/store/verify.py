"""Is the store what its catalog and its ledger say?"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import duckdb
import polars as pl

from l7meter.schema import Column
from l7meter.store import accept, catalog, ledger, side
from l7meter.store.accept import Layout, LiveFile
from l7meter.store.catalog import TABLES
from l7meter.store.datafile import digest
from l7meter.store.placing import CATALOG
from l7meter.store.store import Store
from l7meter.store.verify_usage import Problem, disagreeing
from l7meter.store.views import quote, scan


class _File(NamedTuple):
    """A file as recorded; `stats` by column id: values, nulls, lower, upper, contains_nan."""

    live: LiveFile
    path: Path
    blake3: str | None
    stats: dict[int, tuple[int | None, int | None, str | None, str | None, int | None]]

    @property
    def where(self) -> str:
        """Its path in the store."""
        return f"data/{self.live.table}/{self.live.name}"


def verify(store: Store, deep: bool = True) -> list[Problem]:
    """Check the latest snapshot and the files on disk; nothing is changed.

    Always: every file is there with its size, no file is unreferenced, the ledger's rows are the
    catalog's, and rollups cover files that are there. `deep` reads all data: every octet is as written, statistics bound every value,
    and the ledger's rows, octets by basis and times are those of a scan; for captures also the
    octets on the wire; rollups equal the records they cover. Raises `StoreError` for a catalog that cannot be read at all.
    """
    problems = [
        Problem("orphan", str(path.relative_to(store.path)), "no snapshot refers to it")
        for path in orphans(store)
    ]
    with catalog.reading(store.catalog) as db:
        head = catalog.head(db).number
        layouts = accept.layouts(db, store.catalog)
        sources = _left(ledger.frame(db, head), side.removals(db, head))
        covered, horizon = side.covered(db, head), side.horizon(db)
        if deep:
            checked = [row[0] for row in db.execute("PRAGMA integrity_check(3)")]
            problems += [Problem("content", CATALOG, f"{each}; restore the catalog") for each in checked if each != "ok"]  # fmt: skip
        files = {
            table: [
                _recorded(store, db, file)
                for file in accept.live_files(db, store.catalog, table, layout, head)
            ]
            for table, layout in layouts.items()
        }
    for table, layout in layouts.items():
        for file in files[table]:
            damage = list(_damage(file, deep))
            if deep and not damage:
                damage = _statistics(store, layout, file)
            problems += damage
        if table not in catalog.REQUIRED:
            continue
        counted = sources[table].sum()
        held = sum(f.live.rows for f in files[table])
        if counted != held:
            message = f"the ledger has {counted} {table}, the catalog {held}"
            problems.append(Problem("ledger", table, message))
        if deep:
            broken = {p.where for p in problems if p.kind not in ("statistics", "ledger")}
            sound = [f.live for f in files[table] if f.where not in broken]
            problems += _sums(store, table, layout, sound, sources)
    live = {table: [f.live for f in entries] for table, entries in files.items()}
    whole = deep and not any(p.kind in ("missing", "size", "content", "unreadable") for p in problems)  # fmt: skip
    return problems + list(disagreeing(store, layouts, live, covered, horizon, whole))


def _left(sources: pl.DataFrame, removals: pl.DataFrame) -> pl.DataFrame:
    """The ledger less what was taken out of sources since; times are null where something was."""
    sums = [c for c in removals.columns if c in sources.columns and removals[c].dtype == pl.Int64]
    sums.remove("snapshot_id")
    both = removals.join(sources.select("source_id", since="snapshot_id"), on="source_id")
    lost = both.filter(pl.col("snapshot_id") >= pl.col("since")).group_by("source_id").agg(pl.col(sums).sum())  # fmt: skip
    return (
        sources.join(lost, on="source_id", how="left", suffix="_lost", maintain_order="left")
        .with_columns(
            *(pl.col(c) - pl.col(f"{c}_lost").fill_null(0) for c in sums),
            *(pl.when(pl.col("records_lost").is_null()).then(c) for c in ("first_ts", "last_ts")),
        )
        .select(sources.columns)
    )


def orphans(store: Store) -> list[Path]:
    """Files in the data directories that the catalog does not know, ended ones being known."""
    found = [
        (table, entry.name)
        for table in TABLES
        if (store.data / table).is_dir()
        for entry in os.scandir(store.data / table)
        if entry.is_file()
    ]
    # the directory first: what is committed while we look is then known
    with catalog.reading(store.catalog) as db:
        known = {
            (table, name)
            for table, name in db.execute(
                "SELECT table_name, f.path FROM ducklake_data_file f JOIN ducklake_table "
                "USING (table_id)"
            )
        }
        known |= {
            (Path(name).parent.name, Path(name).name)
            for (name,) in db.execute("SELECT path FROM ducklake_files_scheduled_for_deletion")
        }
    return [store.data / table / name for table, name in sorted(set(found) - known)]


def _recorded(store: Store, db: sqlite3.Connection, live: LiveFile) -> _File:
    stats = db.execute(
        "SELECT column_id, value_count, null_count, min_value, max_value, contains_nan "
        "FROM ducklake_file_column_stats WHERE data_file_id = ?",
        (live.file_id,),
    )
    hashed = db.execute("SELECT blake3 FROM l7meter_file WHERE data_file_id = ?", (live.file_id,))
    return _File(
        live,
        store.path_of(live),
        next((row[0] for row in hashed), None),
        {row[0]: row[1:] for row in stats},
    )


def _damage(file: _File, deep: bool) -> Iterator[Problem]:
    where = file.where
    if not file.path.is_file():
        yield Problem("missing", where, f"its {file.live.rows} rows are lost; restore it")
        return
    size = file.path.stat().st_size
    if size != file.live.size_bytes:
        yield Problem("size", where, f"{size} octets, not {file.live.size_bytes}; restore it")
    elif deep and file.blake3 is not None and digest(file.path) != file.blake3:
        yield Problem("content", where, "its content changed since it was written; restore it")


def _statistics(store: Store, layout: Layout, file: _File) -> list[Problem]:
    """Check each recorded bound and count against the values of a file."""
    where = file.where
    columns = [c for c in TABLES[file.live.table] if c.name in layout.field_ids]
    checks = [
        f"coalesce({_check(c, file.stats.get(layout.field_ids[c.name]))}, true)" for c in columns
    ]
    rows = scan(store, file.live.table, layout, [file.live])
    query = f"SELECT count(*), [{', '.join(checks)}] FROM ({rows})"
    try:
        with duckdb.connect() as con:
            count, holds = con.execute(query).fetchall()[0]
    except duckdb.Error as error:
        return [Problem("unreadable", where, str(error))]
    problems = []
    if count != file.live.rows:
        problems.append(Problem("statistics", where, f"{count} rows, not {file.live.rows}"))
    wrong = [c.name for c, right in zip(columns, holds, strict=True) if not right]
    if wrong:
        message = f"statistics do not hold for {', '.join(wrong)}: queries may miss rows"
        problems.append(Problem("statistics", where, message))
    return problems


def _check(
    column: Column, stats: tuple[int | None, int | None, str | None, str | None, int | None] | None
) -> str:
    """A SQL condition: the statistics of a column hold (null: nothing was recorded)."""
    if stats is None:
        return "false"
    values, nulls, lower, upper, nan = stats
    name = number = column.name
    tests = []
    if values is not None:
        tests.append(f"count({name}) = {values}")
    if nulls is not None:
        tests.append(f"count(*) - count({name}) = {nulls}")
    if column.type == "double":
        number = f"{name}) FILTER (NOT isnan({name})"
        if nan is not None:
            tests.append(f"coalesce(bool_or(isnan({name})), false) = {bool(nan)}")
    if lower is not None:
        tests.append(f"coalesce(min({number}) >= CAST({quote(lower)} AS {column.duckdb}), true)")
    if upper is not None:
        tests.append(f"coalesce(max({number}) <= CAST({quote(upper)} AS {column.duckdb}), true)")
    return " AND ".join(tests) or "true"


def _sums(
    store: Store, table: str, layout: Layout, files: Sequence[LiveFile], sources: pl.DataFrame
) -> list[Problem]:
    """Compare what the ledger says of each source with a scan."""
    wanted = {table: "count(*)"}
    if table == "records":
        wanted["unmeasured_records"] = "count(*) FILTER (server_bytes IS NULL)"
        wanted |= {
            f"server_bytes_{basis}": "CAST(sum(server_bytes) FILTER "
            f"(server_bytes_basis = '{basis}') AS BIGINT)"
            for basis in ledger.BASES
        }
        wanted |= {"first_ts": "min(ts)", "last_ts": "max(ts)"}
        wanted["wire_bytes"] = (
            "CAST(sum(coalesce(server_wire_bytes, 0) + coalesce(client_wire_bytes, 0)) AS BIGINT)"
        )
    select = ", ".join(f"{expression} AS {name}" for name, expression in wanted.items())
    rows = scan(store, table, layout, files)
    try:
        with duckdb.connect() as con:
            con.execute("SET TimeZone = 'UTC'")
            answer = con.sql(f"SELECT source_id, {select} FROM ({rows}) GROUP BY source_id")
            scanned = pl.DataFrame(answer.to_arrow_table())
    except duckdb.Error as error:
        return [Problem("unreadable", f"data/{table}", str(error).partition("\n")[0])]
    both = sources.select("source_id", "name", "packets_carried", *wanted).join(
        scanned, on="source_id", how="full", coalesce=True, suffix="_scanned"
    )
    problems = []
    for name in wanted:
        said, found = pl.col(name), pl.col(f"{name}_scanned")
        if name.endswith("_ts"):
            found = pl.when(said.is_not_null()).then(found)  # not known where rows were taken out
        else:  # a sum over no rows
            said, found = said.fill_null(0), found.fill_null(0)
        if name == "wire_bytes":  # the ledger keeps it of captures alone
            found = pl.when(pl.col("packets_carried").is_not_null()).then(found).otherwise(said)
        for source_id, label, one, other in (
            both.filter(said.ne_missing(found))
            .select("source_id", "name", said.cast(pl.String), found.cast(pl.String))
            .iter_rows()
        ):
            message = f"{name}: the ledger says {one}, a scan {other}"
            problems.append(Problem("ledger", label or f"source {source_id}", message))
    return problems
