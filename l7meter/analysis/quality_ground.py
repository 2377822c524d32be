"""What the checks stand on: the ledger, and two passes over the records that leave some rows a source.

A year of hourly files is 8,760 sources and as many hours: the frames stay small whatever the store holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

import polars as pl
import polars.selectors as cs

from l7meter.analysis.quality_streams import directory_of, stream_of
from l7meter.store import Connection, select

WINDOW = "($since IS NULL OR ts >= $since) AND ($until IS NULL OR ts < $until)"

HOURS = f"""
SELECT
    source_id,
    time_bucket(INTERVAL 1 HOUR, ts) AS hour,
    count(*) AS records,
    sum(coalesce(sample_weight, 1)) AS requests,
    approx_count_distinct(client_address) AS clients,
    sum(coalesce(sample_weight, 1) * server_bytes)::DOUBLE AS bytes,
    min(ts) AS first_ts,
    max(ts) AS last_ts
FROM records
WHERE ts IS NOT NULL AND {WINDOW}
GROUP BY ALL
"""

# A response to HEAD and one of 204 or 304 has no content: RFC 9110, sections 9.3.2, 15.3.5, 15.4.5.
# Workers that fetch from another zone have one address as their client:
# https://developers.cloudflare.com/fundamentals/reference/http-headers/
TALLIES = f"""
WITH told AS (
    SELECT
        *,
        coalesce(sample_weight, 1) AS weight,
        exchange_kind = 'http' AND (
            upper(request_method) = 'HEAD' OR response_status_code IN (204, 304)
        ) AS bare
    FROM records
    WHERE {WINDOW}
)
SELECT
    source_id,
    count(*) AS records,
    min(ts) AS first_ts,
    max(ts) AS last_ts,
    count(*) FILTER (WHERE ts IS NULL) AS undated,
    count(*) FILTER (WHERE server_bytes IS NULL) AS unmeasured,
    sum(weight * server_bytes)::DOUBLE AS bytes,
    count(*) FILTER (WHERE bare AND response_body_size IS NOT NULL) AS bare,
    count(*) FILTER (WHERE bare AND response_body_size > 0) AS bare_filled,
    coalesce(sum(response_body_size) FILTER (WHERE bare), 0)::BIGINT AS bare_bytes,
    count(*) FILTER (WHERE bare AND response_size IS NOT NULL) AS bare_messages,
    count(*) FILTER (WHERE bare AND response_size = 0) AS bare_hollow,
    count(*) FILTER (WHERE response_size < response_body_size) AS inverted,
    coalesce(sum(server_bytes) FILTER (WHERE response_size < response_body_size), 0)::BIGINT AS inverted_bytes,
    count(*) FILTER (WHERE server_bytes_basis = 'declared') AS declared,
    coalesce(sum(server_bytes) FILTER (WHERE server_bytes_basis = 'declared'), 0)::BIGINT AS declared_bytes,
    count(*) FILTER (WHERE weight > 1) AS sampled,
    sum(weight) FILTER (WHERE exchange_kind = 'http') AS requests,
    sum(weight * (weight - 1)) FILTER (WHERE exchange_kind = 'http') AS requests_variance,
    sum(weight * (weight - 1) * server_bytes::DOUBLE ** 2) AS bytes_variance,
    sum(weight * server_bytes::DOUBLE) FILTER (WHERE weight > 1) AS sampled_bytes,
    sum((weight * server_bytes::DOUBLE) ** 2) FILTER (WHERE weight > 1) AS sampled_squares,
    count(*) FILTER (WHERE network_kind = 'cdn') AS cdn,
    coalesce(sum(server_bytes) FILTER (WHERE network_kind = 'cdn'), 0)::BIGINT AS cdn_bytes,
    mode(organization) FILTER (WHERE network_kind = 'cdn') AS cdn_name,
    count(*) FILTER (WHERE client_address = '2a06:98c0:3600::103') AS worker,
    coalesce(sum(server_bytes) FILTER (WHERE client_address = '2a06:98c0:3600::103'), 0)::BIGINT AS worker_bytes
FROM told
GROUP BY source_id
"""


@dataclass(frozen=True)
class Ground:
    """A store's views and the period asked for, UTC without a zone; None is without an end."""

    connection: Connection
    since: datetime | None = None
    until: datetime | None = None

    def __post_init__(self) -> None:
        for name in ("since", "until"):
            moment: datetime | None = getattr(self, name)
            if moment is not None:
                zoned = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
                object.__setattr__(self, name, zoned.astimezone(UTC))

    @property
    def period(self) -> dict[str, datetime | None]:
        """The parameters of every query over records."""
        return {"since": self.since, "until": self.until}

    def ask(self, sql: str) -> pl.DataFrame:
        """The answer of a query over the records of the period."""
        return select(self.connection, sql, self.period)

    @cached_property
    def sources(self) -> pl.DataFrame:
        """The ledger's rows whose records touch the period, with `stream` and `directory`.

        A source without a dated record is always among them.
        """
        rows = select(self.connection, "FROM sources")
        if self.since:
            rows = rows.filter(pl.col("last_ts").is_null() | (pl.col("last_ts") >= self.since))
        if self.until:
            rows = rows.filter(pl.col("first_ts").is_null() | (pl.col("first_ts") < self.until))
        name = pl.col("name")
        return rows.with_columns(stream=stream_of(name), directory=directory_of(name))

    @cached_property
    def hours(self) -> pl.DataFrame:
        """source_id, hour, records, requests (weighted), clients (about), bytes, first_ts, last_ts."""
        return self.ask(HOURS)

    @cached_property
    def tallies(self) -> pl.DataFrame:
        """One row a source: its ledger's name, stream and format, and the counts of `TALLIES`."""
        named = self.sources.select(
            "source_id",
            "name",
            "stream",
            "format",
            "ingested_at",
            "missing_bytes",
            "packets_carried",
        )
        return (
            self.ask(TALLIES)
            .join(named, on="source_id", how="left")
            .with_columns(pl.col("name", "stream").fill_null(pl.col("source_id")))
        )

    @cached_property
    def streams(self) -> pl.DataFrame:
        """The tallies added up by stream and format; `name` is the source's where there is but one."""
        alone = (
            pl.when(pl.len() == 1).then(pl.col("name").first()).otherwise(pl.col("stream").first())
        )
        return self.tallies.group_by("stream", "format", maintain_order=True).agg(
            alone.alias("name"),
            pl.col("first_ts").min(),
            pl.col("last_ts").max(),
            pl.col("cdn_name").drop_nulls().first(),
            cs.numeric().sum(),
        )

    @cached_property
    def records(self) -> int:
        """How many dated records the period has."""
        return int(self.hours["records"].sum())
