-- What can be attributed
--
-- Which part of the bytes has a known user, which only a known provider, and which neither; the
-- shares add up to 1. `attribution` is `organization` (the user itself), `provider` (a cloud or
-- access network whose tenant is not known) or `unknown`; `network_kind` is the kind of network;
-- `methods` are the ways the organisations were found: declared, published, registry, as_name,
-- none; `organizations` counts them.
--
-- Parameters:
-- since = null : timestamp : only records from this instant on (UTC)
-- until = null : timestamp : only records before this instant (UTC)
-- ecosystem = null : string : only records of this ecosystem (purl type)
WITH weighed AS (
    SELECT *, coalesce(sample_weight, 1) AS weight, server_bytes * weight AS sent
    FROM records
    WHERE
        ($since IS NULL OR ts >= $since) AND ($until IS NULL OR ts < $until)
        AND ($ecosystem IS NULL OR package_ecosystem = $ecosystem)
)
SELECT
    CASE
        WHEN attributable THEN 'organization'
        WHEN organization IS NOT NULL THEN 'provider'
        ELSE 'unknown'
    END AS attribution,
    coalesce(network_kind, 'unknown') AS network_kind,
    sum(sent)::BIGINT AS bytes,
    sum(sent) / nullif(sum(sum(sent)) OVER (), 0) AS share,
    coalesce(sum(weight) FILTER (WHERE exchange_kind = 'http'), 0)::BIGINT AS requests,
    string_agg(DISTINCT organization_method, '+' ORDER BY organization_method) AS methods,
    count(DISTINCT organization) AS organizations,
    count(DISTINCT client_address) AS clients,
    coalesce(sum(weight) FILTER (WHERE server_bytes IS NULL), 0)::BIGINT AS unmeasured,
    string_agg(DISTINCT server_bytes_basis, '+' ORDER BY server_bytes_basis) AS basis
FROM weighed
GROUP BY ALL
ORDER BY attribution, bytes DESC, network_kind
