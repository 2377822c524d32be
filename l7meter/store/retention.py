"""What may be kept no longer is taken out; what was summed up of it stays."""

from __future__ import annotations

from datetime import date

import polars as pl

from l7meter.store import catalog, side
from l7meter.store.accept import LiveFile, day_of
from l7meter.store.days import midnight
from l7meter.store.entries import with_rejects
from l7meter.store.removing import Taken, take_out
from l7meter.store.rollups import Rollups, close, cover
from l7meter.store.store import Store
from l7meter.store.usage import UNITS


def retain(
    store: Store,
    *,
    records: date | None = None,
    rejects: date | None = None,
    rollups: bool = True,
    dry_run: bool = False,
) -> Taken:
    """Take out the records of days before one, and the rejects of sources that end before another.

    What is summed up of those records stays: their days are covered and closed first, and are final
    from then on. Without `rollups` nothing is left.
    """
    if records and not dry_run:
        if rollups:
            close(store, records)
        with catalog.writing(store.catalog) as db:
            side.set_horizon(db, records)
    nothing = pl.lit(False)
    ids = with_rejects(store, rejects) if rejects else []
    return take_out(
        store,
        pl.col("ts") < midnight(records) if records else nothing,
        pl.col("source_id").is_in(ids) if rejects else nothing,
        reason=f"retention: records from {records or 'ever'}, rejects from {rejects or 'ever'}",
        among=lambda file: (
            _may_be_old(file, records, bool(ids))
            and (file.covered or not rollups or file.table == "rejects")
        ),
        keep_rollups=True,
        dry_run=dry_run,
    )


def records_from(store: Store) -> date | None:
    """The day before which retention took the records out; None where it took none."""
    with catalog.reading(store.catalog) as db:
        return side.horizon(db)


def _may_be_old(file: LiveFile, records: date | None, rejects: bool) -> bool:
    if file.table == "rejects":
        return rejects
    return records is not None and (file.lower or "~") < str(records)


def rebuild(store: Store) -> int:
    """Make the rollups anew, but those of days whose records are gone; gives the records summed up."""
    cover(store)
    final = records_from(store)
    if final:  # late records of such days are in the rollups, and would be once more
        retain(store, records=final)
    state = Rollups.of(store)
    stale = [f for table in UNITS for f in state.files[table] if not (final and (of := day_of(f)) and of < final)]  # fmt: skip
    unsettled = {each.day for each in state.days if not (final and each.day < final)}
    store.replace(
        stale, [], message="rebuild rollups", uncovered=state.covered, unsettled=unsettled
    )
    return cover(store)
