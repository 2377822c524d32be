-- Clients of each organisation
--
-- How many addresses (`clients`), prefixes (`networks`) and kinds of software (`agents`) an
-- organisation's bytes went to: a build farm behind one address, or a fleet. `attribution` is as in
-- `top_organizations`. What does not fit `limit` is folded
-- into `(others)`, whose clients are not counted: an address can be in several of them.
--
-- Parameters:
-- since = null : timestamp : only records from this instant on (UTC)
-- until = null : timestamp : only records before this instant (UTC)
-- ecosystem = null : string : only records of this ecosystem (purl type)
-- limit = 20 : int : rows that are named; the rest is folded into `(others)`; null names all
WITH by_address AS (
    -- Grouped by address first: three times as fast as count(DISTINCT) over the records.
    SELECT
        organization,
        coalesce(attributable, false) AS attributable,
        client_address,
        client_network,
        agent_name,
        server_bytes_basis AS basis,
        sum(server_bytes * coalesce(sample_weight, 1)) AS sent,
        sum(coalesce(sample_weight, 1)) FILTER (WHERE exchange_kind = 'http') AS requests,
        sum(coalesce(sample_weight, 1)) FILTER (WHERE server_bytes IS NULL) AS unmeasured
    FROM records
    WHERE
        ($since IS NULL OR ts >= $since) AND ($until IS NULL OR ts < $until)
        AND ($ecosystem IS NULL OR package_ecosystem = $ecosystem)
    GROUP BY ALL
),
usage AS (
    SELECT
        organization,
        attributable,
        sum(sent) AS bytes,
        sum(requests) AS requests,
        count(DISTINCT client_address) AS clients,
        count(DISTINCT client_network) AS networks,
        count(DISTINCT agent_name) AS agents,
        sum(unmeasured) AS unmeasured,
        list(DISTINCT basis) AS bases
    FROM by_address
    GROUP BY ALL
),
ranked AS (
    SELECT
        *,
        row_number() OVER (
            ORDER BY organization IS NULL, bytes DESC, organization, attributable
        ) AS place
    FROM usage
)
SELECT
    CASE
        WHEN organization IS NULL THEN '(unknown)'
        WHEN place > $limit THEN '(others)'
        ELSE organization
    END AS organization,
    CASE
        WHEN attributable THEN 'organization'
        WHEN organization IS NOT NULL THEN 'provider'
        ELSE 'unknown'
    END AS attribution,
    sum(bytes)::BIGINT AS bytes,
    sum(bytes) / nullif(sum(sum(bytes)) OVER (), 0) AS share,
    coalesce(sum(requests), 0)::BIGINT AS requests,
    if(count(*) = 1, max(clients), NULL) AS clients,
    if(count(*) = 1, max(networks), NULL) AS networks,
    if(count(*) = 1, max(agents), NULL) AS agents,
    coalesce(sum(unmeasured), 0)::BIGINT AS unmeasured,
    nullif(array_to_string(list_sort(list_distinct(flatten(list(bases)))), '+'), '') AS basis
FROM ranked
GROUP BY ALL
ORDER BY min(place)
