-- Avoidable bytes
--
-- Which bytes each organisation fetched again within 24 hours (as in redundant_downloads), read
-- from the rollups of closed days: also of days whose records are gone, and where the records would
-- take long. `avoidable_share` is what `avoidable_bytes` make of the bytes of closed days;
-- `avoidable_requests` counts these exchanges. Of what was not closed when it was summed up,
-- nothing is known: days that are still open or got late records, and parts of an hour at the edges
-- of the period. `open_share` is its part of the row's bytes: 1 means that nothing is known, and
-- `avoidable_bytes` is empty. `attribution` is as in top_organizations. Most avoidable bytes first;
-- what does not fit `limit` is folded into `(others)`.
--
-- Parameters:
-- since = null : timestamp : only records from this instant on (UTC)
-- until = null : timestamp : only records before this instant (UTC)
-- ecosystem = null : string : only records of this ecosystem (purl type)
-- limit = 20 : int : rows that are named; the rest is folded into `(others)`; null names all
WITH users AS (
    SELECT
        organization,
        coalesce(attributable, false) AS attributable,
        sum(server_bytes * weight) AS bytes,
        sum(server_bytes * weight) FILTER (WHERE avoidable_bytes IS NOT NULL) AS closed_bytes,
        sum(avoidable_bytes * weight) AS avoidable_bytes,
        sum(avoidable_records * weight) AS avoidable_requests,
        sum(records * weight) FILTER (WHERE exchange_kind = 'http') AS requests,
        sum(unmeasured_records * weight) AS unmeasured,
        list(DISTINCT server_bytes_basis) AS bases
    FROM usage_by_hour($since, $until)
    WHERE $ecosystem IS NULL OR package_ecosystem = $ecosystem
    GROUP BY ALL
),
ranked AS (
    SELECT
        *,
        row_number() OVER (
            ORDER BY
                organization IS NULL, avoidable_bytes DESC, bytes DESC, organization, attributable
        ) AS place
    FROM users
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
    sum(avoidable_bytes)::BIGINT AS avoidable_bytes,
    sum(avoidable_bytes) / nullif(sum(closed_bytes), 0) AS avoidable_share,
    1 - coalesce(sum(closed_bytes), 0) / nullif(sum(bytes), 0) AS open_share,
    coalesce(sum(requests), 0)::BIGINT AS requests,
    sum(avoidable_requests)::BIGINT AS avoidable_requests,
    coalesce(sum(unmeasured), 0)::BIGINT AS unmeasured,
    nullif(array_to_string(list_sort(list_distinct(flatten(list(bases)))), '+'), '') AS basis
FROM ranked
GROUP BY ALL
ORDER BY min(place)
