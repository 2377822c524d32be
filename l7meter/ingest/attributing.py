"""Stored records concluded anew: with other reference data, declarations or rules, in one commit."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

import polars as pl

from l7meter.attribution import Attribution
from l7meter.ingest.coding import Coder, concat
from l7meter.privacy import WORDS, Policy
from l7meter.schema import CONCLUDED, POLARS, SAID
from l7meter.store import DataFile, LiveFile, Store, rollups
from l7meter.store.days import midnight

SLICE = 100_000  # records at once: some 100 MB
FILE = 400_000  # records of a data file, at least; their text is kept as codes until then
COMPARED = [name for name in CONCLUDED if name != "attribution_id"]
_KEYS = ("organization", "basis")
_SUMS = ("records_before", "records_after", "bytes_before", "bytes_after")
CHANGES = pl.Schema(dict.fromkeys(_KEYS, pl.String()) | dict.fromkeys(_SUMS, pl.Int64()))


@dataclass
class Reattributed:
    """What was concluded otherwise.

    `records` are those of the period, `looked_at` those among them that had another `attribution_id`,
    `changed` those of which anything else is concluded, `by_column` how often what, `days` on which. `changes` has a row
    for each organisation and basis whose records or octets are not the same. `before` is the
    snapshot with the former conclusions, `snapshot` the new one (None: nothing was committed).
    """

    before: int
    records: int = 0
    looked_at: int = 0
    changed: int = 0
    by_column: Counter[str] = field(default_factory=Counter)
    days: set[date | None] = field(default_factory=set)
    changes: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=CHANGES))
    snapshot: int | None = None


def attribute(
    store: Store,
    attribution: Attribution,
    *,
    since: date | None = None,
    until: date | None = None,
    dry_run: bool = False,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Reattributed:
    """Conclude the records from `since` on, before `until` (days, UTC), anew and replace them.

    All in one commit, or nothing. An equal `attribution_id` means equal conclusions: files that hold
    no other are left alone. `progress` is told the records done and those in all. Raises `StoreError`
    where another process replaces the same files meanwhile.
    """
    done = Reattributed(store.snapshot())
    live = store.files("records")
    total, passed = sum(file.rows for file in live), 0
    removed: list[LiveFile] = []
    added: list[DataFile] = []
    covered: list[DataFile] = []  # of those that were summed up
    final = _final(store)
    sums: list[pl.DataFrame] = []
    coder = Coder()
    for file in live:
        stale = _stale(store, file, attribution, done, since, until)
        waiting: list[pl.DataFrame] = []
        before = len(added)
        for stored in store.read(file, SLICE) if stale else ():
            fresh = _kept(stored, _anew(stored, attribution, coder, since, until), final)
            _compare(stored, fresh, done)
            sums += [_sums(stored, "before"), _sums(fresh, "after")]
            waiting += [] if dry_run else [fresh]
            if sum(frame.height for frame in waiting) >= FILE:
                added.append(store.write("records", concat(waiting)))
                waiting = []
        if waiting:
            added.append(store.write("records", concat(waiting)))
        if stale:
            removed.append(file)
        if file.covered:
            covered += added[before:]
        passed += file.rows
        progress(passed, total)
    done.changes = _changes(sums)
    if added:
        end, made = rollups.changed(store, removed, covered, done.days)
        done.snapshot = store.replace(
            [*removed, *end],
            [*added, *made],
            message=f"attribute {done.looked_at} records of {len(removed)} files",
            manifests=attribution.manifests(),
            covered=[file.name for file in covered],
            days={day: (0, 0) for day in done.days if day},
        )
    return done


def _final(store: Store) -> dict[tuple[str, ...], list[str]]:
    """Sources of which not all can be concluded again, as a privacy policy took it away: by columns."""
    found: dict[tuple[str, ...], list[str]] = {}
    kept = store.ledger().filter(pl.col("privacy").is_not_null())
    for source_id, manifest in kept.select("source_id", "privacy").iter_rows():
        said = {name: word for name, word in json.loads(manifest).items() if name in WORDS}
        columns = Policy(**said).final_columns()
        if columns:
            found.setdefault(columns, []).append(source_id)
    return found


def _kept(
    stored: pl.DataFrame, fresh: pl.DataFrame, final: dict[tuple[str, ...], list[str]]
) -> pl.DataFrame:
    """The fresh conclusions, but for those that only the ingest could draw."""
    for columns, source_ids in final.items():
        mine = stored["source_id"].is_in(source_ids)
        if mine.any():
            fresh = fresh.with_columns(
                pl.when(mine)
                .then(stored[name])
                .otherwise(fresh[name].cast(POLARS[name]))
                .alias(name)
                for name in columns
            )
    return fresh


def _stale(
    store: Store,
    file: LiveFile,
    attribution: Attribution,
    done: Reattributed,
    since: date | None,
    until: date | None,
) -> bool:
    """Whether a file has records of the period that other data or rules concluded; they are counted."""
    before = done.looked_at
    for part in store.read(file, 4 * SLICE, ["ts", "attribution_id"]):
        mine = part.filter(_within(since, until))
        done.records += mine.height
        done.looked_at += int(mine["attribution_id"].ne_missing(attribution.ids(mine["ts"])).sum())
    return done.looked_at > before


def _within(since: date | None, until: date | None) -> pl.Expr:
    within = pl.lit(True)
    if since:
        within &= (pl.col("ts") >= midnight(since)).fill_null(False)
    if until:
        within &= (pl.col("ts") < midnight(until)).fill_null(False)
    return within


def _anew(
    stored: pl.DataFrame,
    attribution: Attribution,
    coder: Coder,
    since: date | None,
    until: date | None,
) -> pl.DataFrame:
    """The records in their order, those of the period concluded anew; text is coded."""
    placed = stored.with_row_index("place")
    mine, others = placed.filter(_within(since, until)), placed.filter(~_within(since, until))
    coded = coder.code(mine.select(SAID))
    fresh = attribution.conclude(coded, coder.memo(coded)).insert_column(0, mine["place"])
    if not others.height:
        return fresh.drop("place")
    return concat([fresh, others.select(fresh.columns)]).sort("place").drop("place")


def _compare(stored: pl.DataFrame, fresh: pl.DataFrame, done: Reattributed) -> None:
    unlike = pl.DataFrame(
        stored[name].ne_missing(fresh[name].cast(POLARS[name])).alias(name) for name in COMPARED
    )
    other = unlike.select(pl.any_horizontal(pl.all())).to_series()
    done.changed += int(other.sum())
    done.days |= set(stored.filter(other)["ts"].dt.date().unique())
    done.by_column.update({name: n for name, n in unlike.sum().row(0, named=True).items() if n})


def _sums(records: pl.DataFrame, when: str) -> pl.DataFrame:
    keys = (pl.col("organization"), pl.col("server_bytes_basis").alias("basis"))
    return records.group_by(key.cast(pl.String) for key in keys).agg(
        pl.len().cast(pl.Int64).alias(f"records_{when}"),
        pl.col("server_bytes").sum().alias(f"bytes_{when}"),
    )


def _changes(sums: list[pl.DataFrame]) -> pl.DataFrame:
    """The organisations whose sums differ, those that change most first."""
    empty = pl.DataFrame(schema=CHANGES)
    both = pl.concat([empty, *sums], how="diagonal").group_by(_KEYS).agg(pl.col(_SUMS).sum())
    apart = pl.col("bytes_after") - pl.col("bytes_before")
    unlike = (apart != 0) | (pl.col("records_after") != pl.col("records_before"))
    return both.filter(unlike).sort(
        apart.abs(), *_KEYS, descending=[True, False, False], nulls_last=True
    )
