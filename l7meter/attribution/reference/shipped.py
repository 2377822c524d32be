"""The snapshot that ships with the package, described as those of a shelf are."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import cache
from hashlib import sha256

import polars as pl
import pyarrow.parquet as pq

from l7meter import __version__
from l7meter.attribution.reference.shelf import Snapshot
from l7meter.attribution.snapshot import NAMES, RANGES

SERIES = "shipped"


@cache
def shipped() -> Snapshot:
    """Who announced which addresses, and the names of those systems; see docs/reference-data.md."""
    said = pl.read_parquet_metadata(RANGES)
    day = date.fromisoformat(said["as_of"])
    return Snapshot(
        series=SERIES,
        kind="routes",
        as_of=day,
        rows=pq.read_metadata(RANGES).num_rows,
        digest=sha256(RANGES.read_bytes() + NAMES.read_bytes()).hexdigest(),
        title="Address ranges and their systems, as l7meter ships them",
        licence=said["licence"],
        attribution=said["attribution"],
        origin=f"{said['origin']} {said['version']}",
        input_sha256=said["sha256 package"],
        retrieved=datetime(day.year, day.month, day.day, tzinfo=UTC),
        retain=True,
        dropped={},
        l7meter_version=__version__,
    )
