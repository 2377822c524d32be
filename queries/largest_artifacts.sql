-- Largest artifacts
--
-- Which artifacts (`url_path`, of `package_ecosystem`) are the largest: `size` is the largest
-- complete delivery in bytes, `downloads` counts the complete deliveries, `share` is of the bytes
-- of all artifacts. What does not fit `limit` is folded into `(others)`, so that the shares add up
-- to 1.
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
        AND artifact_kind = 'artifact'
),
usage AS (
    SELECT
        url_path,
        package_ecosystem,
        sum(sent) AS bytes,
        sum(weight) AS requests,
        max(server_bytes) FILTER (WHERE is_download) AS size,
        sum(weight) FILTER (WHERE is_download) AS downloads,
        sum(weight) FILTER (WHERE server_bytes IS NULL) AS unmeasured,
        sum(sent) FILTER (WHERE attributable) AS attributed,
        list(DISTINCT server_bytes_basis) AS bases
    FROM weighed
    GROUP BY ALL
),
ranked AS (
    SELECT
        *,
        row_number() OVER (
            ORDER BY url_path IS NULL, size DESC, bytes DESC, url_path, package_ecosystem
        ) AS place
    FROM usage
)
SELECT
    CASE
        WHEN url_path IS NULL THEN '(unknown)'
        WHEN place > $limit THEN '(others)'
        ELSE url_path
    END AS url_path,
    if(url_path IS NULL OR place > $limit, NULL, package_ecosystem) AS package_ecosystem,
    sum(bytes)::BIGINT AS bytes,
    sum(bytes) / nullif(sum(sum(bytes)) OVER (), 0) AS share,
    sum(requests)::BIGINT AS requests,
    max(size) AS size,
    coalesce(sum(downloads), 0)::BIGINT AS downloads,
    coalesce(sum(unmeasured), 0)::BIGINT AS unmeasured,
    1 - coalesce(sum(attributed), 0) / nullif(sum(bytes), 0) AS unattributed,
    nullif(array_to_string(list_sort(list_distinct(flatten(list(bases)))), '+'), '') AS basis
FROM ranked
GROUP BY ALL
ORDER BY min(place)
