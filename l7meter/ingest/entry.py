"""The ledger's rows of sources, from what was read of them, and their commit."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import polars as pl

from l7meter import __version__
from l7meter.attribution import Attribution
from l7meter.ingest.capture import accounted
from l7meter.ingest.outcome import Source
from l7meter.sources import Identity
from l7meter.store import Appended, DataFile, SourceRow, Store, holding, take_out


def named(name: str) -> Source:
    """A source by its name, octets that are no UTF-8 escaped."""
    return Source(os.fsencode(name).decode("utf-8", "backslashreplace"))


def ledger_row(source: Source, size: str, identity: Identity) -> SourceRow:
    """The ledger's row of a source that was read; its sums are those of its records, `summed`."""
    return SourceRow(
        name=source.name,
        format=source.format or "",
        size_meaning=size,
        bytes_read=source.bytes_read,
        lines=source.lines,
        records=source.records,
        rejects=source.rejects,
        skipped=source.skipped,
        skipped_by_reason=dict(source.skipped_by_reason),
        rejects_by_reason=dict(source.rejects_by_reason),
        problem=source.problem,
        l7meter_version=__version__,
        **(accounted(source.capture) if source.capture else {}),
        **identity._asdict(),
    )


def summed(row: SourceRow, sums: pl.DataFrame, attribution: Attribution) -> SourceRow:
    """The ledger row with the sums of its records."""
    mine = sums.filter(pl.col("source_id") == row.source_id)
    octets: dict[str, Any] = {}
    unmeasured = 0
    for _, basis, records, total, _, _ in mine.iter_rows():
        if basis is None:
            unmeasured += records
        else:
            octets[basis] = octets.get(basis, 0) + total
    moments = mine["first_ts"].to_list() + mine["last_ts"].to_list()
    last = max(moments, default=None)
    return replace(
        row,
        first_ts=min(moments, default=None),
        last_ts=last,
        unmeasured_records=unmeasured,
        attribution_id=attribution.id(last.date() if last else None),
        **{f"server_bytes_{basis}": total for basis, total in octets.items()},
    )


def reasons(rejects: pl.DataFrame) -> dict[str, int]:
    """How often each reason was given."""
    return dict(rejects["reason"].value_counts().iter_rows())


def committed(
    store: Store,
    rows: Sequence[SourceRow],
    files: Sequence[DataFile],
    manifests: Sequence[str],
    instead: Sequence[str],
) -> Appended:
    """Enter sources with their files, in the place of the sources `instead`, if any, in one commit."""
    if not instead:
        return store.append(rows, files, manifests)
    gone = pl.col("source_id").is_in(list(instead))
    taken = take_out(
        store,
        gone,
        gone,
        reason=f"read {rows[0].name} again",
        among=holding(store, instead),
        forget=instead,
        sources=rows,
        add=files,
        manifests=manifests,
    )
    return Appended(taken.snapshot, frozenset())
