"""The views of a store in DuckDB: `records`, `requests`, `rejects`, `usage_daily`, `sources`, ..."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

import duckdb
import polars as pl

from l7meter.errors import StoreError, UsageError
from l7meter.store import accept, catalog, ledger, samples, side
from l7meter.store.accept import Layout, LiveFile
from l7meter.store.cachewords import HITS, MISSES
from l7meter.store.catalog import TABLES
from l7meter.store.spilling import own_directory
from l7meter.store.store import Store
from l7meter.store.usage import UNITS, definitions

_WORD = "regexp_replace(upper(said), '_(ABORTED|TIMEDOUT)$', '')"
# list_contains: IN makes joins, which stay where the column is not asked for
_CACHE_HIT = f"""
CREATE MACRO cache_hit(said) AS CASE WHEN list_contains({HITS}, {_WORD}) THEN true
         WHEN list_contains({MISSES}, {_WORD}) THEN false END
"""
# `ts` is counted in microseconds of UTC, so that no session's time zone moves a day
_REQUESTS = """
CREATE VIEW requests AS SELECT records.*,
    CAST(make_timestamp(epoch_us(ts)) AS DATE) AS day,
    time_bucket(INTERVAL 1 HOUR, ts) AS hour,
    CASE WHEN response_status_code BETWEEN 100 AND 599
         THEN CAST(response_status_code // 100 AS VARCHAR) || 'xx' END AS status_class,
    cache_hit(cache_status) AS cache_hit,
    coalesce(sample_weight, 1) AS weight
FROM records WHERE exchange_kind = 'http'
"""


class State(NamedTuple):
    """What a store holds as of a snapshot.

    Rollups are not `sound` where another program ended a file of `records` that they sum up.
    """

    store: Store
    layouts: dict[str, Layout]
    files: dict[str, list[LiveFile]]
    sources: pl.DataFrame
    attributions: pl.DataFrame
    removals: pl.DataFrame
    sound: bool
    horizon: date | None
    salt: str

    @classmethod
    def of(cls, path: str | Path, snapshot: int | None = None) -> State:
        """The state of the store at `path`; `UsageError` where it has no such snapshot."""
        store = Store.open(path)
        with catalog.reading(store.catalog) as db:
            at = catalog.head(db).number if snapshot is None else snapshot
            if not db.execute(
                "SELECT 1 FROM ducklake_snapshot WHERE snapshot_id = ?", (at,)
            ).fetchone():
                raise UsageError(
                    f"{path}: no snapshot {at}; the latest is {catalog.head(db).number}"
                )
            layouts = accept.layouts(db, store.catalog)
            files = {t: accept.live_files(db, store.catalog, t, x, at) for t, x in layouts.items()}
            return cls(
                store,
                layouts,
                files,
                ledger.frame(db, at),
                ledger.attributions(db),
                side.removals(db, at),
                side.covered(db, at) <= {file.file_id for file in files["records"]},
                side.horizon(db),
                side.setting(db, side.SALT) or "",
            )

    def definitions(self) -> list[str]:
        """The statements that make views and macros."""
        made = [_CACHE_HIT]
        for table in catalog.REQUIRED:
            rows = scan(self.store, table, self.layouts[table], self.files[table])
            made.append(f"CREATE VIEW {table} AS {_opened(table, rows)}")
        made.append(_REQUESTS)
        made += [f"CREATE VIEW {name} AS {rows}" for name, rows in self._bases()]
        return made + definitions(self.salt)

    def samples(self, use: bool = True) -> list[str]:
        """Views of the samples and sums that are kept, and of the records of files that have none."""
        records, data = self.files["records"], self.store.data
        kept = samples.kept(data, records) if use else set()
        made = [samples.paths(data, name) for name in sorted(kept)]
        rest = scan(self.store, "records", self.layouts["records"], [f for f in records if f.name not in kept])  # fmt: skip
        return samples.views(*map(_listed, zip(*made, strict=True)), rest=rest) if made else samples.views(rest=rest)  # fmt: skip

    def paths(self) -> list[Path]:
        """All files that the views read."""
        made = samples.kept(self.store.data, self.files["records"])
        return [
            *(self.store.path_of(f) for each in self.files.values() for f in each),
            *(path for name in made for path in samples.paths(self.store.data, name)),
        ]

    def _bases(self) -> Iterator[tuple[str, str]]:
        """What is summed up, and what is not."""
        records, layout = self.files["records"], self.layouts["records"]
        for name, rolled in (("rolled_records", True), ("other_records", False)):
            files = [f for f in records if (self.sound and f.covered) is rolled]
            yield name, scan(self.store, "records", layout, files)
        for table in UNITS:
            sums = self.files.get(table, [])
            if not self.sound:  # of days whose records are gone, they are all there is
                sums = [f for f in sums if self.horizon and (f.lower or "") < str(self.horizon)]
            yield f"rolled_{table}", scan(self.store, table, self.layouts.get(table, Layout(0, {})), sums)  # fmt: skip


def connect(
    path: str | Path, *, snapshot: int | None = None, locked: bool = False
) -> duckdb.DuckDBPyConnection:
    """A DuckDB in memory with the views of the store at `path`, as of a snapshot (default: latest).

    `records` and `rejects` have the columns of their tables, `sources` those of `SourceRow`,
    `attributions` says what each `attribution_id` stands for (JSON), `removals` what was taken out;
    `requests` are the records of kind `http` with `day` (DATE, UTC), `hour` (its beginning),
    `status_class` (`2xx`), `cache_hit` (null where the word is unknown) and `weight`;
    `usage_hourly` and `usage_daily` are the rollups and what they do not cover yet, and
    `usage(since, until)`, `usage_by_hour(since, until)` what there is of a period (docs/store.md).

    `locked` takes the outside away: no file but the store's data files, no extension, no Python
    variable, no setting. DuckDB cannot open those files for reading only, so SQL of others goes
    through `reading.statements` first. The store itself is never written to, and may be on a read-only disk.
    """
    state = State.of(path, snapshot)
    con = duckdb.connect()
    con.execute("SET TimeZone = 'UTC'")
    spill_to_disk(con)
    for name in LEDGER:
        frame: pl.DataFrame = getattr(state, name)
        con.register("ledger_frame", frame.to_arrow(compat_level=pl.CompatLevel.oldest()))
        con.execute(f"CREATE TABLE {name} AS FROM ledger_frame")
        con.unregister("ledger_frame")
    try:
        for statement in state.definitions():
            con.execute(statement)
        _add_samples(con, state)
    except duckdb.Error as error:
        con.close()
        raise StoreError(
            f"{path}: a file of the store cannot be read ({str(error).splitlines()[0]}): if it was expired "
            "meanwhile, ask again; otherwise see 'l7meter store verify'"
        ) from error
    if locked:
        _lock(con, state.paths())
    return con


def _add_samples(con: duckdb.DuckDBPyConnection, state: State) -> None:
    try:
        for statement in state.samples():
            con.execute(statement)
    except duckdb.Error:  # cut off, or removed meanwhile: nothing is lost with them
        for statement in state.samples(use=False):
            con.execute(statement)


LEDGER = ("sources", "attributions", "removals")


def _opened(table: str, rows: str) -> str:
    """The SELECT with objects that are kept as JSON text as STRUCTs."""
    structures = ", ".join(
        f"from_json({column.name}, {quote(json.dumps(fields))}) AS {column.name}"
        for column in TABLES[table]
        if (fields := column.duckdb_fields)
    )
    return f"SELECT * REPLACE ({structures}) FROM ({rows})" if structures else rows


def scan(store: Store, table: str, layout: Layout, files: Sequence[LiveFile]) -> str:
    """The SELECT that reads files of a table: by field id, null where a file has no such column."""
    columns = ", ".join(
        c.name if c.name in layout.field_ids else f"CAST(NULL AS {c.duckdb}) AS {c.name}"
        for c in TABLES[table]
    )
    whole = [f for f in files if f.rows_until is None]
    parts = [(whole, "")] if whole else []
    parts += [
        ([f], f" WHERE _ducklake_internal_snapshot_id <= {f.rows_until}")
        for f in files
        if f.rows_until is not None
    ]
    if not parts:
        nulls = ", ".join(f"CAST(NULL AS {c.duckdb}) AS {c.name}" for c in TABLES[table])
        return f"SELECT {nulls} WHERE false"
    return " UNION ALL ".join(
        f"SELECT {columns} FROM "
        + _read(table, layout, [store.path_of(f) for f in part], bool(condition))
        + condition
        for part, condition in parts
    )


# Of rows that DuckLake's extension merged: the snapshot that added each
# https://ducklake.select/docs/stable/duckdb/advanced_features/row_lineage
_SNAPSHOT_FIELD = 2_147_483_539


def _read(table: str, layout: Layout, paths: Iterable[Path], merged: bool) -> str:
    fields = [
        (layout.field_ids[c.name], c.name, c.duckdb)
        for c in TABLES[table]
        if c.name in layout.field_ids
    ]
    if merged:
        fields.append((_SNAPSHOT_FIELD, "_ducklake_internal_snapshot_id", "BIGINT"))
    schema = ", ".join(
        f"{field_id}: {{name: '{name}', type: '{type_}', default_value: NULL}}"
        for field_id, name, type_ in fields
    )
    return f"read_parquet({_listed(paths)}, schema = MAP {{{schema}}})"


def _listed(paths: Iterable[Path]) -> str:
    return f"[{', '.join(quote(_pattern(path)) for path in paths)}]"


def quote(value: str | Path) -> str:
    """A SQL text of any characters, for a path or a name."""
    return "'" + str(value).replace("'", "''") + "'"


def _pattern(path: Path) -> str:
    """The pattern that only this path matches: a store in `a*b` is not the one in `axb`."""
    return re.sub(r"[*?\[]", r"[\g<0>]", str(path))


def spill_to_disk(con: duckdb.DuckDBPyConnection) -> None:
    """Let large queries use the system's temporary directory, in a part of it that is ours alone.

    DuckDB makes its directory when it needs it, readable by everybody, and removes it.
    """
    con.execute(f"SET temp_directory = {quote(own_directory() / uuid.uuid4().hex)}")


def _lock(con: duckdb.DuckDBPyConnection, paths: Sequence[Path]) -> None:
    allowed = {str(each) for path in paths for each in (path, _pattern(path))}
    con.execute(f"SET allowed_paths = [{', '.join(map(quote, sorted(allowed)))}]")
    con.execute("SET python_enable_replacements = false")
    con.execute("SET enable_external_access = false")
    con.execute("SET lock_configuration = true")
