"""The shipped snapshot of who announced which addresses: ranges → autonomous systems.

`asn.parquet` holds disjoint inclusive ranges (IPv4 as `::ffff:0:0/96`), `as-names.parquet` the systems'
names as registered; origin, date, licence and hashes stand in their key-value metadata, and
`scripts/build_asn_snapshot.py` makes both. See docs/reference-data.md.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from socket import AF_INET6, inet_ntop
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from l7meter.attribution.ranges import Keys, Ranges

DATA = Path(__file__).parent / "data"
RANGES = DATA / "asn.parquet"
NAMES = DATA / "as-names.parquet"


class Snapshot(NamedTuple):
    """One dated snapshot; the labels of the ranges are AS numbers."""

    as_of: str  # the day of the data, ISO 8601
    ipv4: Ranges
    ipv6: Ranges
    systems: pl.DataFrame  # asn (ascending), name (null where none is registered)
    # a range each: all systems that announce it, `174 209`; null where it is one
    ipv4_origins: pl.Series
    ipv6_origins: pl.Series


@cache
def load() -> Snapshot:
    """The snapshot that ships with the package; read once, at first use (some 50 ms)."""
    as_of = pl.read_parquet_metadata(RANGES)["as_of"]
    return of(pl.read_parquet(RANGES), as_of, pl.read_parquet(NAMES))


def of(routes: pl.DataFrame, as_of: str, systems: pl.DataFrame) -> Snapshot:
    """A snapshot of ranges: start_hi, start_lo, end_hi, end_lo, asn, and origins if there are."""
    mapped = (pl.col("start_hi") == 0) & (pl.col("start_lo") // (1 << 32) == 0xFFFF)
    if "origins" not in routes.columns:
        routes = routes.with_columns(origins=pl.lit(None, pl.String))
    four, six = routes.filter(mapped), routes.filter(~mapped)
    ipv4 = Ranges(
        four["start_lo"].to_numpy().astype(np.uint32),
        four["end_lo"].to_numpy().astype(np.uint32),
        four["asn"].to_numpy(),
    )
    ipv6 = Ranges(
        _keys(six["start_hi"].to_numpy(), six["start_lo"].to_numpy()),
        _keys(six["end_hi"].to_numpy(), six["end_lo"].to_numpy()),
        six["asn"].to_numpy(),
    )
    return Snapshot(as_of, ipv4, ipv6, systems, four["origins"], six["origins"])


def ipv4_texts(starts: Keys, ends: Keys) -> pl.Series:
    """Inclusive IPv4 ranges as text: a prefix where the range is one, else `start-end`."""
    span = starts ^ ends
    is_prefix = (span & (span + np.uint32(1)) == 0) & (starts & span == 0)
    size = 32 - np.bitwise_count(span)
    frame = pl.DataFrame({"start": starts, "end": ends, "is_prefix": is_prefix, "size": size})
    prefix = pl.concat_str(_dotted("start"), pl.lit("/"), pl.col("size").cast(pl.String))
    stretch = pl.concat_str(_dotted("start"), pl.lit("-"), _dotted("end"))
    return frame.select(
        pl.when("is_prefix").then(prefix).otherwise(stretch).alias("text")
    ).to_series()


def ipv6_texts(starts: Keys, ends: Keys) -> pl.Series:
    """Inclusive IPv6 ranges as text: a prefix where the range is one, else `start-end`."""
    # Items of an S16 array lose their last zero octets; its buffer does not.
    halves = [keys.tobytes() for keys in (starts, ends)]
    texts = []
    for at in range(0, len(halves[0]), 16):  # per range that holds a client, not per client
        start, end = halves[0][at : at + 16], halves[1][at : at + 16]
        low = int.from_bytes(start, "big")
        span = low ^ int.from_bytes(end, "big")
        if span & (span + 1) == 0 and low & span == 0:
            texts.append(f"{inet_ntop(AF_INET6, start)}/{128 - span.bit_length()}")
        else:
            texts.append(f"{inet_ntop(AF_INET6, start)}-{inet_ntop(AF_INET6, end)}")
    return pl.Series("text", texts, pl.String)


def _dotted(column: str) -> pl.Expr:
    octets = [(pl.col(column) // (1 << shift) % 256).cast(pl.String) for shift in (24, 16, 8, 0)]
    return pl.concat_str(octets, separator=".")


def _keys(high: NDArray[np.uint64], low: NDArray[np.uint64]) -> Keys:
    return np.stack([high, low], axis=1).astype(">u8").view("S16").ravel()
