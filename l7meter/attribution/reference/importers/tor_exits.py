"""Exits of the Tor network: https://metrics.torproject.org/collector.html#type-tordnsel.

Either the bulk list, an address a line, or `exit-addresses` with lines `ExitAddress 192.0.2.1 2026-10-01 00:00:00`.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from l7meter.attribution.reference import claiming, reading
from l7meter.attribution.reference.importers import Imported, Importer
from l7meter.attribution.reference.shaping import shaped

_ENTRY = rb"(?:@type tordnsel|Downloaded|ExitNode) "


def _claims(name: str, start: bytes) -> bool:
    is_bulk = claiming.stem(name).startswith(("torbulkexitlist", "tor-exit"))
    return is_bulk or claiming.first_line_is(_ENTRY, start)


def _read(path: Path) -> Imported:
    data = reading.content(path)
    line = pl.col("line")
    lines = reading.lines(data).filter(~line.str.starts_with("#"))
    as_of = None
    if b"ExitAddress " in data:
        exits = lines.filter(line.str.starts_with("ExitAddress "))
        lines = exits.select(line.str.extract(r"^ExitAddress (\S+) "))
        as_of = reading.day(exits.select(line.str.extract(r" ([0-9-]{10}) [0-9:]+$").max()).item())
    frame = lines.select(network=line).unique(maintain_order=True)
    frame = frame.with_columns(service=pl.lit("Tor exit"), shared_egress=pl.lit("tor"))
    return shaped("networks", frame, "an address a line, or lines of ExitAddress", as_of)


IMPORTER = Importer(
    name="tor-exits",
    title="Tor, exit lists: addresses by which its users leave",
    kind="networks",
    page="https://metrics.torproject.org/collector.html#type-tordnsel",
    licence="none stated",
    claims=_claims,
    read=_read,
    urls=("https://check.torproject.org/torbulkexitlist",),
)
