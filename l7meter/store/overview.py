"""How a store stands, from its catalog alone: cheap, whatever its size, and while it is written to."""

from __future__ import annotations

import sqlite3
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import polars as pl

from l7meter.store import accept, catalog, side
from l7meter.store.ledger import instant, instants
from l7meter.store.store import Store

WEEK = timedelta(days=7)
_LEDGER = {
    **dict.fromkeys(("source_id", "name", "last_ts", "ingested_at"), pl.String),
    **dict.fromkeys(("lines", "records", "rejects"), pl.Int64),
    "problem": pl.String,
}


class Table(NamedTuple):
    """What a table has now; octets of its files."""

    rows: int
    files: int
    octets: int


class Overview(NamedTuple):
    """The store as of one moment; octets are those of files, instants UTC.

    `sources` has a row for each source of the ledger: source_id, name, last_ts, ingested_at, lines,
    records, rejects, problem. `seen` is as in `entries.seen`. `came` and `went` are records of the
    last week (`since` then, or since the first source was ingested).
    """

    snapshot: int
    snapshots: int
    oldest_snapshot: datetime
    tables: dict[str, Table]
    former_octets: int  # of files that only earlier snapshots have
    oldest_record: date | None
    oldest_rejects: datetime | None  # of the sources whose rejects are still there
    horizon: date | None
    sources: pl.DataFrame
    seen: dict[str, tuple[int, int, int, str]]
    since: datetime
    came: int
    went: int


def overview(store: Store, now: datetime) -> Overview:
    """Look at the catalog of a store."""
    with catalog.reading(store.catalog) as db:
        at = catalog.head(db).number
        files = {
            table: accept.live_files(db, store.catalog, table, layout, at)
            for table, layout in accept.layouts(db, store.catalog).items()
        }
        count, oldest = db.execute("SELECT count(*), min(snapshot_time) FROM ducklake_snapshot").fetchone()  # fmt: skip
        former = "SELECT coalesce(sum(file_size_bytes), 0) FROM ducklake_data_file WHERE end_snapshot IS NOT NULL"  # fmt: skip
        since = now.astimezone(UTC) - WEEK
        sources = _sources(db)
        came = sources.filter(pl.col("ingested_at") >= since)
        begun = sources["ingested_at"].min()
        return Overview(
            at,
            count,
            datetime.fromisoformat(oldest),
            {
                table: Table(sum(f.rows for f in each), len(each), sum(f.size_bytes for f in each))
                for table, each in files.items()
            },
            db.execute(former).fetchone()[0],
            min((date.fromisoformat(f.lower[:10]) for f in files["records"] if f.lower and accept.in_calendar(f.lower)), default=None),
            _oldest_rejects(db),
            side.horizon(db),
            sources,
            side.seen(db),
            max(since, begun) if isinstance(begun, datetime) else since,
            int(came["records"].sum()),
            _went(db, since),
        )  # fmt: skip


def read_by_runs(path: Path) -> dict[str, tuple[int, int, int]]:
    """Lines, records and rejects that all runs that ended have read of each configured source.

    They only grow, whatever is taken out of the store.
    """
    with catalog.reading(Store.open(path).catalog) as db:
        if not side.there(db, "l7meter_run"):
            return {}
        rows = db.execute(
            "SELECT s.value ->> 'name', sum(s.value ->> 'lines'), sum(s.value ->> 'records'), "
            "sum(s.value ->> 'rejects') FROM l7meter_run, json_each(result, '$.sources') s GROUP BY 1"
        )
        return {name: (lines or 0, records or 0, rejects or 0) for name, lines, records, rejects in rows}  # fmt: skip


def _sources(db: sqlite3.Connection) -> pl.DataFrame:
    rows = db.execute(f"SELECT {', '.join(_LEDGER)} FROM l7meter_source WHERE end_snapshot IS NULL")
    return pl.DataFrame(rows.fetchall(), schema=_LEDGER, orient="row").with_columns(
        instants("last_ts", "ingested_at")
    )


def _oldest_rejects(db: sqlite3.Connection) -> datetime | None:
    """The end, as retention has it, of the first source with rejects that were not taken out."""
    found = db.execute(
        "SELECT min(coalesce(last_ts, ingested_at)) FROM l7meter_source AS s "
        f"WHERE end_snapshot IS NULL AND rejects > 0 AND {side.rejects_left(db)} > 0"
    ).fetchone()[0]
    return datetime.fromisoformat(found) if found else None


def _went(db: sqlite3.Connection, since: datetime) -> int:
    if not side.there(db, "l7meter_removed"):
        return 0
    sums = "SELECT coalesce(sum(records), 0) FROM l7meter_removed WHERE removed_at >= ?"
    return int(db.execute(sums, (instant(since),)).fetchone()[0])
