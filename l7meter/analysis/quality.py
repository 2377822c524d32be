"""Is it right? Every check over a store, as findings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

import polars as pl

from l7meter.analysis import quality_clock as clock
from l7meter.analysis import quality_gaps as gaps
from l7meter.analysis import quality_hops as hops
from l7meter.analysis import quality_lines as lines
from l7meter.analysis import quality_overlap as overlap
from l7meter.analysis import quality_sizes as sizes
from l7meter.analysis.quality_finding import Finding, folded, frame
from l7meter.analysis.quality_ground import Ground
from l7meter.analysis.quality_sample import BUDGET, Sample, sampled
from l7meter.store import Connection

OF_SOURCES: tuple[Callable[[Ground], Iterator[Finding]], ...] = (
    lines.rejects,
    lines.formats,
    lines.broken,
    gaps.gaps,
    gaps.strays,
    clock.future,
    clock.backwards,
    sizes.sizes,
    sizes.unmeasured,
    sizes.sampling,
)
OF_EXCHANGES: tuple[Callable[[Sample], Iterator[Finding]], ...] = (
    overlap.overlaps,
    overlap.beside,
    hops.hops,
    hops.addresses,
    clock.offsets,
)


def quality(
    connection: Connection,
    since: datetime | None = None,
    until: datetime | None = None,
    *,
    limit: int | None = 20,
    budget: int = BUDGET,
) -> pl.DataFrame:
    """The findings about the records of a period, `since` to before `until`, the gravest first.

    Columns: check, severity (error, warning, info), source (name of a source or stream, or null), since
    and until (UTC), count, bytes (octets), message, next_step. Of a check and severity at most `limit`
    are named, the rest is one row with their sums; None names all. Not more than some `budget` records
    are compared with each other; beyond, counts of duplicates are estimates that say so. docs/quality.md
    says what each check finds, and by which rule.
    """
    ground = Ground(connection, since, until)
    found = [finding for check in OF_SOURCES for finding in check(ground)]
    with sampled(ground, budget) as sample:
        found += [finding for check in OF_EXCHANGES for finding in check(sample)]
    findings = frame(found)
    return findings if limit is None else folded(findings, limit)
