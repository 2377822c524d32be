-- HTTP and TLS versions
--
-- Which versions of HTTP (`http_version`) and of TLS (`tls_version`) clients speak.
-- `exchange_kind` is `http`, or for captures that cannot be opened `tls`, `quic`, `tunnel` or
-- `remainder`.
--
-- Parameters:
-- since = null : timestamp : only records from this instant on (UTC)
-- until = null : timestamp : only records before this instant (UTC)
-- organization = null : string : only records of this organisation
-- ecosystem = null : string : only records of this ecosystem (purl type)
WITH weighed AS (
    SELECT *, coalesce(sample_weight, 1) AS weight, server_bytes * weight AS sent
    FROM records
    WHERE
        ($since IS NULL OR ts >= $since) AND ($until IS NULL OR ts < $until)
        AND ($organization IS NULL OR organization = $organization)
        AND ($ecosystem IS NULL OR package_ecosystem = $ecosystem)
)
SELECT
    exchange_kind,
    coalesce(network_protocol_version, '(not said)') AS http_version,
    coalesce(tls_version, '(not said)') AS tls_version,
    sum(sent)::BIGINT AS bytes,
    sum(sent) / nullif(sum(sum(sent)) OVER (), 0) AS share,
    coalesce(sum(weight) FILTER (WHERE exchange_kind = 'http'), 0)::BIGINT AS requests,
    coalesce(sum(weight) FILTER (WHERE server_bytes IS NULL), 0)::BIGINT AS unmeasured,
    1 - coalesce(sum(sent) FILTER (WHERE attributable), 0) / nullif(sum(sent), 0) AS unattributed,
    string_agg(DISTINCT server_bytes_basis, '+' ORDER BY server_bytes_basis) AS basis
FROM weighed
GROUP BY ALL
ORDER BY bytes DESC, exchange_kind, http_version, tls_version
