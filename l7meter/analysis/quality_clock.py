"""Clocks: times after their own ingest, times that go back, and sources that disagree by a constant.

Times are compared by block, a 256th of a source's lines or ten lines: the latest time of each should not
lie half an hour before that of the one before it, in a source of twenty blocks that is in order
otherwise. One step of an hour is daylight saving's end in times that are logged without a zone.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import polars as pl

from l7meter.analysis.quality_finding import Finding, percent
from l7meter.analysis.quality_ground import WINDOW, Ground
from l7meter.analysis.quality_sample import Sample

SLACK = timedelta(minutes=5)
BLOCKS = 20  # from which the order of a source can be told
UNORDERED = 0.1  # share of blocks that decline by a minute, from which it has none
_STEPS = f"""
WITH blocks AS (
    SELECT
        source_id, source_line // greatest(10, lines // 256) AS block,
        max(ts) AS latest, min(source_line) AS line, count(*) AS records
    FROM records
    JOIN (SELECT source_id, lines FROM sources) USING (source_id)
    WHERE ts IS NOT NULL AND source_line IS NOT NULL AND {WINDOW}
    GROUP BY ALL
),
steps AS (
    SELECT *, (epoch_us(lag(latest) OVER (PARTITION BY source_id ORDER BY block)) - epoch_us(latest)) / 6e7 AS minutes
    FROM blocks
)
SELECT
    source_id,
    count(*) AS blocks,
    count(*) FILTER (WHERE minutes > 1) AS declines,
    count(*) FILTER (WHERE minutes > 30) AS steps,
    max(minutes) AS minutes,
    arg_max(line, minutes) AS line,
    arg_max(latest, minutes) AS latest
FROM steps
GROUP BY source_id
HAVING steps > 0 AND blocks >= {BLOCKS}
"""
# Keys that are rare tell the offset of two clocks; ten seconds to a bucket, as one may log the end.
_OFFSETS = """
WITH rare AS (
    SELECT key FROM quality_seconds GROUP BY key HAVING count(*) <= 8 AND count(DISTINCT source) > 1
),
rows AS (SELECT key, source, second, bytes, n FROM quality_seconds SEMI JOIN rare USING (key)),
apart AS (
    SELECT
        a.source AS a, b.source AS b, round((b.second - a.second) / 10)::BIGINT AS bucket,
        count(*) AS agreed, median(b.second - a.second) AS seconds, sum(b.bytes)::BIGINT AS bytes,
        min(b.second) AS first, max(b.second) AS last
    FROM rows AS a
    JOIN rows AS b ON a.key = b.key AND a.source < b.source
    GROUP BY ALL
    HAVING agreed >= $least
),
best AS (SELECT * FROM apart QUALIFY row_number() OVER (PARTITION BY a, b ORDER BY agreed DESC, bucket) = 1),
totals AS (
    SELECT source, sum(rows) AS records
    FROM (SELECT source, key, count(*) AS rows FROM quality_seconds GROUP BY source, key HAVING rows <= 8)
    GROUP BY source
)
SELECT best.*, least(x.records, y.records)::BIGINT AS records
FROM best
JOIN totals AS x ON a = x.source
JOIN totals AS y ON b = y.source
WHERE abs(seconds) > 2 AND agreed >= $share * least(x.records, y.records)
ORDER BY agreed DESC, a, b
"""
LEAST, SHARE = 50, 0.2  # pairs, and share of the smaller source, that make an offset constant
ODD_ZONES = {
    -570: "Pacific/Marquesas", -210: "America/St_Johns", 210: "Asia/Tehran", 270: "Asia/Kabul",
    330: "Asia/Kolkata", 345: "Asia/Kathmandu", 390: "Asia/Yangon", 525: "Australia/Eucla",
    570: "Australia/Darwin", 630: "Australia/Lord_Howe", 765: "Pacific/Chatham",
}  # fmt: skip


def future(ground: Ground) -> Iterator[Finding]:
    """Sources whose records end after they were ingested."""
    late = (
        ground.tallies.with_columns(ahead=pl.col("last_ts") - pl.col("ingested_at"))
        .filter(pl.col("ahead") > SLACK)
        .sort("ahead", descending=True)
        .group_by("stream", maintain_order=True)
        .agg(
            pl.col("name", "ahead", "last_ts").first(),
            pl.col("ingested_at").min(),
            sources=pl.len(),
        )
    )
    for row in late.iter_rows(named=True):
        yield Finding(
            "clock_ahead",
            "error",
            row["name"] if row["sources"] == 1 else row["stream"],
            row["ingested_at"],
            row["last_ts"],
            row["sources"],
            None,
            f"times end up to {_text(row['ahead'].total_seconds())} after their source was ingested: the server's clock is ahead, or "
            "its zone lies east of the one it was read in",
            "where its times are logged without a zone, ingest it again with --timezone",
        )


def backwards(ground: Ground) -> Iterator[Finding]:
    """Sources in order of time whose times go back by more than half an hour; streams in no order."""
    told = ground.ask(_STEPS).join(
        ground.sources.select("source_id", "name", "stream"), on="source_id"
    )
    none = pl.col("declines") > UNORDERED * pl.col("blocks")
    for row in told.filter(~none).iter_rows(named=True):
        before = row["latest"] + timedelta(minutes=row["minutes"])
        where = (row["name"], row["latest"], before, row["steps"], None)
        if row["steps"] == 1 and 55 <= row["minutes"] <= 65:
            yield Finding(
                "clock_saving",
                "warning",
                *where,
                f"an hour is there twice, from about line {row['line']:,}: daylight saving ended in times that tell no zone",
                "ingest it again with --timezone and the server's zone; better, log times with a zone",
            )
        else:
            yield Finding(
                "clock_back",
                "warning",
                *where,
                f"times go back by {_text(row['minutes'] * 60)} at about line {row['line']:,}: a clock that was set, or two logs in one file",
                f"look at the lines there: l7meter check {row['name']}",
            )
    streams = (
        told.filter(none)
        .group_by("stream")
        .agg(pl.col("latest").min(), pl.col("minutes", "steps").max(), sources=pl.len())
    )
    for row in streams.iter_rows(named=True):
        yield Finding(
            "clock_back",
            "info",
            row["stream"],
            row["latest"],
            None,
            row["sources"],
            None,
            f"the lines of {row['sources']:,} sources are in no order of time, with steps back of up to {_text(row['minutes'] * 60)}",
            "nothing to do where the format writes them so, as CloudFront's",
        )


def offsets(sample: Sample) -> Iterator[Finding]:
    """Pairs of sources that hold the same exchanges at times that differ by a constant."""
    for row in sample.ask(_OFFSETS, least=LEAST, share=SHARE).iter_rows(named=True):
        (_, name), (_, other) = sample.names[row["a"]], sample.names[row["b"]]
        apart = int(row["seconds"])
        quarters = round(apart / 900)
        zone, back = zone_of(quarters * 15), zone_of(-quarters * 15)
        whole = quarters and abs(apart - quarters * 900) <= 10 and zone and back
        yield Finding(
            "clock_offset",
            "error" if whole else "warning",
            other,
            datetime.fromtimestamp(row["first"], UTC),
            datetime.fromtimestamp(row["last"], UTC),
            row["agreed"] * sample.stride,
            (row["bytes"] or 0) * sample.stride,
            f"{percent(row['agreed'], row['records'])} of the smaller source's requests are in {name}, too, {_text(abs(apart))} "
            f"{'earlier' if apart > 0 else 'later'} there{sample.told}: "
            + ("a zone was set wrongly" if whole else "one of the clocks is off")
            + ", and the exchanges count twice",
            f"if {other} logs times without a zone: ingest it again with --timezone {zone}; if {name} does: --timezone {back}"
            if whole
            else "set the clocks by NTP; leave one of the two out",
        )


def zone_of(minutes: int) -> str | None:
    """A zone whose clocks are so many minutes ahead of UTC; None where there is none.

    `Etc/GMT-1` is one hour ahead: its sign is POSIX's (https://data.iana.org/time-zones/tzdb/etcetera).
    """
    if minutes % 60 == 0 and -12 * 60 <= minutes <= 14 * 60:
        return f"Etc/GMT{-minutes // 60:+d}" if minutes else "UTC"
    return ODD_ZONES.get(minutes)


def _text(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 1:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min")]
    return " ".join(f"{count} {unit}" for count, unit in parts if count)
