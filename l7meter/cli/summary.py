"""What was read, in a few lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from l7meter.captures import Sums
    from l7meter.ingest import Ingested

TWICE = 1.5  # no network that works sends half of its packets again


def summary(done: Ingested) -> Iterator[str]:
    """Lines for a person: sources, what was in them and where it went, octets by what they measure."""

    known = sum(source.status == "known" for source in done.sources)
    parts = [count_text(len(done.ingested), "source")]
    if known:
        parts.append(f"{known:,} known already and left alone")
    if done.failed:
        parts.append(f"[bold red]{len(done.failed):,} not read[/]")
    yield ", ".join(parts) + f" in {done.seconds:.1f} s"
    if not done.ingested:
        return
    formats = Counter(source.format for source in done.ingested)
    if done.logs:
        yield _lines(done)
    if done.captures:
        yield from captured(done.captures)
    yield "Formats: " + ", ".join(f"{name} ({count:,})" for name, count in formats.most_common())
    if done.logs:
        yield from _leniently(done)
    yield sent(done.server_bytes_by_basis, done.unmeasured_records)
    reasons: Counter[str] = Counter()
    for source in done.ingested:
        reasons.update(source.rejects_by_reason)
    if reasons:
        yield "Rejects: " + ", ".join(f"{reason} ({count:,})" for reason, count in reasons.most_common(4))  # fmt: skip


def _leniently(done: Ingested) -> Iterator[str]:
    """A line where a format was taken for want of a better one: its meaning is a guess."""
    from l7meter.cli.printing import literal
    from l7meter.formats import shipped

    lenient = {name for name, format_ in shipped().items() if format_.lenient}
    first = next((source for source in done.ingested if source.format in lenient), None)
    if first:
        yield f"[yellow]No format is quite that of[/] {literal(first.name)}: look at 'l7meter check {literal(first.name)}', or give the server's own with --log-format"


def sent(octets: Mapping[str, int], unmeasured: int = 0) -> str:
    """A line for a person: octets by what they measure, and records that say none."""
    from l7meter.units import bytes_text

    measured = ", ".join(f"{bytes_text(total)} of {basis}" for basis, total in octets.items())
    if unmeasured:
        measured += f", {count_text(unmeasured, 'record')} without a size"
    return f"Sent to clients: {measured or 'nothing that is measured'}"


def _lines(done: Ingested) -> str:
    from l7meter.units import bytes_text

    def total(count: str) -> int:
        return sum(getattr(source, count) for source in done.logs)

    rate = total("lines") / max(done.seconds, 0.001)
    return (
        f"{count_text(total('lines'), 'line')} ({bytes_text(total('bytes_read'))}, {rate:,.0f}/s) = "
        f"{count_text(total('records'), 'record')} + {count_text(total('rejects'), 'reject')} + "
        f"{total('skipped'):,} skipped"
    )


def captured(sums: Sums) -> Iterator[str]:
    """Lines for a person: a capture's packets, its connections, and where the octets went."""
    from l7meter.units import bytes_text, percent_text

    reasons = ", ".join(f"{reason} ({count:,})" for reason, count in sums.skipped.most_common(4))
    yield (
        f"{count_text(sums.packets, 'packet')} = {sums.carried:,} of {count_text(sums.connections, 'connection')} "
        f"+ {sums.skipped.total():,} skipped{f': {reasons}' if reasons else ''}"
    )
    if sums.connections:
        share = percent_text(sums.exact_connections / sums.connections)
        yield (
            f"{bytes_text(sums.payload_bytes)} captured = {bytes_text(sums.message_bytes)} of messages "
            f"+ {bytes_text(sums.tunnel_bytes)} of tunnels + {bytes_text(sums.remainder_bytes)} of neither; "
            f"{bytes_text(sums.missing_bytes)} lost in capture; {share} of connections on the exact path"
        )
        yield from _doubts(sums)
    elif sums.packets:
        yield "[bold red]None of them is TCP or QUIC[/] behind layers that are read (docs/captures.md): tcpdump -nr tells what they are"
    if sums.limits:
        hit = ", ".join(f"{name} ({count:,})" for name, count in sums.limits.most_common())
        yield f"[bold red]Limits that were hit[/]: {hit}"


def _doubts(sums: Sums) -> Iterator[str]:
    """What makes a capture other than its user may think."""
    if sums.closed:
        opened = (
            f"{sums.opened:,} of {count_text(sums.closed, 'connection')} of TLS and QUIC opened"
        )
        known = "" if sums.opened else ": the keys are those of other connections, or came later"
        yield f"{opened}{known}"
    if sums.passes >= TWICE:
        yield (
            f"[bold red]Content passed {sums.passes:.1f} times[/]: the same packets on several interfaces? "
            "Octets on the wire count as often (docs/captures.md)"
        )


def count_text(number: int, noun: str) -> str:
    """`1 line`, `2,000 lines`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
