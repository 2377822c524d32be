-- What the cache answered
--
-- Which part of the bytes the cache delivered itself. `cache` is `hit`, `miss` or `(not said)`,
-- after the word the cache logged (`cache_status`): a miss had to be fetched from the origin too.
--
-- Parameters:
-- since = null : timestamp : only records from this instant on (UTC)
-- until = null : timestamp : only records before this instant (UTC)
-- organization = null : string : only records of this organisation
-- ecosystem = null : string : only records of this ecosystem (purl type)
WITH summed AS (
    SELECT *, server_bytes * weight AS sent, records * weight AS exchanges
    FROM usage_by_hour($since, $until)
    WHERE
        exchange_kind = 'http'
        AND ($organization IS NULL OR organization = $organization)
        AND ($ecosystem IS NULL OR package_ecosystem = $ecosystem)
)
SELECT
    CASE
        WHEN cache_hit THEN 'hit'
        WHEN NOT cache_hit THEN 'miss'
        ELSE '(not said)'
    END AS cache,
    cache_status,
    sum(sent)::BIGINT AS bytes,
    sum(sent) / nullif(sum(sum(sent)) OVER (), 0) AS share,
    sum(exchanges)::BIGINT AS requests,
    sum(unmeasured_records * weight)::BIGINT AS unmeasured,
    1 - coalesce(sum(sent) FILTER (WHERE attributable), 0) / nullif(sum(sent), 0) AS unattributed,
    string_agg(DISTINCT server_bytes_basis, '+' ORDER BY server_bytes_basis) AS basis
FROM summed
GROUP BY ALL
ORDER BY bytes DESC, cache, cache_status
