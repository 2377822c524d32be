-- Share of continuous integration
--
-- How much goes to CI, and how that is known. `ci` is `yes`, `no` or `(not said)`; `evidence`
-- names the witness: the `agent` (it says so, or it is CI software), or the `network` (a published
-- range of CI runners). Most agents do not say, so `yes` is a lower bound.
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
    CASE
        WHEN agent_ci OR agent_kind = 'ci' OR network_kind = 'ci' THEN 'yes'
        WHEN NOT agent_ci THEN 'no'
        ELSE '(not said)'
    END AS ci,
    CASE
        WHEN agent_ci OR agent_kind = 'ci' THEN 'agent'
        WHEN network_kind = 'ci' THEN 'network'
        WHEN NOT agent_ci THEN 'agent'
    END AS evidence,
    sum(sent)::BIGINT AS bytes,
    sum(sent) / nullif(sum(sum(sent)) OVER (), 0) AS share,
    coalesce(sum(exchanges) FILTER (WHERE exchange_kind = 'http'), 0)::BIGINT AS requests,
    sum(unmeasured_records * weight)::BIGINT AS unmeasured,
    1 - coalesce(sum(sent) FILTER (WHERE attributable), 0) / nullif(sum(sent), 0) AS unattributed,
    string_agg(DISTINCT server_bytes_basis, '+' ORDER BY server_bytes_basis) AS basis
FROM summed
GROUP BY ALL
ORDER BY bytes DESC, ci, evidence
