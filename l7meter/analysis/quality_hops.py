"""One delivery in two records of one source: a CDN's hop behind its shield, a worker's own request.

Two records of the same client, request and size within a second are twins. Twins are common (a client
with ten threads), so they are suspected only where they tell of hops: on two servers, three times as
often as dealing out the records of a second among the servers would have it; or where misses have twins
and hits have none, as behind a shield, where each miss at the edge is asked again.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import polars as pl

from l7meter.analysis.quality_finding import Finding, percent
from l7meter.analysis.quality_sample import Sample
from l7meter.store import select

LEAST = 20
SHARE = 0.01  # of a source's records that are on two servers
MISSED, TIMES = 0.5, 5  # share of misses with a twin; how many times that of hits

_TWINS = """
WITH shares AS (
    SELECT source, sum(n ** 2) / sum(n) ** 2 AS alike
    FROM (SELECT source, server, sum(n) AS n FROM quality_exchanges WHERE server IS NOT NULL GROUP BY ALL)
    GROUP BY source
),
served AS (
    SELECT source, sum(n) AS n, sum(n * (n - 1) / 2) AS within, count(*) AS servers, any_value(bytes) AS bytes
    FROM (
        SELECT source, key, bytes, second, server, sum(n) AS n
        FROM quality_exchanges
        WHERE server IS NOT NULL
        GROUP BY ALL
    )
    GROUP BY source, key, bytes, second
),
crossed AS (
    SELECT
        source,
        sum(n * (n - 1) / 2 - within) AS pairs,
        sum(within) * (1 - any_value(alike)) / any_value(alike) AS chance,
        coalesce(sum(servers - 1), 0)::BIGINT AS elsewhere,
        coalesce(sum((servers - 1) * bytes), 0)::BIGINT AS elsewhere_bytes
    FROM served
    JOIN shares USING (source)
    GROUP BY source
),
groups AS (
    SELECT
        source, key, bytes, second, sum(n) AS n,
        sum(n) FILTER (WHERE NOT cache_hit) AS misses, sum(n) FILTER (WHERE cache_hit) AS hits
    FROM quality_exchanges
    WHERE source IN (
        SELECT source FROM quality_exchanges WHERE cache_hit IS NOT NULL OR server IS NOT NULL
    )
    GROUP BY ALL
),
near AS (
    SELECT
        *,
        n + coalesce(lag(n) OVER w * (second - lag(second) OVER w = 1)::INT, 0)
            + coalesce(lead(n) OVER w * (lead(second) OVER w - second = 1)::INT, 0) AS around
    FROM groups
    WINDOW w AS (PARTITION BY source, key, bytes ORDER BY second)
)
SELECT
    source,
    min(second) AS first, max(second) AS last,
    sum(n)::BIGINT AS records,
    coalesce(any_value(elsewhere), 0) AS elsewhere,
    coalesce(any_value(elsewhere_bytes), 0) AS elsewhere_bytes,
    coalesce(any_value(pairs), 0)::DOUBLE AS pairs, coalesce(any_value(chance), 0)::DOUBLE AS chance,
    coalesce(sum(misses), 0)::BIGINT AS misses,
    coalesce(sum(misses) FILTER (WHERE around > 1), 0)::BIGINT AS missed,
    coalesce(sum(misses * bytes) FILTER (WHERE around > 1), 0)::BIGINT AS missed_bytes,
    coalesce(sum(hits), 0)::BIGINT AS hits,
    coalesce(sum(hits) FILTER (WHERE coalesce(misses, 0) = 0 AND around > 1), 0)::BIGINT AS twice
FROM near
LEFT JOIN crossed USING (source)
GROUP BY source
"""
WORKERS = """
SELECT name, first_ts, last_ts, (entry.value)::BIGINT AS skipped
FROM (
    SELECT *, unnest(map_entries(skipped_by_reason::JSON::MAP(VARCHAR, BIGINT))) AS entry
    FROM sources
    WHERE skipped > 0
)
WHERE entry.key = 'made by a worker, not by a client'
"""


def hops(sample: Sample) -> Iterator[Finding]:
    """Twins within a source."""
    for row in sample.ask(_TWINS).iter_rows(named=True):
        source_id, name = sample.names[row["source"]]
        first, last = (datetime.fromtimestamp(row[end], UTC) for end in ("first", "last"))
        if (
            row["elsewhere"] >= max(LEAST, SHARE * row["records"])
            and row["pairs"] > 3 * row["chance"]
        ):
            yield Finding(
                "hops",
                "warning",
                name,
                first,
                last,
                row["elsewhere"] * sample.stride,
                row["elsewhere_bytes"] * sample.stride,
                f"{percent(row['elsewhere'], row['records'])} of the records repeat another's client, request, size and second on "
                f"another server{sample.told}: shield and edge, or one client of two names",
                "log at the edge only (Fastly: req.backend.is_shield, fastly.ff.visits_this_service)",
            )
        share = row["missed"] / max(row["misses"], 1)
        control = row["twice"] / max(row["hits"], 1)
        if row["missed"] >= LEAST and share >= MISSED and share >= TIMES * control:
            # a twin of two misses is one delivery: half of them are too many
            yield Finding(
                "hops",
                "warning",
                name,
                first,
                last,
                row["missed"] * sample.stride // 2,
                row["missed_bytes"] * sample.stride // 2,
                f"{percent(share, 1)} of the cache's misses have a twin within a second and {percent(control, 1)} of its hits"
                f"{sample.told}: a shield behind the edge is logged, too",
                f"log at the edge only, then take this one out: l7meter source forget {source_id}",
            )


def addresses(sample: Sample) -> Iterator[Finding]:
    """Clients that are a CDN's own addresses, or its workers; worker requests that were left out."""
    ground = sample.ground
    for row in ground.streams.filter(pl.col("cdn") > 0).iter_rows(named=True):
        share = row["cdn"] / row["records"]
        yield Finding(
            "cdn_clients",
            "warning" if share >= SHARE else "info",
            row["name"],
            row["first_ts"],
            row["last_ts"],
            row["cdn"],
            row["cdn_bytes"],
            f"{percent(share, 1)} of the records have a CDN's address as their client (most {row['cdn_name']}): its hops or cache "
            "fills, not the users behind them",
            "log the address the CDN passes on, with --trusted-hops; leave logs of fills out",
        )
    for row in ground.streams.filter(pl.col("worker") > 0).iter_rows(named=True):
        yield Finding(
            "worker_requests",
            "warning",
            row["name"],
            row["first_ts"],
            row["last_ts"],
            row["worker"],
            row["worker_bytes"],
            "records of Cloudflare Workers that fetch (client 2a06:98c0:3600::103): their own client's request is another record",
            "add WorkerSubrequest to the Logpush job's fields: then they are left out",
        )
    left_out = select(ground.connection, WORKERS).join(
        ground.sources.select("name"), on="name", how="semi"
    )
    for row in left_out.iter_rows(named=True):
        yield Finding(
            "worker_requests",
            "info",
            row["name"],
            row["first_ts"],
            row["last_ts"],
            row["skipped"],
            None,
            "requests that workers made were left out, as they are no deliveries",
            "nothing to do",
        )
