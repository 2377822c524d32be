"""What the store remembers of sources, so that none is read twice."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date

from l7meter.store import catalog, ledger, side
from l7meter.store.ledger import SourceRow
from l7meter.store.store import Store


def small_heads(store: Store) -> list[tuple[int, str]]:
    """Length and identity of the heads of sources that are shorter than a head can be."""
    with catalog.reading(store.catalog) as db:
        return ledger.small_heads(db)


def seen(store: Store) -> dict[str, tuple[int, int, int, str]]:
    """Files as they were when they were read: size, time of modification (ns), inode, source."""
    with catalog.reading(store.catalog) as db:
        return side.seen(db)


def see(store: Store, files: Sequence[tuple[str, int, int, int, str]]) -> None:
    """Remember files: path, size, time of modification (ns), inode, source."""
    with catalog.writing(store.catalog) as db:
        side.see(db, files)


def together(store: Store, row: SourceRow) -> int:
    """How many sources of captures were committed together with one; 0 for a log."""
    with catalog.reading(store.catalog) as db:
        return ledger.together(db, row)


def all_sources(store: Store) -> list[SourceRow]:
    """All sources of the ledger now."""
    with catalog.reading(store.catalog) as db:
        return ledger.rows(db)


def with_parts(store: Store, source_ids: Collection[str]) -> list[SourceRow]:
    """Sources with the other parts of the files that grew: what one of them follows, and what follows it."""
    rows = all_sources(store)
    wanted = set(source_ids)
    while True:
        before = {row.continues for row in rows if row.source_id in wanted} - {None}
        behind = {row.source_id for row in rows if row.continues in wanted}
        if before | behind <= wanted:
            return [row for row in rows if row.source_id in wanted]
        wanted |= behind | {each for each in before if each}


def with_rejects(store: Store, before: date) -> list[str]:
    """The sources that end before a UTC day, of which there are rejects still."""
    with catalog.reading(store.catalog) as db:
        rows = db.execute(
            "SELECT source_id FROM l7meter_source AS s WHERE end_snapshot IS NULL "
            f"AND substr(coalesce(last_ts, ingested_at), 1, 10) < ? AND {side.rejects_left(db)} > 0",
            (str(before),),
        )
        return [source_id for (source_id,) in rows]
