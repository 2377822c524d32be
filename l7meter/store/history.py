"""The runs of the batch job, as the store remembers them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, NamedTuple

from l7meter.store import catalog, side
from l7meter.store.ledger import instant
from l7meter.store.store import Store


class PastRun(NamedTuple):
    """One run; `ended_at` and `exit_code` are None of one that is at work, or died. `result` is its JSON."""

    run_id: int
    started_at: datetime
    ended_at: datetime | None
    exit_code: int | None
    result: dict[str, Any]


def begin(store: Store, now: datetime) -> int:
    """Enter a run that begins; gives its number."""
    with catalog.writing(store.catalog) as db:
        side.ensure(db)
        made = db.execute("INSERT INTO l7meter_run(started_at) VALUES (?)", (instant(now),))
        return made.lastrowid or 0


def end(store: Store, run_id: int, now: datetime, exit_code: int, result: dict[str, Any]) -> None:
    """Enter how a run ended."""
    with catalog.writing(store.catalog) as db:
        db.execute(
            "UPDATE l7meter_run SET ended_at = ?, exit_code = ?, result = ? WHERE run_id = ?",
            (instant(now), exit_code, json.dumps(result, ensure_ascii=False), run_id),
        )


def last_runs(store: Store, count: int = 10) -> list[PastRun]:
    """The last runs, the newest first."""
    with catalog.reading(store.catalog) as db:
        if not side.there(db, "l7meter_run"):
            return []
        rows = db.execute(
            "SELECT run_id, started_at, ended_at, exit_code, result FROM l7meter_run "
            "ORDER BY run_id DESC LIMIT ?",
            (count,),
        ).fetchall()
    return [
        PastRun(
            run_id,
            datetime.fromisoformat(started).astimezone(UTC),
            datetime.fromisoformat(ended).astimezone(UTC) if ended else None,
            code,
            json.loads(result) if result else {},
        )
        for run_id, started, ended, code, result in rows
    ]
