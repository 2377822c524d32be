"""Requests as a trace of three scopes, and caches before them."""

from __future__ import annotations

import numpy as np
import polars as pl
from whatif_reference import Request

from l7meter.analysis.whatif.objects import objects
from l7meter.analysis.whatif.serving import FOREVER, Caches, Rules

LIFETIMES = np.array([FOREVER, 30, 0])  # µs, by kind; the kind of an object is its number modulo 3
UNCHANGED = 7


def frame(requests: list[Request]) -> pl.DataFrame:
    schema = {
        "scope": pl.UInt64,
        "ts": pl.Int64,
        "key": pl.UInt64,
        "action": pl.UInt8,
        "octets": pl.Int64,
    }
    return (
        pl.DataFrame(requests, schema=schema, orient="row")
        .with_columns(kind=(pl.col("key") % 3).cast(pl.UInt8), key=pl.col("key") * 0x9E3779B97F4A7C)
        .sort("scope", "ts", maintain_order=True)
    )  # fmt: skip


def caches(requests: list[Request], policy: str = "lru") -> Caches:
    rows = frame(requests)
    return Caches(objects(rows, rows["scope"].to_numpy().astype(np.int32)), 3, Rules(LIFETIMES, UNCHANGED), policy)  # fmt: skip
