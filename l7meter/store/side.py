"""Tables of ours beside DuckLake's: what rollups cover, what was taken out, days, settings.

They are made when something is first written to them, so that a store of an older l7meter can be
read as it is.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, date, datetime
from typing import NamedTuple

import polars as pl

from l7meter.store.ledger import BASES, instant, instants


class Removed(NamedTuple):
    """Rows that were taken out of a source that stays in the ledger, and why; sums in octets.

    `octets` has one sum for each basis of `server_bytes`, None where no such record was removed.
    """

    source_id: str
    records: int
    rejects: int
    unmeasured_records: int
    wire_bytes: int
    octets: tuple[int | None, ...] = (None,) * len(BASES)


class DayState(NamedTuple):
    """A UTC day. `settled`: its rollups have no more to become; `restatements` counts changes since
    it was closed, by snapshot `closed_snapshot` (0: never).
    """

    day: date
    state: str = "open"  # closed, restated
    settled: bool = False
    closed_at: datetime | None = None
    restatements: int = 0
    restated_at: datetime | None = None
    closed_snapshot: int = 0


SALT = "clients_salt"
_OCTETS = ", ".join(f"server_bytes_{basis} BIGINT" for basis in BASES)
_TABLES = {
    # a records file whose rows are in the rollups; it is ended together with the file
    "l7meter_covered": "data_file_id BIGINT NOT NULL, begin_snapshot BIGINT NOT NULL, "
    "end_snapshot BIGINT",
    "l7meter_removed": "snapshot_id BIGINT NOT NULL, removed_at VARCHAR NOT NULL, "
    "reason VARCHAR NOT NULL, source_id VARCHAR NOT NULL, records BIGINT NOT NULL, "
    "rejects BIGINT NOT NULL, unmeasured_records BIGINT NOT NULL, wire_bytes BIGINT NOT NULL, "
    + _OCTETS,
    "l7meter_day": "day VARCHAR PRIMARY KEY, closed_at VARCHAR NOT NULL, "
    "closed_snapshot BIGINT NOT NULL, settled BIGINT NOT NULL, restatements BIGINT NOT NULL, "
    "restated_at VARCHAR",
    "l7meter_restatement": "day VARCHAR NOT NULL, snapshot_id BIGINT NOT NULL, at VARCHAR NOT NULL, "
    "cause VARCHAR NOT NULL, records BIGINT, server_bytes BIGINT",
    "l7meter_seen": "path VARCHAR PRIMARY KEY, size BIGINT NOT NULL, modified_ns BIGINT NOT NULL, "
    "inode BIGINT NOT NULL, source_id VARCHAR NOT NULL",
    "l7meter_run": "run_id INTEGER PRIMARY KEY, started_at VARCHAR NOT NULL, ended_at VARCHAR, "
    "exit_code BIGINT, result VARCHAR",
    "l7meter_published": "name VARCHAR NOT NULL, path VARCHAR NOT NULL, first_day VARCHAR, "
    "last_day VARCHAR, snapshot_id BIGINT NOT NULL, at VARCHAR NOT NULL, PRIMARY KEY(name, path)",
    "l7meter_setting": "name VARCHAR PRIMARY KEY, value VARCHAR NOT NULL",
}


def ensure(db: sqlite3.Connection) -> None:
    """Make the tables that are missing; inside of a transaction that writes."""
    for name, columns in _TABLES.items():
        db.execute(f"CREATE TABLE IF NOT EXISTS {name}({columns})")
    db.execute(
        "CREATE UNIQUE INDEX IF NOT EXISTS l7meter_covered_once ON l7meter_covered(data_file_id) "
        "WHERE end_snapshot IS NULL"
    )
    db.execute("CREATE INDEX IF NOT EXISTS l7meter_removed_of ON l7meter_removed(source_id)")


def there(db: sqlite3.Connection, table: str) -> bool:
    """Whether a store has the table already."""
    found = db.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,))
    return found.fetchone() is not None


def setting(db: sqlite3.Connection, name: str) -> str | None:
    """A setting of the store; None where it was never made."""
    if not there(db, "l7meter_setting"):
        return None
    row = db.execute("SELECT value FROM l7meter_setting WHERE name = ?", (name,)).fetchone()
    return row[0] if row else None


def salt(db: sqlite3.Connection) -> str:
    """What client addresses are hashed with for rollups: made once, different in each store."""
    ensure(db)
    made = secrets.token_hex(16)
    db.execute("INSERT OR IGNORE INTO l7meter_setting VALUES (?, ?)", (SALT, made))
    return setting(db, SALT) or made


def horizon(db: sqlite3.Connection) -> date | None:
    """The day before which records were removed by retention; their rollups are final."""
    day = setting(db, "records_from")
    return date.fromisoformat(day) if day else None


def set_horizon(db: sqlite3.Connection, day: date) -> None:
    """Say that records of earlier days are removed from now on; it never goes back."""
    ensure(db)
    before = horizon(db)
    if before is None or before < day:
        db.execute("INSERT OR REPLACE INTO l7meter_setting VALUES ('records_from', ?)", (str(day),))


# Coverage


def covered(db: sqlite3.Connection, snapshot: int) -> set[int]:
    """The records files whose rows are in the rollups of a snapshot."""
    if not there(db, "l7meter_covered"):
        return set()
    rows = db.execute(
        "SELECT data_file_id FROM l7meter_covered WHERE begin_snapshot <= ?1 "
        "AND (end_snapshot IS NULL OR end_snapshot > ?1)",
        (snapshot,),
    )
    return {row[0] for row in rows}


def cover(db: sqlite3.Connection, file_ids: Iterable[int], snapshot: int) -> None:
    """Note that the rows of these files are in the rollups from a snapshot on."""
    rows = [(file_id, snapshot) for file_id in file_ids]
    if rows:
        ensure(db)
        db.executemany("INSERT INTO l7meter_covered VALUES (?, ?, NULL)", rows)


def uncover(db: sqlite3.Connection, file_ids: Collection[int], snapshot: int) -> None:
    """Note that these files have ended."""
    if file_ids and there(db, "l7meter_covered"):
        db.executemany(
            "UPDATE l7meter_covered SET end_snapshot = ? "
            "WHERE data_file_id = ? AND end_snapshot IS NULL",
            [(snapshot, file_id) for file_id in file_ids],
        )


# What was taken out


def remove(db: sqlite3.Connection, rows: Iterable[Removed], reason: str, snapshot: int) -> None:
    """Note rows that were taken out of sources."""
    ensure(db)
    now = instant(datetime.now(UTC))
    marks = ", ".join("?" * (8 + len(BASES)))
    for row in rows:
        *counts, octets = row
        db.execute(
            f"INSERT INTO l7meter_removed VALUES ({marks})",
            (snapshot, now, reason, *counts, *octets),
        )


def removed(db: sqlite3.Connection, source_id: str, snapshot: int) -> tuple[int, int]:
    """Records and rejects that were taken out of a source since it was committed by a snapshot."""
    if not there(db, "l7meter_removed"):
        return 0, 0
    sums = "SELECT coalesce(sum(records), 0), coalesce(sum(rejects), 0) FROM l7meter_removed"
    where = "WHERE source_id = ? AND snapshot_id >= ?"
    records, rejects = db.execute(f"{sums} {where}", (source_id, snapshot)).fetchone()
    return records, rejects


def rejects_left(db: sqlite3.Connection) -> str:
    """SQL: how many rejects a row of `l7meter_source AS s` has that were not taken out since."""
    if not there(db, "l7meter_removed"):
        return "s.rejects"
    return (
        "(s.rejects - (SELECT coalesce(sum(r.rejects), 0) FROM l7meter_removed AS r "
        "WHERE r.source_id = s.source_id AND r.snapshot_id >= s.snapshot_id))"
    )


def removals(db: sqlite3.Connection, snapshot: int) -> pl.DataFrame:
    """All that was taken out of sources up to a snapshot, with when and why."""
    schema = {
        **{"snapshot_id": pl.Int64, "removed_at": pl.String, "reason": pl.String},
        **{"source_id": pl.String, "records": pl.Int64, "rejects": pl.Int64},
        **{"unmeasured_records": pl.Int64, "wire_bytes": pl.Int64},
        **{f"server_bytes_{basis}": pl.Int64 for basis in BASES},
    }
    found = "SELECT * FROM l7meter_removed WHERE snapshot_id <= ? ORDER BY rowid"
    rows = db.execute(found, (snapshot,)).fetchall() if there(db, "l7meter_removed") else []
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(instants("removed_at"))


# Days


def restate(
    db: sqlite3.Connection,
    changed: Mapping[date, tuple[int, int]],
    cause: str,
    snapshot: int,
) -> None:
    """Note what changes in closed days: records and octets more or less."""
    if not changed or not there(db, "l7meter_day"):
        return
    now = instant(datetime.now(UTC))
    for day, (records, octets) in sorted(changed.items()):
        found = db.execute(
            "UPDATE l7meter_day SET settled = 0, restatements = restatements + 1, restated_at = ? "
            "WHERE day = ?",
            (now, str(day)),
        )
        if found.rowcount:
            entry = (str(day), snapshot, now, cause, records, octets)
            db.execute("INSERT INTO l7meter_restatement VALUES (?, ?, ?, ?, ?, ?)", entry)


def close(db: sqlite3.Connection, days: Iterable[date], snapshot: int) -> None:
    """Close days, or say that the rollups of restated ones are settled again."""
    ensure(db)
    now = instant(datetime.now(UTC))
    for day in days:
        db.execute(
            "INSERT INTO l7meter_day(day, closed_at, closed_snapshot, settled, restatements) "
            "VALUES (?, ?, ?, 1, 0) ON CONFLICT(day) DO UPDATE SET settled = 1",
            (str(day), now, snapshot),
        )


def unsettle(db: sqlite3.Connection, days: Collection[date]) -> None:
    """Say that the rollups of closed days have to be settled again."""
    for day in days:
        db.execute("UPDATE l7meter_day SET settled = 0 WHERE day = ?", (str(day),))


def days(db: sqlite3.Connection) -> list[DayState]:
    """The days that were ever closed, in order."""
    if not there(db, "l7meter_day"):
        return []
    rows = db.execute(
        "SELECT day, closed_at, closed_snapshot, settled, restatements, restated_at "
        "FROM l7meter_day ORDER BY day"
    )
    return [
        DayState(
            date.fromisoformat(day),
            "restated" if times else "closed",
            bool(settled),
            datetime.fromisoformat(at),
            times,
            datetime.fromisoformat(last) if last else None,
            snapshot,
        )
        for day, at, snapshot, settled, times, last in rows
    ]


# Files that were read, so that they need not be opened again to be known


def seen(db: sqlite3.Connection) -> dict[str, tuple[int, int, int, str]]:
    """Of each path: its size, time of modification (ns), inode, and the source it was."""
    if not there(db, "l7meter_seen"):
        return {}
    rows = db.execute("SELECT path, size, modified_ns, inode, source_id FROM l7meter_seen")
    return {path: (size, modified, inode, of) for path, size, modified, inode, of in rows}


def see(db: sqlite3.Connection, rows: Iterable[tuple[str, int, int, int, str]]) -> None:
    """Remember files as they were when they were read."""
    ensure(db)
    db.executemany("INSERT OR REPLACE INTO l7meter_seen VALUES (?, ?, ?, ?, ?)", rows)


def unsee(db: sqlite3.Connection, source_ids: Collection[str]) -> None:
    """Forget the files of these sources, so that they may come again."""
    if source_ids and there(db, "l7meter_seen"):
        rows = [(source_id,) for source_id in source_ids]
        db.executemany("DELETE FROM l7meter_seen WHERE source_id = ?", rows)
