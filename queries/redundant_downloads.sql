-- Redundant downloads
--
-- Which bytes an organisation fetched again although it had fetched the same artifact no longer
-- than `window` ago: what a cache that keeps an artifact for `window` after its last use would
-- have saved. The same artifact means the same path on the same host, delivered complete both
-- times. Tenants of a provider are strangers to each other, so there (and where the organisation
-- is unknown) only the same address fetching again counts: a lower bound. Sampled sources show
-- fewer repetitions than there were. `redundant_bytes` and `redundant_requests` are what was
-- fetched again, `redundant_share` is of the organisation's `bytes`, and `attribution` is as in
-- top_organizations. Most redundant bytes first; what does not fit `limit` is folded into
-- `(others)`.
--
-- Parameters:
-- since = null : timestamp : only records from this instant on (UTC)
-- until = null : timestamp : only records before this instant (UTC)
-- window = 24h : duration : how long an artifact counts as already fetched
-- ecosystem = null : string : only records of this ecosystem (purl type)
-- limit = 20 : int : rows that are named; the rest is folded into `(others)`; null names all
WITH metered AS NOT MATERIALIZED (
    -- Read twice rather than kept in memory: 1.4 GB, not 2.7 GB, for 10 M records.
    SELECT
        *,
        coalesce(sample_weight, 1) AS weight,
        server_bytes * weight AS sent,
        if(attributable, organization, client_address) AS fetcher,
        coalesce(ts >= $since, $since IS NULL) AS in_period
    FROM records
    WHERE
        -- A window earlier than the period: its first fetch may repeat one from before.
        ($since IS NULL OR ts >= $since::TIMESTAMPTZ - $window) AND ($until IS NULL OR ts < $until)
        AND ($ecosystem IS NULL OR package_ecosystem = $ecosystem)
),
usage AS (
    SELECT
        organization,
        coalesce(attributable, false) AS attributable,
        sum(sent) AS bytes,
        sum(weight) FILTER (WHERE exchange_kind = 'http') AS requests,
        sum(weight) FILTER (WHERE server_bytes IS NULL) AS unmeasured,
        list(DISTINCT server_bytes_basis) AS bases
    FROM metered
    WHERE in_period
    GROUP BY ALL
),
deliveries AS (
    SELECT
        organization, attributable, sent, weight, in_period, ts,
        -- 64-bit hashes of the key sort in two thirds of the time of the strings.
        lag(ts) OVER (
            PARTITION BY hash(attributable IS TRUE, fetcher, server_address, url_path)
            ORDER BY ts, sent
        ) AS previous
    FROM metered
    WHERE is_download AND fetcher IS NOT NULL
),
again AS (
    SELECT
        organization,
        coalesce(attributable, false) AS attributable,
        sum(sent) AS redundant_bytes,
        sum(weight) AS redundant_requests
    FROM deliveries
    WHERE in_period AND ts - previous <= $window
    GROUP BY ALL
),
ranked AS (
    SELECT
        usage.*, redundant_bytes, redundant_requests,
        row_number() OVER (
            ORDER BY
                usage.organization IS NULL, redundant_bytes DESC, bytes DESC, usage.organization,
                usage.attributable
        ) AS place
    FROM usage
    LEFT JOIN again
        ON usage.organization IS NOT DISTINCT FROM again.organization
        AND usage.attributable = again.attributable
)
SELECT
    CASE
        WHEN organization IS NULL THEN '(unknown)'
        WHEN place > $limit THEN '(others)'
        ELSE organization
    END AS organization,
    CASE
        WHEN attributable THEN 'organization'
        WHEN organization IS NOT NULL THEN 'provider'
        ELSE 'unknown'
    END AS attribution,
    sum(bytes)::BIGINT AS bytes,
    sum(bytes) / nullif(sum(sum(bytes)) OVER (), 0) AS share,
    coalesce(sum(redundant_bytes), 0)::BIGINT AS redundant_bytes,
    coalesce(sum(redundant_bytes), 0) / nullif(sum(bytes), 0) AS redundant_share,
    coalesce(sum(requests), 0)::BIGINT AS requests,
    coalesce(sum(redundant_requests), 0)::BIGINT AS redundant_requests,
    coalesce(sum(unmeasured), 0)::BIGINT AS unmeasured,
    nullif(array_to_string(list_sort(list_distinct(flatten(list(bases)))), '+'), '') AS basis
FROM ranked
GROUP BY ALL
ORDER BY min(place)
