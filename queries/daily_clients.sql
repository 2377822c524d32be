-- Clients by organisation and day
--
-- How many addresses each organisation's bytes went to on each UTC `day`, also of days whose
-- records are gone: `clients` is estimated from sketches (standard error 0.8 %). `attribution` is
-- as in `top_organizations`. The organisations with the most bytes in the period are named; what
-- does not fit `limit` is folded into `(others)`, where an address of several of them counts once.
--
-- Parameters:
-- since = null : timestamp : only records from this instant on (UTC)
-- until = null : timestamp : only records before this instant (UTC)
-- ecosystem = null : string : only records of this ecosystem (purl type)
-- limit = 20 : int : organisations that are named; the rest is folded into `(others)`; null: all
WITH summed AS NOT MATERIALIZED (
    SELECT * REPLACE (coalesce(attributable, false) AS attributable), hour::DATE AS day
    FROM usage_by_hour($since, $until)
    WHERE $ecosystem IS NULL OR package_ecosystem = $ecosystem
),
grouped AS (
    SELECT
        day,
        organization,
        attributable,
        sum(server_bytes * weight) AS bytes,
        sum(records * weight) FILTER (WHERE exchange_kind = 'http') AS requests,
        sum(unmeasured_records * weight) AS unmeasured,
        list(DISTINCT server_bytes_basis) AS bases
    FROM summed
    GROUP BY ALL
),
users AS (
    SELECT
        organization,
        attributable,
        row_number() OVER (
            ORDER BY organization IS NULL, sum(bytes) DESC, organization, attributable
        ) AS place
    FROM grouped
    GROUP BY organization, attributable
),
named AS (
    SELECT
        *,
        CASE
            WHEN organization IS NULL THEN '(unknown)'
            WHEN place > $limit THEN '(others)'
            ELSE organization
        END AS name,
        CASE
            WHEN attributable THEN 'organization'
            WHEN organization IS NOT NULL THEN 'provider'
            ELSE 'unknown'
        END AS attribution
    FROM users
),
coupons AS (
    SELECT day, name, attribution, unnest(coupons(clients)) AS coupon
    FROM (SELECT DISTINCT day, organization, attributable, clients FROM summed) AS sketches
    JOIN named
        ON sketches.organization IS NOT DISTINCT FROM named.organization
        AND sketches.attributable = named.attributable
),
registers AS (
    SELECT day, name, attribution, coupon >> 6 AS register, max(coupon & 63) AS rank
    FROM coupons
    GROUP BY ALL
),
estimates AS (
    SELECT
        day,
        name,
        attribution,
        round(estimated_clients(count(*), sum(pow(2.0, -rank)))) AS clients
    FROM registers
    GROUP BY ALL
)
SELECT
    grouped.day,
    named.name AS organization,
    named.attribution,
    sum(bytes)::BIGINT AS bytes,
    sum(bytes) / nullif(sum(sum(bytes)) OVER (), 0) AS share,
    coalesce(sum(requests), 0)::BIGINT AS requests,
    coalesce(any_value(clients), 0)::BIGINT AS clients,
    sum(unmeasured)::BIGINT AS unmeasured,
    nullif(array_to_string(list_sort(list_distinct(flatten(list(bases)))), '+'), '') AS basis
FROM grouped
JOIN named
    ON grouped.organization IS NOT DISTINCT FROM named.organization
    AND grouped.attributable = named.attributable
LEFT JOIN estimates
    ON grouped.day IS NOT DISTINCT FROM estimates.day
    AND named.name = estimates.name
    AND named.attribution = estimates.attribution
GROUP BY ALL
ORDER BY grouped.day, min(place)
