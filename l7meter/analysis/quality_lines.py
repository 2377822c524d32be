"""What became of the lines: rejects by reason, formats that differ, sources that broke off."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from l7meter.analysis.quality_finding import Finding, Severity, percent
from l7meter.analysis.quality_ground import Ground
from l7meter.store import select

REASONS = """
SELECT source_id, entry.key AS reason, entry.value AS count
FROM (
    SELECT source_id, unnest(map_entries(rejects_by_reason::JSON::MAP(VARCHAR, BIGINT))) AS entry
    FROM sources
    WHERE rejects > 0
)
"""
MANY, SOME = 0.05, 0.001  # shares of a source's lines from which rejects are an error, a warning


def rejects(ground: Ground) -> Iterator[Finding]:
    """Rejected lines by stream and reason."""
    lines = dict(ground.sources.group_by("stream").agg(pl.col("lines").sum()).iter_rows())
    counted = (
        select(ground.connection, REASONS)
        .join(ground.sources, on="source_id")
        .group_by("stream", "reason")
        .agg(
            pl.col("count").sum(),
            pl.col("first_ts").min(),
            pl.col("last_ts").max(),
            pl.col("name").first(),
            sources=pl.len(),
        )
    )
    for row in counted.iter_rows(named=True):
        share = row["count"] / max(lines[row["stream"]], 1)
        severity: Severity = "error" if share >= MANY else "warning" if share >= SOME else "info"
        several = f" in {row['sources']} sources" if row["sources"] > 1 else ""
        yield Finding(
            "rejects",
            severity,
            row["name"] if row["sources"] == 1 else row["stream"],
            row["first_ts"],
            row["last_ts"],
            row["count"],
            None,
            f"{percent(share, 1)} of the lines rejected{several}: {row['reason']}",
            f"l7meter check {row['name']}; the lines are in the view rejects",
        )


def formats(ground: Ground) -> Iterator[Finding]:
    """Sources of one stream that were read by different formats, and directories that hold several."""
    for column, severity in (("stream", "warning"), ("directory", "info")):
        told = (
            ground.sources.filter(pl.col("format") != "")
            .group_by(column)
            .agg(
                pl.col("format").value_counts(sort=True).alias("formats"),
                pl.col("first_ts").min(),
                pl.col("last_ts").max(),
                pl.col("stream").n_unique().alias("streams"),
            )
            .filter(pl.col("formats").list.len() > 1)
        )
        for row in told.iter_rows(named=True):
            if column == "directory" and row["streams"] == 1:
                continue  # said already, of the stream
            names = ", ".join(f"{each['format']} ({each['count']})" for each in row["formats"])
            yield Finding(
                "formats",
                severity,  # type: ignore[arg-type]
                row[column],
                row["first_ts"],
                row["last_ts"],
                sum(each["count"] for each in row["formats"]),
                None,
                f"sources of one {column} were told as different formats: {names}",
                "say which it is: l7meter ingest --format NAME; formats count different octets",
            )


def broken(ground: Ground) -> Iterator[Finding]:
    """Sources that could not be read to their end, and records without a time."""
    for row in ground.sources.filter(pl.col("problem").is_not_null()).iter_rows(named=True):
        yield Finding(
            "broken_off",
            "error",
            row["name"],
            row["first_ts"],
            row["last_ts"],
            row["records"],
            None,
            f"not read to its end: {row['problem']}",
            "fetch the file again and ingest it: what it has in common counts once if you take this one out",
        )
    for row in ground.streams.filter(pl.col("undated") > 0).iter_rows(named=True):
        yield Finding(
            "undated",
            "warning",
            row["name"],
            None,
            None,
            row["undated"],
            None,
            f"{percent(row['undated'], row['records'])} of the records have no time: they are in no day",
            f"l7meter check {row['name']} shows how its times were read",
        )
