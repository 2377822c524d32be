-- Request methods
--
-- Which methods were asked (`method`, its case kept). What does not fit `limit` is folded into
-- `(others)`, so that the shares add up to 1.
--
-- Parameters:
-- since = null : timestamp : only records from this instant on (UTC)
-- until = null : timestamp : only records before this instant (UTC)
-- organization = null : string : only records of this organisation
-- ecosystem = null : string : only records of this ecosystem (purl type)
-- limit = 20 : int : rows that are named; the rest is folded into `(others)`; null names all
WITH weighed AS (
    SELECT *, server_bytes * weight AS sent
    FROM requests
    WHERE
        ($since IS NULL OR ts >= $since) AND ($until IS NULL OR ts < $until)
        AND ($organization IS NULL OR organization = $organization)
        AND ($ecosystem IS NULL OR package_ecosystem = $ecosystem)
),
usage AS (
    SELECT
        request_method AS method,
        sum(sent) AS bytes,
        sum(weight) AS requests,
        sum(weight) FILTER (WHERE server_bytes IS NULL) AS unmeasured,
        sum(sent) FILTER (WHERE attributable) AS attributed,
        list(DISTINCT server_bytes_basis) AS bases
    FROM weighed
    GROUP BY ALL
),
ranked AS (
    SELECT *, row_number() OVER (ORDER BY method IS NULL, bytes DESC, method) AS place
    FROM usage
)
SELECT
    CASE
        WHEN method IS NULL THEN '(not said)'
        WHEN place > $limit THEN '(others)'
        ELSE method
    END AS method,
    sum(bytes)::BIGINT AS bytes,
    sum(bytes) / nullif(sum(sum(bytes)) OVER (), 0) AS share,
    sum(requests)::BIGINT AS requests,
    coalesce(sum(unmeasured), 0)::BIGINT AS unmeasured,
    1 - coalesce(sum(attributed), 0) / nullif(sum(bytes), 0) AS unattributed,
    nullif(array_to_string(list_sort(list_distinct(flatten(list(bases)))), '+'), '') AS basis
FROM ranked
GROUP BY ALL
ORDER BY min(place)
