"""Routing tables as `bgpdump -m` prints them: https://manpages.debian.org/bookworm/bgpdump/bgpdump.1.en.html.

One route as one peer sees it is a line: `TABLE_DUMP2|time|B|peer|peer's AS|prefix|AS path|...`. The origin is the
last of the path, or an AS-set `{1,2}` (RFC 4271 §5.1.2); a route of the collector's own system has no path.
"""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path

import polars as pl

from l7meter.attribution.reference import claiming, reading
from l7meter.attribution.reference.importers import Imported, Importer
from l7meter.attribution.reference.shaping import NO_NETWORK, NO_ORIGIN, shaped
from l7meter.sources import blocks, open_stream

_COLUMNS = ("type", "time", "status", "peer", "peer_as", "network", "path")
_BLOCK = 64 << 20  # octets: a table as all peers of a collector see it is never held at once
_MERGED = 32  # blocks
OTHER_LINES = "a line is no entry of a table"


def _claims(name: str, start: bytes) -> bool:
    return claiming.first_line_is(rb"TABLE_DUMP2?\|[0-9]+\|", start)


def _read(path: Path) -> Imported:
    seen = [_counted(b"")]
    dropped: Counter[str] = Counter()
    with open_stream(str(path)) as stream:
        for block in blocks(stream, _BLOCK):
            dropped[OTHER_LINES] += len(block.long_lines)
            seen.append(_counted(block.data))
            if len(seen) > _MERGED:
                seen = [_merged(seen)]
    if stream.problem:
        raise ValueError(f"{stream.problem}; fetch it again")
    routes = _merged(seen)
    is_entry = pl.col("type").str.contains("^TABLE_DUMP2?$").fill_null(False)
    for reason, fault in (
        (OTHER_LINES, ~is_entry),
        (NO_NETWORK, pl.col("network").is_null()),
        (NO_ORIGIN, pl.col("origins").is_null()),
    ):
        dropped[reason] += int(routes.filter(fault)["seen"].sum())
        routes = routes.filter(~fault)
    return shaped("routes", _repeated(routes), "lines of bgpdump -m", _day(routes), dropped)


def _counted(data: bytes) -> pl.DataFrame:
    """Each network and origin of some lines, by how many peers `seen`, and the latest `time`."""
    lines = reading.delimited(data, _COLUMNS, "|")
    origin = pl.col("path").str.extract(r"(?:^|\s)([0-9]+|\{[0-9,]+\})\s*$")
    return (
        lines.with_columns(pl.col("time").cast(pl.Int64, strict=False), origins=origin)
        .group_by("type", "network", "origins", maintain_order=True)
        .agg(pl.len().cast(pl.Int64).alias("seen"), pl.col("time").max())
    )


def _merged(counted: list[pl.DataFrame]) -> pl.DataFrame:
    return (
        pl.concat(counted)
        .group_by("type", "network", "origins", maintain_order=True)
        .agg(pl.col("seen").sum(), pl.col("time").max())
    )


def _repeated(routes: pl.DataFrame) -> pl.DataFrame:
    # `making` takes the origin most rows have: they are repeated where a network has several, and only there.
    times = pl.when(pl.len().over("network") > 1).then("seen").otherwise(1)
    return routes.select(pl.col("network", "origins").repeat_by(times)).explode(
        "network", "origins"
    )


def _day(routes: pl.DataFrame) -> date | None:
    return reading.day(routes["time"].max())


IMPORTER = Importer(
    name="bgpdump",
    title="bgpdump -m: prefixes and all their origins, from a routing table of one's own",
    kind="routes",
    page="https://manpages.debian.org/bookworm/bgpdump/bgpdump.1.en.html",
    licence="that of the routing table",
    claims=_claims,
    read=_read,
)
