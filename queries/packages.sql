-- Top packages
--
-- Which packages (`package_name` of `package_ecosystem`) account for the most bytes, metadata and
-- sidecar files included. `downloads` counts complete deliveries of artifacts. `(unknown)` belongs
-- to no known package: index pages, connections that cannot be opened. What does not fit `limit` is
-- folded into `(others)`, so that the shares add up to 1. `clients` is estimated from sketches
-- (standard error 0.8 %).
--
-- Parameters:
-- since = null : timestamp : only records from this instant on (UTC)
-- until = null : timestamp : only records before this instant (UTC)
-- organization = null : string : only records of this organisation
-- ecosystem = null : string : only records of this ecosystem (purl type)
-- limit = 20 : int : rows that are named; the rest is folded into `(others)`; null names all
WITH summed AS NOT MATERIALIZED (
    SELECT *, server_bytes * weight AS sent, records * weight AS exchanges
    FROM usage($since, $until)
    WHERE
        ($organization IS NULL OR organization = $organization)
        AND ($ecosystem IS NULL OR package_ecosystem = $ecosystem)
),
grouped AS (
    SELECT
        package_name,
        package_ecosystem,
        sum(sent) AS bytes,
        sum(exchanges) FILTER (WHERE exchange_kind = 'http') AS requests,
        sum(exchanges) FILTER (WHERE is_download) AS downloads,
        sum(unmeasured_records * weight) AS unmeasured,
        sum(sent) FILTER (WHERE attributable) AS attributed,
        list(DISTINCT server_bytes_basis) AS bases
    FROM summed
    GROUP BY ALL
),
ranked AS (
    SELECT
        *,
        row_number() OVER (
            ORDER BY package_name IS NULL, bytes DESC, package_name, package_ecosystem
        ) AS place
    FROM grouped
),
coupons AS (
    SELECT place, unnest(coupons(clients)) AS coupon
    FROM (SELECT DISTINCT package_name, package_ecosystem, clients FROM summed) AS sketches
    JOIN ranked
        ON sketches.package_name IS NOT DISTINCT FROM ranked.package_name
        AND sketches.package_ecosystem IS NOT DISTINCT FROM ranked.package_ecosystem
    WHERE place <= coalesce($limit, place) OR ranked.package_name IS NULL
),
registers AS (
    SELECT place, coupon >> 6 AS register, max(coupon & 63) AS rank
    FROM coupons
    GROUP BY ALL
),
estimates AS (
    SELECT place, round(estimated_clients(count(*), sum(pow(2.0, -rank)))) AS clients
    FROM registers
    GROUP BY ALL
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
    if(count(*) = 1, coalesce(max(clients), 0), NULL)::BIGINT AS clients,
    coalesce(sum(unmeasured), 0)::BIGINT AS unmeasured,
    1 - coalesce(sum(attributed), 0) / nullif(sum(bytes), 0) AS unattributed,
    nullif(array_to_string(list_sort(list_distinct(flatten(list(bases)))), '+'), '') AS basis
FROM ranked
LEFT JOIN estimates USING (place)
GROUP BY ALL
ORDER BY min(place)
