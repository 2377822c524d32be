-- Bytes by day
--
-- How the bytes spread over time, by UTC day of the exchange's instant. A row without `day` holds
-- the records whose source gave no time. `clients` is estimated from sketches (standard error
-- 0.8 %).
--
-- Parameters:
-- since = null : timestamp : only records from this instant on (UTC)
-- until = null : timestamp : only records before this instant (UTC)
-- organization = null : string : only records of this organisation
-- ecosystem = null : string : only records of this ecosystem (purl type)
WITH summed AS NOT MATERIALIZED (
    SELECT
        *,
        hour::DATE AS day,
        server_bytes * weight AS sent,
        records * weight AS exchanges
    FROM usage_by_hour($since, $until)
    WHERE
        ($organization IS NULL OR organization = $organization)
        AND ($ecosystem IS NULL OR package_ecosystem = $ecosystem)
),
coupons AS (
    SELECT day, unnest(coupons(clients)) AS coupon
    FROM (SELECT DISTINCT day, clients FROM summed)
),
registers AS (
    SELECT day, coupon >> 6 AS register, max(coupon & 63) AS rank
    FROM coupons
    GROUP BY ALL
),
estimates AS (
    SELECT day, round(estimated_clients(count(*), sum(pow(2.0, -rank)))) AS clients
    FROM registers
    GROUP BY ALL
)
SELECT
    summed.day,
    sum(sent)::BIGINT AS bytes,
    sum(sent) / nullif(sum(sum(sent)) OVER (), 0) AS share,
    coalesce(sum(exchanges) FILTER (WHERE exchange_kind = 'http'), 0)::BIGINT AS requests,
    coalesce(any_value(estimates.clients), 0)::BIGINT AS clients,
    sum(unmeasured_records * weight)::BIGINT AS unmeasured,
    1 - coalesce(sum(sent) FILTER (WHERE attributable), 0) / nullif(sum(sent), 0) AS unattributed,
    string_agg(DISTINCT server_bytes_basis, '+' ORDER BY server_bytes_basis) AS basis
FROM summed
LEFT JOIN estimates ON summed.day IS NOT DISTINCT FROM estimates.day
GROUP BY ALL
ORDER BY summed.day
