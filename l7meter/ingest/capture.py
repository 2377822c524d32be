"""Packet captures read as sources: their formats, their records, and where their octets went."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from l7meter.captures import Capture, Keyed, Sums
from l7meter.errors import UsageError
from l7meter.formats import REJECTS, Format, Parsed, Raw, Segment, behind_hops
from l7meter.formats.lines import Lines
from l7meter.ingest.coding import Coder
from l7meter.schema import POLARS, SAID
from l7meter.sources import Block
from l7meter.sources.discover import STDIN

COLUMNAR, TSHARK = "columnar", "tshark"
ENGINES = (COLUMNAR, "exact", TSHARK)
_SIZE = (
    "wire: octets of all IP packets of the exchange, headers and retransmissions included; those of "
    "its messages and of their content stand beside it"
)


class CaptureReader:
    """Stands where a format of lines has its reader: packets are no lines."""

    def cut(self, block: Block, context: Any) -> tuple[list[Segment], Any]:
        """Lines are never of this format."""
        return [Segment(block)], context

    def might(self, line: str) -> bool:
        """Lines are never of this format."""
        return False

    def read(self, segment: Segment, lines: Lines) -> Raw:
        """Lines are never of this format."""
        empty = pl.DataFrame(schema={"source_line": pl.Int64})
        return Raw(empty, lines.reasons(np.arange(lines.count), "not a packet capture"), {})


def _format(name: str, title: str) -> Format:
    specification = f"https://datatracker.ietf.org/doc/draft-ietf-opsawg-{name}/"
    return Format(name, title, specification, _SIZE, "start", CaptureReader(), "capture")


CAPTURES = {
    "pcap": _format("pcap", "packet capture (tcpdump, Wireshark), HTTP in it"),
    "pcapng": _format(
        "pcapng", "packet capture of the newer kind (Wireshark, dumpcap), HTTP in it"
    ),
}
NOTHING = pl.DataFrame(schema={name: POLARS[name] for name in SAID if name != "source_id"})


def opened(
    pieces: Iterable[bytes], name: str, engine: str | None, keys: Path | None
) -> Capture | Keyed:
    """The capture of a source, read by an engine; with keys, or by tshark, its TLS is opened.

    Raises `UsageError` where tshark cannot be had, or the source is standard input, which tshark
    cannot read beside us.
    """
    if keys is None and engine != TSHARK:
        return Capture(pieces, engine=engine or COLUMNAR)
    if name == STDIN:
        raise UsageError("--tls-keys opens captures that are files: store standard input in one")
    return Keyed(pieces, name, keys, engine=COLUMNAR if engine in (None, TSHARK) else engine)


def read(capture: Capture | Keyed, coder: Coder | None, hops: int = 0) -> Iterator[Parsed]:
    """A capture's records, a frame at a time; `lines` are the packets that came since the last one.

    Packets are no records: those whose octets are in records are `capture.sums.carried` in all.
    """
    packets, skipped = 0, Counter[str]()
    for frame in capture.frames():
        yield _parsed(coded(frame, coder, hops), capture.sums, packets, skipped)
        packets, skipped = capture.sums.packets, Counter(capture.sums.skipped)
    yield _parsed(NOTHING, capture.sums, packets, skipped)


def coded(frame: pl.DataFrame, coder: Coder | None, hops: int) -> pl.DataFrame:
    """A frame of a capture with its text as codes, or as text where there is no coder.

    Behind `hops` trusted proxies the client is the one that they vouch for.
    """
    records = behind_hops(frame.with_columns(pl.col(pl.Categorical, pl.Enum).cast(pl.String)), hops)
    return coder.code(records) if coder else records


def _parsed(records: pl.DataFrame, sums: Sums, packets: int, skipped: Counter[str]) -> Parsed:
    since = {reason: count - skipped[reason] for reason, count in sums.skipped.items()}
    return Parsed(records, pl.DataFrame(schema=REJECTS), since, sums.packets - packets)


def added(parts: Iterable[Sums]) -> Sums:
    """The sums of several captures together."""
    return sum(parts, Sums())


def accounted(sums: Sums) -> dict[str, Any]:
    """The sums by the names they have in the ledger."""
    return {
        "packets_carried": sums.carried,
        "connections": sums.connections,
        "exact_connections": sums.exact_connections,
        "payload_bytes": sums.payload_bytes,
        "message_bytes": sums.message_bytes,
        "tunnel_bytes": sums.tunnel_bytes,
        "remainder_bytes": sums.remainder_bytes,
        "wire_bytes": sums.wire_bytes,
        "missing_bytes": sums.missing_bytes,
    }


def told(sums: Sums) -> dict[str, Any]:
    """The sums as an object for machines."""
    return {
        "packets": sums.packets,
        **accounted(sums),
        "bad_checksums": sums.bad_checksums,
        **({"closed": sums.closed, "opened": sums.opened} if sums.closed else {}),
        "skipped_by_reason": dict(sums.skipped.most_common()),
        "limits": dict(sums.limits.most_common()),
    }
