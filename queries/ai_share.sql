-- Share of AI crawlers and agents
--
-- How much goes to software that says it works for an AI: `ai` is `yes` (with its `kind`, ai-
-- crawler or ai-agent, and the `agent`), `no`, or `(unknown)` where no rule knows the software. AI
-- that hides behind a browser's name counts as `no`, so `yes` is a lower bound.
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
        WHEN agent_kind IN ('ai-crawler', 'ai-agent') THEN 'yes'
        WHEN agent_kind <> 'unknown' THEN 'no'
        ELSE '(unknown)'
    END AS ai,
    if(ai = 'yes', agent_kind, NULL) AS kind,
    if(ai = 'yes', agent_name, NULL) AS agent,
    sum(sent)::BIGINT AS bytes,
    sum(sent) / nullif(sum(sum(sent)) OVER (), 0) AS share,
    coalesce(sum(exchanges) FILTER (WHERE exchange_kind = 'http'), 0)::BIGINT AS requests,
    sum(unmeasured_records * weight)::BIGINT AS unmeasured,
    1 - coalesce(sum(sent) FILTER (WHERE attributable), 0) / nullif(sum(sent), 0) AS unattributed,
    string_agg(DISTINCT server_bytes_basis, '+' ORDER BY server_bytes_basis) AS basis
FROM summed
GROUP BY ALL
ORDER BY bytes DESC, ai, kind, agent
