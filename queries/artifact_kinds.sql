-- Kinds of artifacts
--
-- What was delivered: artifacts, metadata, index pages, sidecar files (`artifact_kind`), and how
-- many complete `downloads` of artifacts that makes.
--
-- Parameters:
-- since = null : timestamp : only records from this instant on (UTC)
-- until = null : timestamp : only records before this instant (UTC)
-- organization = null : string : only records of this organisation
-- ecosystem = null : string : only records of this ecosystem (purl type)
WITH summed AS (
    SELECT *, server_bytes * weight AS sent, records * weight AS exchanges
    FROM usage_by_hour($since, $until)
    WHERE
        ($organization IS NULL OR organization = $organization)
        AND ($ecosystem IS NULL OR package_ecosystem = $ecosystem)
)
SELECT
    coalesce(artifact_kind, '(unknown)') AS artifact_kind,
    sum(sent)::BIGINT AS bytes,
    sum(sent) / nullif(sum(sum(sent)) OVER (), 0) AS share,
    coalesce(sum(exchanges) FILTER (WHERE exchange_kind = 'http'), 0)::BIGINT AS requests,
    coalesce(sum(exchanges) FILTER (WHERE is_download), 0)::BIGINT AS downloads,
    sum(unmeasured_records * weight)::BIGINT AS unmeasured,
    1 - coalesce(sum(sent) FILTER (WHERE attributable), 0) / nullif(sum(sent), 0) AS unattributed,
    string_agg(DISTINCT server_bytes_basis, '+' ORDER BY server_bytes_basis) AS basis
FROM summed
GROUP BY ALL
ORDER BY bytes DESC, artifact_kind
