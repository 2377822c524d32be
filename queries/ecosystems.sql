-- Ecosystems
--
-- Which package ecosystems the bytes belong to (`package_ecosystem`, the purl type). `downloads`
-- counts complete deliveries of artifacts; `(unknown)` is whatever no rule places. `clients` is
-- estimated from sketches (standard error 0.8 %).
--
-- Parameters:
-- since = null : timestamp : only records from this instant on (UTC)
-- until = null : timestamp : only records before this instant (UTC)
-- organization = null : string : only records of this organisation
WITH summed AS NOT MATERIALIZED (
    SELECT
        * REPLACE (coalesce(package_ecosystem, '(unknown)') AS package_ecosystem),
        server_bytes * weight AS sent,
        records * weight AS exchanges
    FROM usage_by_hour($since, $until)
    WHERE $organization IS NULL OR organization = $organization
),
coupons AS (
    SELECT package_ecosystem, unnest(coupons(clients)) AS coupon
    FROM (SELECT DISTINCT package_ecosystem, clients FROM summed)
),
registers AS (
    SELECT package_ecosystem, coupon >> 6 AS register, max(coupon & 63) AS rank
    FROM coupons
    GROUP BY ALL
),
estimates AS (
    SELECT package_ecosystem, round(estimated_clients(count(*), sum(pow(2.0, -rank)))) AS clients
    FROM registers
    GROUP BY ALL
)
SELECT
    package_ecosystem,
    sum(sent)::BIGINT AS bytes,
    sum(sent) / nullif(sum(sum(sent)) OVER (), 0) AS share,
    coalesce(sum(exchanges) FILTER (WHERE exchange_kind = 'http'), 0)::BIGINT AS requests,
    coalesce(sum(exchanges) FILTER (WHERE is_download), 0)::BIGINT AS downloads,
    coalesce(any_value(estimates.clients), 0)::BIGINT AS clients,
    sum(unmeasured_records * weight)::BIGINT AS unmeasured,
    1 - coalesce(sum(sent) FILTER (WHERE attributable), 0) / nullif(sum(sent), 0) AS unattributed,
    string_agg(DISTINCT server_bytes_basis, '+' ORDER BY server_bytes_basis) AS basis
FROM summed
LEFT JOIN estimates USING (package_ecosystem)
GROUP BY ALL
ORDER BY bytes DESC, package_ecosystem
