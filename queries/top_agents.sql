-- Top agents
--
-- Which software (`agent_name`, of `agent_kind`) received the most bytes, over all its versions
-- (`versions` counts them). `(unknown)` is software that no rule knows (unknown_agents lists it),
-- and connections that cannot be opened. What does not fit `limit` is folded into `(others)`, so
-- that the shares add up to 1.
--
-- Parameters:
-- since = null : timestamp : only records from this instant on (UTC)
-- until = null : timestamp : only records before this instant (UTC)
-- organization = null : string : only records of this organisation
-- ecosystem = null : string : only records of this ecosystem (purl type)
-- limit = 20 : int : rows that are named; the rest is folded into `(others)`; null names all
WITH weighed AS (
    SELECT *, coalesce(sample_weight, 1) AS weight, server_bytes * weight AS sent
    FROM records
    WHERE
        ($since IS NULL OR ts >= $since) AND ($until IS NULL OR ts < $until)
        AND ($organization IS NULL OR organization = $organization)
        AND ($ecosystem IS NULL OR package_ecosystem = $ecosystem)
),
usage AS (
    SELECT
        agent_name,
        agent_kind,
        sum(sent) AS bytes,
        sum(weight) FILTER (WHERE exchange_kind = 'http') AS requests,
        count(DISTINCT agent_version) AS versions,
        count(DISTINCT client_address) AS clients,
        sum(weight) FILTER (WHERE server_bytes IS NULL) AS unmeasured,
        sum(sent) FILTER (WHERE attributable) AS attributed,
        list(DISTINCT server_bytes_basis) AS bases
    FROM weighed
    GROUP BY ALL
),
ranked AS (
    SELECT
        *,
        row_number() OVER (
            ORDER BY agent_name IS NULL, bytes DESC, agent_name, agent_kind
        ) AS place
    FROM usage
)
SELECT
    CASE
        WHEN agent_name IS NULL THEN '(unknown)'
        WHEN place > $limit THEN '(others)'
        ELSE agent_name
    END AS agent_name,
    if(agent_name IS NULL OR place > $limit, NULL, agent_kind) AS agent_kind,
    sum(bytes)::BIGINT AS bytes,
    sum(bytes) / nullif(sum(sum(bytes)) OVER (), 0) AS share,
    coalesce(sum(requests), 0)::BIGINT AS requests,
    if(count(*) = 1, max(versions), NULL) AS versions,
    if(count(*) = 1, max(clients), NULL) AS clients,
    coalesce(sum(unmeasured), 0)::BIGINT AS unmeasured,
    1 - coalesce(sum(attributed), 0) / nullif(sum(bytes), 0) AS unattributed,
    nullif(array_to_string(list_sort(list_distinct(flatten(list(bases)))), '+'), '') AS basis
FROM ranked
GROUP BY ALL
ORDER BY min(place)
