-- Top packages
--
-- Which packages (`package_name` of `package_ecosystem`) account for the most bytes, metadata and
-- sidecar files included. `downloads` counts complete deliveries of artifacts. `(unknown)` belongs
-- to no known package: index pages, connections that cannot be opened. What does not fit `limit`
-- is folded into `(others)`, so that the shares add up to 1.
--
-- Parameters:
-- since = null : timestamp : only records from this instant on (UTC)
-- until = null : timestamp : only records before this instant (UTC)
-- organization = null : string : only records of this organisation
-- ecosystem = null : string : only records of this ecosystem (purl type)
-- limit = 20 : int : rows that are named; the rest is folded into `(others)`; null names all
WITH weighed AS (
    SELECT *, coalesce(sample_weight, 1) AS weight, server_bytes * weight AS sent
    FROM records
    WHERE
        ($since IS NULL OR ts >= $since) AND ($until IS NULL OR ts < $until)
        AND ($organization IS NULL OR organization = $organization)
        AND ($ecosystem IS NULL OR package_ecosystem = $ecosystem)
),
usage AS (
    SELECT
        package_name,
        package_ecosystem,
        sum(sent) AS bytes,
        sum(weight) FILTER (WHERE exchange_kind = 'http') AS requests,
        sum(weight) FILTER (WHERE is_download) AS downloads,
        count(DISTINCT client_address) AS clients,
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
            ORDER BY package_name IS NULL, bytes DESC, package_name, package_ecosystem
        ) AS place
    FROM usage
)
SELECT
    CASE
        WHEN package_name IS NULL THEN '(unknown)'
        WHEN place > $limit THEN '(others)'
        ELSE package_name
    END AS package_name,
    if(package_name IS NULL OR place > $limit, NULL, package_ecosystem) AS package_ecosystem,
    sum(bytes)::BIGINT AS bytes,
    sum(bytes) / nullif(sum(sum(bytes)) OVER (), 0) AS share,
    coalesce(sum(requests), 0)::BIGINT AS requests,
    coalesce(sum(downloads), 0)::BIGINT AS downloads,
    if(count(*) = 1, max(clients), NULL) AS clients,
    coalesce(sum(unmeasured), 0)::BIGINT AS unmeasured,
    1 - coalesce(sum(attributed), 0) / nullif(sum(bytes), 0) AS unattributed,
    nullif(array_to_string(list_sort(list_distinct(flatten(list(bases)))), '+'), '') AS basis
FROM ranked
GROUP BY ALL
ORDER BY min(place)
