-- Top autonomous systems
--
-- Which autonomous systems received the most bytes: `as_name` as registered, and the number `asn`.
-- A network that is not in the reference data is `(unknown)`. What does not fit `limit` is folded
-- into `(others)`, so that the shares add up to 1. `clients` is estimated from sketches (standard
-- error 0.8 %).
--
-- Parameters:
-- since = null : timestamp : only records from this instant on (UTC)
-- until = null : timestamp : only records before this instant (UTC)
-- organization = null : string : only records of this organisation
-- ecosystem = null : string : only records of this ecosystem (purl type)
-- limit = 20 : int : rows that are named; the rest is folded into `(others)`; null names all
WITH summed AS NOT MATERIALIZED (
    SELECT
        *,
        coalesce(client_as_name, 'AS' || client_asn) AS as_name,
        client_asn AS asn,
        server_bytes * weight AS sent,
        records * weight AS exchanges
    FROM usage_by_hour($since, $until)
    WHERE
        ($organization IS NULL OR organization = $organization)
        AND ($ecosystem IS NULL OR package_ecosystem = $ecosystem)
),
coupons AS (
    SELECT as_name, asn, unnest(coupons(clients)) AS coupon
    FROM (SELECT DISTINCT as_name, asn, clients FROM summed)
),
registers AS (
    SELECT as_name, asn, coupon >> 6 AS register, max(coupon & 63) AS rank
    FROM coupons
    GROUP BY ALL
),
estimates AS (
    SELECT as_name, asn, round(estimated_clients(count(*), sum(pow(2.0, -rank)))) AS clients
    FROM registers
    GROUP BY ALL
),
grouped AS (
    SELECT
        as_name,
        asn,
        sum(sent) AS bytes,
        sum(exchanges) FILTER (WHERE exchange_kind = 'http') AS requests,
        sum(unmeasured_records * weight) AS unmeasured,
        sum(sent) FILTER (WHERE attributable) AS attributed,
        list(DISTINCT server_bytes_basis) AS bases
    FROM summed
    GROUP BY ALL
),
ranked AS (
    SELECT
        grouped.*,
        coalesce(clients, 0)::BIGINT AS clients,
        row_number() OVER (
            ORDER BY grouped.as_name IS NULL, bytes DESC, grouped.as_name, grouped.asn
        ) AS place
    FROM grouped
    LEFT JOIN estimates
        ON grouped.as_name IS NOT DISTINCT FROM estimates.as_name
        AND grouped.asn IS NOT DISTINCT FROM estimates.asn
)
SELECT
    CASE
        WHEN as_name IS NULL THEN '(unknown)'
        WHEN place > $limit THEN '(others)'
        ELSE as_name
    END AS as_name,
    if(as_name IS NULL OR place > $limit, NULL, asn) AS asn,
    sum(bytes)::BIGINT AS bytes,
    sum(bytes) / nullif(sum(sum(bytes)) OVER (), 0) AS share,
    coalesce(sum(requests), 0)::BIGINT AS requests,
    if(count(*) = 1, max(clients), NULL) AS clients,
    coalesce(sum(unmeasured), 0)::BIGINT AS unmeasured,
    1 - coalesce(sum(attributed), 0) / nullif(sum(bytes), 0) AS unattributed,
    nullif(array_to_string(list_sort(list_distinct(flatten(list(bases)))), '+'), '') AS basis
FROM ranked
GROUP BY ALL
ORDER BY min(place)
