-- What can be attributed
--
-- Which part of the bytes has a known user, which only a known provider, and which neither; the
-- shares add up to 1. `attribution` is `organization` (the user itself), `provider` (a cloud or
-- access network whose tenant is not known) or `unknown`; `network_kind` is the kind of network;
-- `methods` are the ways the organisations were found: declared, published, registry, as_name,
-- none; `organizations` counts them. `clients` is estimated from sketches (standard error 0.8 %).
--
-- Parameters:
-- since = null : timestamp : only records from this instant on (UTC)
-- until = null : timestamp : only records before this instant (UTC)
-- ecosystem = null : string : only records of this ecosystem (purl type)
WITH summed AS NOT MATERIALIZED (
    SELECT
        * REPLACE (coalesce(network_kind, 'unknown') AS network_kind),
        CASE
            WHEN attributable THEN 'organization'
            WHEN organization IS NOT NULL THEN 'provider'
            ELSE 'unknown'
        END AS attribution,
        server_bytes * weight AS sent,
        records * weight AS exchanges
    FROM usage_by_hour($since, $until)
    WHERE $ecosystem IS NULL OR package_ecosystem = $ecosystem
),
coupons AS (
    SELECT attribution, network_kind, unnest(coupons(clients)) AS coupon
    FROM (SELECT DISTINCT attribution, network_kind, clients FROM summed)
),
registers AS (
    SELECT attribution, network_kind, coupon >> 6 AS register, max(coupon & 63) AS rank
    FROM coupons
    GROUP BY ALL
),
estimates AS (
    SELECT
        attribution,
        network_kind,
        round(estimated_clients(count(*), sum(pow(2.0, -rank)))) AS clients
    FROM registers
    GROUP BY ALL
)
SELECT
    attribution,
    network_kind,
    sum(sent)::BIGINT AS bytes,
    sum(sent) / nullif(sum(sum(sent)) OVER (), 0) AS share,
    coalesce(sum(exchanges) FILTER (WHERE exchange_kind = 'http'), 0)::BIGINT AS requests,
    string_agg(DISTINCT organization_method, '+' ORDER BY organization_method) AS methods,
    count(DISTINCT organization) AS organizations,
    coalesce(any_value(estimates.clients), 0)::BIGINT AS clients,
    sum(unmeasured_records * weight)::BIGINT AS unmeasured,
    string_agg(DISTINCT server_bytes_basis, '+' ORDER BY server_bytes_basis) AS basis
FROM summed
LEFT JOIN estimates USING (attribution, network_kind)
GROUP BY ALL
ORDER BY attribution, bytes DESC, network_kind
