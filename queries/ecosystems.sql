-- Ecosystems
--
-- Which package ecosystems the bytes belong to (`package_ecosystem`, the purl type). `downloads`
-- counts complete deliveries of artifacts; `(unknown)` is whatever no rule places.
--
-- Parameters:
-- since = null : timestamp : only records from this instant on (UTC)
-- until = null : timestamp : only records before this instant (UTC)
-- organization = null : string : only records of this organisation
WITH weighed AS (
    SELECT *, coalesce(sample_weight, 1) AS weight, server_bytes * weight AS sent
    FROM records
    WHERE
        ($since IS NULL OR ts >= $since) AND ($until IS NULL OR ts < $until)
        AND ($organization IS NULL OR organization = $organization)
)
SELECT
    coalesce(package_ecosystem, '(unknown)') AS package_ecosystem,
    sum(sent)::BIGINT AS bytes,
    sum(sent) / nullif(sum(sum(sent)) OVER (), 0) AS share,
    coalesce(sum(weight) FILTER (WHERE exchange_kind = 'http'), 0)::BIGINT AS requests,
    coalesce(sum(weight) FILTER (WHERE is_download), 0)::BIGINT AS downloads,
    count(DISTINCT client_address) AS clients,
    coalesce(sum(weight) FILTER (WHERE server_bytes IS NULL), 0)::BIGINT AS unmeasured,
    1 - coalesce(sum(sent) FILTER (WHERE attributable), 0) / nullif(sum(sent), 0) AS unattributed,
    string_agg(DISTINCT server_bytes_basis, '+' ORDER BY server_bytes_basis) AS basis
FROM weighed
GROUP BY ALL
ORDER BY bytes DESC, package_ecosystem
