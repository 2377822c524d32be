"""What was read, in a few lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from l7meter.ingest import Ingested


def summary(done: Ingested) -> Iterator[str]:
    """Lines for a person: sources, lines and where they went, octets by what they measure."""
    from l7meter.reports.units import bytes_text

    known = sum(source.status == "known" for source in done.sources)
    rate = done.total("lines") / max(done.seconds, 0.001)
    parts = [_count(len(done.ingested), "source")]
    if known:
        parts.append(f"{known:,} known already and left alone")
    if done.failed:
        parts.append(f"[bold red]{len(done.failed):,} not read[/]")
    yield ", ".join(parts) + f" in {done.seconds:.1f} s"
    if not done.ingested:
        return
    formats = Counter(source.format for source in done.ingested)
    yield (
        f"{_count(done.total('lines'), 'line')} ({bytes_text(done.total('bytes_read'))}, {rate:,.0f}/s) = "
        f"{_count(done.total('records'), 'record')} + {_count(done.total('rejects'), 'reject')} + "
        f"{done.total('skipped'):,} skipped"
    )
    yield "Formats: " + ", ".join(f"{name} ({count:,})" for name, count in formats.most_common())
    measured = ", ".join(f"{bytes_text(octets)} of {basis}" for basis, octets in done.server_bytes_by_basis.items())  # fmt: skip
    if done.unmeasured_records:
        measured += f", {_count(done.unmeasured_records, 'record')} without a size"
    yield f"Sent to clients: {measured or 'nothing that is measured'}"
    reasons: Counter[str] = Counter()
    for source in done.ingested:
        reasons.update(source.rejects_by_reason)
    if reasons:
        yield "Rejects: " + ", ".join(f"{reason} ({count:,})" for reason, count in reasons.most_common(4))  # fmt: skip


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
