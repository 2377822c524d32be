-- Concentration
--
-- How unevenly the bytes are spread over client addresses and over organisations (`population`):
-- `members` counts them, `top_members` is the largest `top` part of them (rounded up), `top_share`
-- is what these `top_bytes` make of the population's `bytes`. `gini` is 0 where all receive the
-- same and nears 1 where one receives all. `share` is what the population makes of all bytes: only
-- bytes with a known user count for organisations.
--
-- Parameters:
-- since = null : timestamp : only records from this instant on (UTC)
-- until = null : timestamp : only records before this instant (UTC)
-- ecosystem = null : string : only records of this ecosystem (purl type)
-- top = 0.01 : float : which part of the members counts as the top (0 to 1)
WITH weighed AS (
    SELECT *, coalesce(sample_weight, 1) AS weight, server_bytes * weight AS sent
    FROM records
    WHERE
        ($since IS NULL OR ts >= $since) AND ($until IS NULL OR ts < $until)
        AND ($ecosystem IS NULL OR package_ecosystem = $ecosystem)
),
usage AS (
    SELECT
        client_address,
        if(attributable, organization, NULL) AS organization,
        sum(sent) AS bytes,
        sum(weight) FILTER (WHERE server_bytes IS NULL) AS unmeasured,
        list(DISTINCT server_bytes_basis) AS bases
    FROM weighed
    GROUP BY ALL
),
everyone AS (
    SELECT 'addresses' AS population, client_address AS member, coalesce(sum(bytes), 0) AS received
    FROM usage
    WHERE client_address IS NOT NULL
    GROUP BY ALL
    UNION ALL
    SELECT 'organizations', organization, coalesce(sum(bytes), 0)
    FROM usage
    WHERE organization IS NOT NULL
    GROUP BY ALL
),
ordered AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY population ORDER BY received, member) AS place,
        count(*) OVER (PARTITION BY population) AS members,
        -- round() first: 100 * 0.07 is a little more than 7.
        least(ceil(round(members * $top, 6)), members)::BIGINT AS top_members
    FROM everyone
),
total AS (
    SELECT
        sum(bytes) AS all_bytes,
        coalesce(sum(unmeasured), 0)::BIGINT AS unmeasured,
        nullif(array_to_string(list_sort(list_distinct(flatten(list(bases)))), '+'), '') AS basis
    FROM usage
)
SELECT
    population,
    members,
    sum(received)::BIGINT AS bytes,
    sum(received) / nullif(all_bytes, 0) AS share,
    top_members,
    coalesce(sum(received) FILTER (WHERE place > members - top_members), 0)::BIGINT AS top_bytes,
    top_bytes / nullif(sum(received), 0) AS top_share,
    -- Gini's mean difference over members in ascending order.
    2 * sum(place * received) / nullif(members * sum(received), 0)
        - (members + 1) / members AS gini,
    unmeasured,
    basis
FROM ordered, total
GROUP BY population, members, top_members, all_bytes, unmeasured, basis
ORDER BY population
