"""Usage summed up by the hour and the day, kept equal to the records.

A records file is *covered* once its rows are in the rollups; what is not covered is asked from the
records themselves, so an answer never waits for a rollup. Each rollup file holds one UTC day:
where rows of a day change or go, the day's files are replaced by sums of what is there now. A day whose
records were removed by retention is never summed up again: its rollups are what is left of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from typing import NamedTuple

import duckdb
import polars as pl

from l7meter.errors import Conflict, StoreError
from l7meter.store import accept, catalog, side
from l7meter.store.accept import Layout, LiveFile, day_of
from l7meter.store.datafile import DataFile
from l7meter.store.sampling import keep
from l7meter.store.store import Store
from l7meter.store.usage import UNITS, again, cells, settled, summed
from l7meter.store.views import scan, spill_to_disk

MEMORY = "2GB"
ROWS = 5_000_000  # records that are summed up at once
TRIES = 5


class Rollups(NamedTuple):
    """The state that rollups are made from: live files by table, layouts.

    `covered` has also the files that another program ended, which are live no longer.
    """

    files: dict[str, list[LiveFile]]
    covered: set[int]
    layouts: dict[str, Layout]
    horizon: date | None
    salt: str
    days: list[side.DayState]

    @classmethod
    def of(cls, store: Store) -> Rollups:
        """The state now; what a store lacks is made."""
        store.announce()
        store.with_all_columns()
        salt = _salt(store)
        with catalog.reading(store.catalog) as db:
            layouts = accept.layouts(db, store.catalog)
            at = catalog.head(db).number
            return cls(
                {t: accept.live_files(db, store.catalog, t, x, at) for t, x in layouts.items()},
                side.covered(db, at),
                layouts,
                side.horizon(db),
                salt,
                side.days(db),
            )

    def of_day(self, day: date | None) -> list[LiveFile]:
        """The rollup files of a day."""
        return [f for table in UNITS for f in self.files[table] if day_of(f) == day]

    def sums(self, first: date, last: date) -> list[LiveFile]:
        """The covered records files that may have rows of some days."""
        low, high = str(first), str(last + timedelta(days=1))
        return [
            f
            for f in self.files["records"]
            if f.covered and (f.lower or "") < high and (f.upper or "~") >= low
        ]


def _salt(store: Store) -> str:
    """What client addresses are hashed with; a store of an older l7meter has none yet."""
    with catalog.reading(store.catalog) as db:
        salt = side.setting(db, side.SALT)
    if salt is None:
        with catalog.writing(store.catalog) as db:
            salt = side.salt(db)
    return salt


def cover(store: Store, *, rows: int = ROWS, memory: str = MEMORY) -> int:
    """Sum up the records that no rollup covers yet; gives how many they were. Samples are kept with them.

    One commit for each `rows` records. Raises `Conflict` where other processes keep replacing them.
    """
    done, failed = 0, 0
    while True:
        state = Rollups.of(store)
        group: list[LiveFile] = []
        for file in state.files["records"]:
            if not file.covered and sum(f.rows for f in group) < rows:
                group.append(file)
        if not group:
            keep(store)
            return done
        made = _built(store, scan(store, "records", state.layouts["records"], group), state, memory)
        message = f"sum up {len(group)} files"
        try:
            store.replace([], made, message=message, covered=[f.name for f in group])
        except StoreError as error:
            _drop(store, made)
            failed += 1
            if failed == TRIES or not isinstance(error, Conflict):
                raise
            continue
        done += sum(f.rows for f in group)


def close(store: Store, before: date, *, memory: str = MEMORY) -> list[date]:
    """Close the days before one, and settle again those closed ones that changed since.

    Gives the days that were summed up, with what was fetched again within 24 hours. All records are
    covered first.
    """
    cover(store, memory=memory)
    state = Rollups.of(store)
    known = {each.day: each for each in state.days}
    there = {day for f in state.files["usage_daily"] if (day := day_of(f))}
    due = {each.day for each in state.days if not each.settled}
    due |= {day for day in there if day < before and day not in known}
    due |= {day + timedelta(days=1) for day in due} & known.keys()  # which looks a day back
    for day in sorted(due, reverse=True):  # killed in between, a day that changed is still due
        _settle(store, day, memory)
    return sorted(due)


def _settle(store: Store, day: date, memory: str) -> None:
    for attempt in range(TRIES):
        if attempt:
            cover(store, memory=memory)
        state = Rollups.of(store)
        if state.horizon and day < state.horizon:
            store.replace([], [], message=f"close {day}", settled=[day])
            return
        yesterday = day - timedelta(days=1)
        look = scan(store, "records", state.layouts["records"], state.sums(yesterday, day))
        fetched = again(_within(look, yesterday, day), *_limits(day, day))
        made = _merged(store, fetched, state, day, memory)
        try:
            store.replace(state.of_day(day), made, message=f"close {day}", settled=[day])
        except Conflict:
            _drop(store, made)
            if attempt == TRIES - 1:
                raise
        else:
            return


def drop_before(store: Store, day: date, *, dry_run: bool = False) -> int:
    """Take out the sums of days before one whose records are gone, too; gives how many files."""
    state = Rollups.of(store) if not dry_run else None
    horizon = state.horizon if state else None
    last = min(day, horizon) if horizon else date.min
    files = [
        f
        for table in UNITS
        for f in (state.files[table] if state else store.files(table))
        if (of := day_of(f)) and of < (day if dry_run else last)
    ]
    if files and not dry_run:
        store.replace(files, [], message=f"retention: sums from {last}")
    return len(files)


def changed(
    store: Store,
    ended: Collection[LiveFile],
    added: Iterable[DataFile],
    days: Collection[date | None],
) -> tuple[list[LiveFile], list[DataFile]]:
    """The rollup files that end and come where covered files are replaced, and rows of `days` change
    (None: without time).

    `added` are the files that come for those of `ended` that were covered. To be committed
    together with them.
    """
    state = Rollups.of(store)
    gone = {f.file_id for f in ended}
    new = [LiveFile(-1, f.table, f.name, f.rows, f.size_bytes, None, None, None) for f in added]
    end: list[LiveFile] = []
    made: list[DataFile] = []
    for day in days:
        if day and state.horizon and day < state.horizon:
            continue
        end += state.of_day(day)
        near = state.sums(day, day) if day else state.files["records"]
        stay = [f for f in near if f.covered and f.file_id not in gone]
        rows = scan(store, "records", state.layouts["records"], [*stay, *new])
        rows = _within(rows, day, day) if day else f"SELECT * FROM ({rows}) WHERE ts IS NULL"
        made += _built(store, rows, state, MEMORY)
    return end, made


def _limits(first: date, last: date) -> tuple[str, str]:
    return f"TIMESTAMPTZ '{first} 00:00:00+00'", f"TIMESTAMPTZ '{last + timedelta(days=1)} 00:00:00+00'"  # fmt: skip


def _within(rows: str, first: date, last: date) -> str:
    low, high = _limits(first, last)
    return f"SELECT * FROM ({rows}) WHERE ts >= {low} AND ts < {high}"


def _built(store: Store, rows: str, state: Rollups, memory: str) -> list[DataFile]:
    """Rollup files of records, one for each day and unit."""
    with _engine(store, memory) as (con, made):
        con.execute(f"CREATE TEMP TABLE cells AS {cells(rows, state.salt)}")
        for table, unit in UNITS.items():
            con.execute(f"CREATE TEMP TABLE {table} AS {summed(unit)}")
            made += [store.write(table, frame) for frame in _by_day(con, table, unit)]
            con.execute(f"DROP TABLE {table}")
    return made


def _merged(store: Store, fetched: str, state: Rollups, day: date, memory: str) -> list[DataFile]:
    """One rollup file for each unit of what there is of a day; `fetched` is the SQL of `again`."""
    with _engine(store, memory) as (con, made):
        con.execute(f"CREATE TEMP TABLE again AS {fetched}")
        for table, unit in UNITS.items():
            files = [f for f in state.files[table] if day_of(f) == day]
            rows = scan(store, table, state.layouts[table], files)
            frame = con.sql(settled(rows, unit)).pl()
            if len(files) > 1:  # else each coupon is there once
                once = pl.col("clients").str.split(" ").list.unique().list.sort().list.join(" ")
                frame = frame.with_columns(once)
            if frame.height:
                made.append(store.write(table, _ordered(frame, unit)))
    return made


@contextmanager
def _engine(
    store: Store, memory: str
) -> Iterator[tuple[duckdb.DuckDBPyConnection, list[DataFile]]]:
    """A DuckDB, and a list of the files made with it, which are removed where it fails."""
    made: list[DataFile] = []
    try:
        with duckdb.connect() as con:
            con.execute("SET TimeZone = 'UTC'")
            spill_to_disk(con)
            con.execute(f"SET memory_limit = '{memory}'")
            yield con, made
    except BaseException as error:
        _drop(store, made)
        if isinstance(error, duckdb.Error):
            raise StoreError(
                f"{store.path}: records cannot be summed up: {error}; make room, or check them "
                "with 'l7meter store verify', and run it again"
            ) from error
        raise


def _by_day(con: duckdb.DuckDBPyConnection, table: str, unit: str) -> Iterator[pl.DataFrame]:
    start = f"CAST(make_timestamp(epoch_us({unit}::TIMESTAMPTZ)) AS DATE)"
    days = con.execute(f"SELECT DISTINCT {start} FROM {table} ORDER BY 1").fetchall()
    for (day,) in days:
        sql = f"SELECT * FROM {table} WHERE {start} IS NOT DISTINCT FROM $day"
        yield _ordered(con.sql(sql, params={"day": day}).pl(), unit)


def _ordered(frame: pl.DataFrame, unit: str) -> pl.DataFrame:
    """The rows by organisation and time: half the size, and one organisation is read alone."""
    return frame.sort("organization", unit, "agent_name", "package_ecosystem")


def _drop(store: Store, files: Sequence[DataFile]) -> None:
    for file in files:
        store.path_of(file).unlink(missing_ok=True)
