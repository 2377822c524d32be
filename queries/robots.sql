-- Robots, and whether they are who they say
--
-- Which companies' robots took how many bytes, by what their addresses prove (`verification`): `verified` came from
-- an address that the company publishes as this robot's, `claimed` from any other, `unverifiable`
-- is of companies that publish none. `(no network)` came from an address that is nobody's on the Internet.
--
-- Parameters:
-- since = null : timestamp : only records from this instant on (UTC)
-- until = null : timestamp : only records before this instant (UTC)
-- kind = null : string : only robots of this kind (`ai-crawler`, `search-crawler`, ...)
-- limit = 30 : int : rows that are named; the rest is folded into `(others)`; null names all
WITH usage AS (
    SELECT
        agent_name,
        agent_kind,
        coalesce(agent_verification, '(no network)') AS verification,
        sum(server_bytes * weight) AS bytes,
        sum(weight) AS requests,
        count(DISTINCT client_address) AS clients,
        sum(weight) FILTER (WHERE server_bytes IS NULL) AS unmeasured,
        list(DISTINCT server_bytes_basis) AS bases
    FROM requests
    WHERE
        ($since IS NULL OR ts >= $since) AND ($until IS NULL OR ts < $until)
        AND agent_kind IN ('ai-crawler', 'ai-agent', 'search-crawler')
        AND ($kind IS NULL OR agent_kind = $kind)
    GROUP BY ALL
),
ranked AS (
    SELECT *, row_number() OVER (ORDER BY bytes DESC NULLS LAST, agent_name, verification) AS place
    FROM usage
)
SELECT
    CASE WHEN place > $limit THEN '(others)' ELSE agent_name END AS agent_name,
    CASE WHEN place <= $limit OR $limit IS NULL THEN agent_kind END AS agent_kind,
    CASE WHEN place <= $limit OR $limit IS NULL THEN verification END AS verification,
    sum(bytes)::BIGINT AS bytes,
    sum(bytes) / nullif(sum(sum(bytes)) OVER (), 0) AS share,
    sum(requests)::BIGINT AS requests,
    if(count(*) = 1, max(clients), NULL) AS clients,
    coalesce(sum(unmeasured), 0)::BIGINT AS unmeasured,
    nullif(array_to_string(list_sort(list_distinct(flatten(list(bases)))), '+'), '') AS basis
FROM ranked
GROUP BY ALL
ORDER BY min(place)
