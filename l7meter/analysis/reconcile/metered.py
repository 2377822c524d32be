"""Our side of a bill: what the store metered, by day and region, on the bill's own measure.

A bill counts messages. Of a record that says its message's octets these are taken; of one that says its
content's or the announced ones, header fields are added, estimated from the records that say both, or
else assumed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

import polars as pl

from l7meter.analysis.quality_gaps import lost_hours
from l7meter.analysis.quality_ground import WINDOW, Ground
from l7meter.analysis.sampling import Z95, variance_sql
from l7meter.store.ledger import BASES

# Quarters of an hour, so that days of every zone can be made of them (Asia/Kathmandu is 5:45 ahead).
_BASE_SUMS = ",\n    ".join(
    f"sum(weight * server_bytes::DOUBLE) FILTER (WHERE server_bytes_basis = '{basis}') AS metered_bytes_{basis}"
    for basis in BASES
)
QUARTERS = f"""
WITH told AS (
    SELECT
        *,
        coalesce(sample_weight, 1) AS weight,
        coalesce(response_size, response_body_size, server_bytes) AS octets,
        exchange_kind = 'http' AS http
    FROM records
    WHERE exchange_kind <> 'remainder' AND ts IS NOT NULL AND {WINDOW}
)
SELECT
    source_id,
    time_bucket(INTERVAL 15 MINUTE, ts) AS quarter,
    coalesce(sum(weight) FILTER (WHERE http), 0) AS metered_requests,
    coalesce(sum(weight) FILTER (WHERE http AND octets IS NULL), 0) AS unmeasured_requests,
    coalesce(sum(weight) FILTER (WHERE http AND response_size IS NULL AND octets IS NOT NULL), 0) AS bare_responses,
    coalesce(sum(weight * octets::DOUBLE), 0) AS metered_bytes,
    {_BASE_SUMS},
    coalesce(sum(weight) FILTER (WHERE http AND network_kind = 'cdn'), 0) AS cdn_requests,
    coalesce(sum(weight * octets::DOUBLE) FILTER (WHERE network_kind = 'cdn'), 0) AS cdn_bytes,
    coalesce({variance_sql("octets")}, 0) AS bytes_variance,
    coalesce(sum(weight * (weight - 1)) FILTER (WHERE http), 0) AS requests_variance
FROM told
GROUP BY ALL
"""
HEADERS = f"""
SELECT
    count(*) AS records,
    avg(response_size - response_body_size) AS mean,
    stddev_samp(response_size - response_body_size) AS spread
FROM records
WHERE
    exchange_kind = 'http' AND response_body_size IS NOT NULL
    AND response_size > response_body_size AND {WINDOW}
"""
ENOUGH = 100  # records that say both sizes, from which their mean is taken


@dataclass(frozen=True)
class Header:
    """Octets of a response's header section (and framing): a mean with its interval, and where it comes from.

    `source` is `measured` (in `records` records), `said` by the user, or `assumed`.
    """

    mean: float
    low: float
    high: float
    source: str
    records: int


# Assumed, no measure of yours: status line and a dozen fields are some 300 octets; security policies and
# cookies make 1,000 and more of them. docs/quality.md says how to measure them.
ASSUMED = Header(500, 200, 1_000, "assumed", 0)


def header_of(ground: Ground, said: float | None = None) -> Header:
    """What a response's header section has on average in the period: measured, said or assumed."""
    if said is not None:
        return Header(said, said, said, "said", 0)
    row = ground.ask(HEADERS).row(0, named=True)
    if row["records"] < ENOUGH:
        return ASSUMED
    half = Z95 * (row["spread"] or 0) / math.sqrt(row["records"])
    return Header(row["mean"], row["mean"] - half, row["mean"] + half, "measured", row["records"])


def region_of(names: pl.DataFrame, regions: Mapping[str, str]) -> pl.DataFrame:
    """`names` (source_id, name, ...) with the region of the first pattern that a name matches; else null."""
    told = [
        next((region for pattern, region in regions.items() if fnmatchcase(name, pattern)), None)
        for name in names["name"]
    ]
    return names.with_columns(region=pl.Series(told, dtype=pl.String))


def quarters(ground: Ground, regions: Mapping[str, str]) -> pl.DataFrame:
    """Sums by region and quarter of an hour (UTC): the columns of `QUARTERS`, octets and requests."""
    named = region_of(ground.sources.select("source_id", "name"), regions)
    return (
        ground.ask(QUARTERS)
        .join(named, on="source_id", how="left")
        .group_by("region", "quarter")
        .agg(pl.exclude("source_id", "name", "region", "quarter").sum())
    )


def by_day(quarters: pl.DataFrame, zone: str, hours: int = 0) -> pl.DataFrame:
    """The same by day of a zone, or of one that is some `hours` ahead of it, and region."""
    local = (pl.col("quarter") + pl.duration(hours=hours)).dt.convert_time_zone(zone)
    return quarters.group_by(local.dt.date().alias("day"), "region").agg(
        pl.exclude("quarter", "region").sum()
    )


def gaps_by_day(ground: Ground, zone: str, regions: Mapping[str, str]) -> pl.DataFrame:
    """day, region, gap_hours, gap_requests, gap_bytes: hours without a record, at their usual rate."""
    lost = lost_hours(ground)
    named = region_of(ground.sources.group_by("stream").agg(pl.col("name").first()), regions)
    return (
        lost.join(named, on="stream")
        .group_by(pl.col("hour").dt.convert_time_zone(zone).dt.date().alias("day"), "region")
        .agg(
            gap_hours=pl.len().cast(pl.Int64),
            gap_requests=pl.col("requests").sum(),
            gap_bytes=pl.col("bytes").sum(),
        )
    )
