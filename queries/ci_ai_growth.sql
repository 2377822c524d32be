-- Growth of CI and AI
--
-- Week by week, how much goes to continuous integration and to AI crawlers and agents, told as in
-- ci_share and ai_share: `ci_bytes` and `ai_bytes` of so many `ci_requests` and `ai_requests`,
-- their parts `ci_share` and `ai_share` of the week's `bytes`, and `ci_change` and `ai_change` from
-- the week before (0.5: half as much again), empty where that had none. `week` is the Monday (UTC)
-- it begins with and `days` how many days have records: a week beside one of fewer or more days has
-- no change. Records without a time are left out. Both shares are lower bounds.
--
-- Parameters:
-- since = null : timestamp : only records from this instant on (UTC)
-- until = null : timestamp : only records before this instant (UTC)
-- organization = null : string : only records of this organisation
-- ecosystem = null : string : only records of this ecosystem (purl type)
WITH weeks AS (
    SELECT
        date_trunc('week', day)::DATE AS week,
        count(DISTINCT day) AS days,
        sum(server_bytes * weight) AS bytes,
        coalesce(sum(server_bytes * weight) FILTER (
            WHERE agent_ci OR agent_kind = 'ci' OR network_kind = 'ci'
        ), 0) AS ci_bytes,
        coalesce(sum(server_bytes * weight) FILTER (
            WHERE agent_kind IN ('ai-crawler', 'ai-agent')
        ), 0) AS ai_bytes,
        coalesce(sum(records * weight) FILTER (
            WHERE
                exchange_kind = 'http'
                AND (agent_ci OR agent_kind = 'ci' OR network_kind = 'ci')
        ), 0) AS ci_requests,
        coalesce(sum(records * weight) FILTER (
            WHERE exchange_kind = 'http' AND agent_kind IN ('ai-crawler', 'ai-agent')
        ), 0) AS ai_requests,
        coalesce(sum(records * weight) FILTER (WHERE exchange_kind = 'http'), 0) AS requests,
        sum(unmeasured_records * weight) AS unmeasured,
        string_agg(DISTINCT server_bytes_basis, '+' ORDER BY server_bytes_basis) AS basis
    FROM usage($since, $until)
    WHERE
        day IS NOT NULL AND ($organization IS NULL OR organization = $organization)
        AND ($ecosystem IS NULL OR package_ecosystem = $ecosystem)
    GROUP BY 1
)
SELECT
    weeks.week,
    weeks.days,
    weeks.bytes::BIGINT AS bytes,
    weeks.ci_bytes::BIGINT AS ci_bytes,
    weeks.ci_bytes / nullif(weeks.bytes, 0) AS ci_share,
    weeks.ci_bytes / nullif(earlier.ci_bytes, 0) - 1 AS ci_change,
    weeks.ci_requests::BIGINT AS ci_requests,
    weeks.ai_bytes::BIGINT AS ai_bytes,
    weeks.ai_bytes / nullif(weeks.bytes, 0) AS ai_share,
    weeks.ai_bytes / nullif(earlier.ai_bytes, 0) - 1 AS ai_change,
    weeks.ai_requests::BIGINT AS ai_requests,
    weeks.requests::BIGINT AS requests,
    weeks.unmeasured::BIGINT AS unmeasured,
    weeks.basis
FROM weeks
LEFT JOIN weeks AS earlier
    ON weeks.week = earlier.week + INTERVAL 7 DAY AND weeks.days = earlier.days
ORDER BY weeks.week
