"""Hours without a record where a stream usually has some, and records far from the rest of their source.

The rule of a gap: a stream's usual rate at an hour of the day (UTC) is the median of the distinct
clients over its other days at that hour, hours without any included; where it has fewer than three
other days, its quietest hour that had some. Clients come one independently of the other where requests do not (one
mirror's thousand are one decision), so that k of them are all absent in an hour with probability
exp(-k), a Poisson law's zero, and in several hours that follow each other with exp(-sum k). It is a gap
where that is below one in a million and the stream has 24 hours of history. A registry that is quiet at
night has a low median at night, and no gap.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import timedelta

import polars as pl

from l7meter.analysis.quality_finding import Finding
from l7meter.analysis.quality_ground import Ground

CHANCE = 1e-6
HISTORY = timedelta(hours=24)
DAYS = 3  # other days at the same hour that make a median
HOUR = timedelta(hours=1)
STRAY = 0.001  # share of a source's records that may lie apart from the rest


def missing_hours(ground: Ground) -> pl.DataFrame:
    """The hours without a record of each stream: stream, hour, and what is usual then.

    `clients`, `requests` and `bytes` are the usual ones of the hour, `run` numbers the hours that follow
    each other, `stopped` says that the stream has no record after them. Streams without 24 hours of
    history have none.
    """
    streams = ground.sources.select("source_id", "stream", "name")
    by_hour = (
        ground.hours.join(streams, on="source_id")
        .group_by("stream", "hour")
        .agg(pl.col("records", "requests", "clients", "bytes").sum())
        .with_columns(  # addresses that the source does not tell: requests stand for clients
            clients=pl.when(pl.col("clients") == 0).then("requests").otherwise("clients")
        )
    )
    last = by_hour["hour"].max()
    spans = (
        by_hour.group_by("stream")
        .agg(pl.col("hour").min().alias("first"), pl.col("hour").max().alias("last"))
        .filter(pl.col("last") - pl.col("first") >= HISTORY - HOUR)
    )
    if spans.is_empty():
        return _EMPTY
    every = spans.with_columns(
        hour=pl.datetime_ranges("first", pl.lit(last), interval="1h")
    ).explode("hour")
    full = every.join(by_hour, on=["stream", "hour"], how="left").with_columns(
        pl.col("records", "requests", "clients", "bytes").fill_null(0),
        at=pl.col("hour").dt.hour(),
        empty=pl.col("records").is_null() | (pl.col("records") == 0),
    )
    within = pl.col("hour") <= pl.col("last")
    usual = full.group_by("stream", "at").agg(
        *(_other_days(name, within) for name in ("clients", "requests", "bytes")),
        days=within.sum(),
        zeros=(within & pl.col("empty")).sum(),
    )
    quiet = (
        full.filter(~pl.col("empty"))
        .group_by("stream")
        .agg(pl.col("clients", "requests", "bytes").min().name.prefix("least_"))
    )
    enough = pl.col("days") - (pl.col("zeros") > 0) >= DAYS
    runs = pl.col("empty").rle_id().over("stream", order_by="hour")
    return (
        full.with_columns(run=runs)
        .filter("empty")
        .select("stream", "hour", "run", "at", stopped=pl.col("hour") > pl.col("last"))
        .join(usual, on=["stream", "at"])
        .join(quiet, on="stream")
        .select(
            "stream",
            "hour",
            "run",
            "stopped",
            *(
                pl.when(enough)
                .then(f"usual_{name}")
                .otherwise(f"least_{name}")
                .cast(pl.Float64)
                .alias(name)
                for name in ("clients", "requests", "bytes")
            ),
        )
        .sort("stream", "hour")
    )


def _other_days(name: str, within: pl.Expr) -> pl.Expr:
    """The median of the days, one that had nothing left out: the day in question."""
    days = pl.col(name).filter(within).sort()
    return days.slice((days.first() == 0).cast(pl.Int64)).median().alias(f"usual_{name}")


_EMPTY = pl.DataFrame(
    schema={
        "stream": pl.String(),
        "hour": pl.Datetime("us", "UTC"),
        "run": pl.UInt32(),
        "stopped": pl.Boolean(),
        "clients": pl.Float64(),
        "requests": pl.Float64(),
        "bytes": pl.Float64(),
    }
)


def lost_hours(ground: Ground) -> pl.DataFrame:
    """Those of `missing_hours` that are no chance: with `expected`, the clients of the whole run."""
    return (
        missing_hours(ground)
        .with_columns(expected=pl.col("clients").sum().over("stream", "run"))
        .filter(pl.col("expected") > -math.log(CHANCE))
    )


def gaps(ground: Ground) -> Iterator[Finding]:
    """Hours that follow each other without a record where there should be some."""
    runs = (
        lost_hours(ground)
        .group_by("stream", "run", "stopped", maintain_order=True)
        .agg(
            pl.col("hour").min().alias("first"),
            pl.col("hour").max().alias("last"),
            pl.len().alias("hours"),
            pl.col("requests", "bytes", "clients").sum(),
        )
    )
    for row in runs.iter_rows(named=True):
        hours = "1 hour" if row["hours"] == 1 else f"{row['hours']:,} hours"
        usual = f"usual are {row['clients']:,.0f} clients, hour by hour, and {row['requests']:,.0f} requests"
        yield Finding(
            "gap",
            "info" if row["stopped"] else "warning",
            row["stream"],
            row["first"],
            row["last"] + HOUR,
            row["hours"],
            round(row["bytes"]),
            f"no record for {hours}{', and none since' if row['stopped'] else ''}; {usual}; `bytes` is what they have then",
            "look whether the stream was retired, or a delivery is late"
            if row["stopped"]
            else "look for a file that was not ingested, and for the server's own outages",
        )


def strays(ground: Ground) -> Iterator[Finding]:
    """Records further from the bulk of their source than the bulk is long, and than a day."""
    total = pl.col("records").sum().over("source_id")
    before = pl.col("records").cum_sum().over("source_id", order_by="hour")
    # 0.1 %, and one record at least, may lie on either side
    out = pl.max_horizontal(STRAY * total, pl.lit(1))
    placed = ground.hours.with_columns(
        bulk=(before > out) & (before - pl.col("records") < total - out)
    ).filter(total >= 100)
    bulk = (
        placed.filter("bulk")
        .group_by("source_id")
        .agg(pl.col("hour").min().alias("first"), (pl.col("hour").max() + HOUR).alias("last"))
        .with_columns(margin=pl.max_horizontal(pl.col("last") - pl.col("first"), pl.lit(HISTORY)))
    )
    far = (
        placed.join(bulk, on="source_id")
        .filter(
            (pl.col("hour") + HOUR < pl.col("first") - pl.col("margin"))
            | (pl.col("hour") > pl.col("last") + pl.col("margin"))
        )
        .group_by("source_id", "first", "last")
        .agg(pl.col("records", "bytes").sum(), pl.col("first_ts").min(), pl.col("last_ts").max())
        .join(ground.sources.select("source_id", "name"), on="source_id")
    )
    for row in far.iter_rows(named=True):
        yield Finding(
            "stray_times",
            "warning",
            row["name"],
            row["first_ts"],
            row["last_ts"],
            row["records"],
            round(row["bytes"] or 0),
            f"{row['records']:,} records lie far from the rest, {row['first']:%Y-%m-%d %H:%M} to {row['last']:%Y-%m-%d %H:%M}: "
            "a clock that was not set, or lines of another file",
            "see them: l7meter sql \"FROM records WHERE source_id = '"
            + row["source_id"]
            + "' ORDER BY ts\"",
        )
