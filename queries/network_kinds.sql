-- Kinds of networks
--
-- What kind of network the clients sit in (`network_kind`): clouds, CI runners, access networks,
-- universities. `organizations` counts those that hold these networks. `clients` is estimated from
-- sketches (standard error 0.8 %).
--
-- Parameters:
-- since = null : timestamp : only records from this instant on (UTC)
-- until = null : timestamp : only records before this instant (UTC)
-- ecosystem = null : string : only records of this ecosystem (purl type)
WITH summed AS NOT MATERIALIZED (
    SELECT
        * REPLACE (coalesce(network_kind, 'unknown') AS network_kind),
        server_bytes * weight AS sent,
        records * weight AS exchanges
    FROM usage_by_hour($since, $until)
    WHERE $ecosystem IS NULL OR package_ecosystem = $ecosystem
),
coupons AS (
    SELECT network_kind, unnest(coupons(clients)) AS coupon
    FROM (SELECT DISTINCT network_kind, clients FROM summed)
),
registers AS (
    SELECT network_kind, coupon >> 6 AS register, max(coupon & 63) AS rank
    FROM coupons
    GROUP BY ALL
),
estimates AS (
    SELECT network_kind, round(estimated_clients(count(*), sum(pow(2.0, -rank)))) AS clients
    FROM registers
    GROUP BY ALL
)
SELECT
    network_kind,
    sum(sent)::BIGINT AS bytes,
    sum(sent) / nullif(sum(sum(sent)) OVER (), 0) AS share,
    coalesce(sum(exchanges) FILTER (WHERE exchange_kind = 'http'), 0)::BIGINT AS requests,
    count(DISTINCT organization) AS organizations,
    coalesce(any_value(estimates.clients), 0)::BIGINT AS clients,
    sum(unmeasured_records * weight)::BIGINT AS unmeasured,
    1 - coalesce(sum(sent) FILTER (WHERE attributable), 0) / nullif(sum(sent), 0) AS unattributed,
    string_agg(DISTINCT server_bytes_basis, '+' ORDER BY server_bytes_basis) AS basis
FROM summed
LEFT JOIN estimates USING (network_kind)
GROUP BY ALL
ORDER BY bytes DESC, network_kind
