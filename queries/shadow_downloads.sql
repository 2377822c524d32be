-- Shadow downloads
--
-- Organisations that run a repository manager or a mirror (an agent of kind `repository-manager`
-- or `mirror` was seen from them in the period) and still fetch artifacts past it. `managed_bytes`
-- is what those agents fetched, `shadow_bytes` and `shadow_requests` what all others did,
-- `shadow_share` its part of both, `shadow_clients` the addresses it went to and `shadow_agents`
-- the three largest of the software. `held_bytes` is what of it the manager had fetched in the
-- period, too, before or after. Only organisations that are the users of their networks; `bytes`
-- are all downloads of theirs. Most shadow bytes first.
--
-- Parameters:
-- since = null : timestamp : only records from this instant on (UTC)
-- until = null : timestamp : only records before this instant (UTC)
-- ecosystem = null : string : only records of this ecosystem (purl type)
-- limit = 20 : int : how many organisations; null names all
WITH managers AS (
    SELECT DISTINCT organization
    FROM records
    WHERE
        attributable AND agent_kind IN ('repository-manager', 'mirror')
        AND ($since IS NULL OR ts >= $since) AND ($until IS NULL OR ts < $until)
),
deliveries AS (
    SELECT
        organization, server_bytes * coalesce(sample_weight, 1) AS sent, server_bytes_basis,
        coalesce(sample_weight, 1) AS weight, server_bytes IS NULL AS unmeasured, client_address,
        coalesce(agent_name, '(unknown)') AS agent,
        coalesce(agent_kind IN ('repository-manager', 'mirror'), false) AS managed,
        bool_or(managed) OVER (PARTITION BY hash(organization, server_address, url_path)) AS held
    FROM records
    SEMI JOIN managers USING (organization)
    WHERE
        is_download AND attributable
        AND ($since IS NULL OR ts >= $since) AND ($until IS NULL OR ts < $until)
        AND ($ecosystem IS NULL OR package_ecosystem = $ecosystem)
),
agents AS (
    SELECT organization, string_agg(agent, ', ' ORDER BY sent DESC, agent) AS shadow_agents
    FROM (
        SELECT
            organization, agent, sum(sent) AS sent,
            row_number() OVER (
                PARTITION BY organization ORDER BY sum(sent) DESC, agent
            ) AS place
        FROM deliveries
        WHERE NOT managed
        GROUP BY organization, agent
    )
    WHERE place <= 3
    GROUP BY organization
)
SELECT
    deliveries.organization,
    sum(sent)::BIGINT AS bytes,
    coalesce(sum(sent) FILTER (WHERE managed), 0)::BIGINT AS managed_bytes,
    coalesce(sum(sent) FILTER (WHERE NOT managed), 0)::BIGINT AS shadow_bytes,
    coalesce(sum(sent) FILTER (WHERE NOT managed), 0) / nullif(sum(sent), 0) AS shadow_share,
    coalesce(sum(sent) FILTER (WHERE NOT managed AND held), 0)::BIGINT AS held_bytes,
    coalesce(sum(weight) FILTER (WHERE NOT managed), 0)::BIGINT AS shadow_requests,
    count(DISTINCT client_address) FILTER (WHERE NOT managed) AS shadow_clients,
    any_value(shadow_agents) AS shadow_agents,
    coalesce(sum(weight) FILTER (WHERE unmeasured), 0)::BIGINT AS unmeasured,
    string_agg(DISTINCT server_bytes_basis, '+' ORDER BY server_bytes_basis) AS basis
FROM deliveries
LEFT JOIN agents ON deliveries.organization = agents.organization
GROUP BY deliveries.organization
HAVING count(*) FILTER (WHERE NOT managed) > 0
ORDER BY shadow_bytes DESC, deliveries.organization
LIMIT $limit
