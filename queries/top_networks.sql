-- Top networks
--
-- Which client networks received the most bytes, as the prefixes of the reference data
-- (`network`), with the `organization` that holds each and its `attribution` (see
-- top_organizations). What does not fit `limit` is folded into `(others)`, so that the shares add
-- up to 1.
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
        client_network AS network,
        organization,
        coalesce(attributable, false) AS attributable,
        sum(sent) AS bytes,
        sum(weight) FILTER (WHERE exchange_kind = 'http') AS requests,
        count(DISTINCT client_address) AS clients,
        sum(weight) FILTER (WHERE server_bytes IS NULL) AS unmeasured,
        list(DISTINCT server_bytes_basis) AS bases
    FROM weighed
    GROUP BY ALL
),
ranked AS (
    SELECT
        *,
        row_number() OVER (
            ORDER BY network IS NULL, bytes DESC, network, organization, attributable
        ) AS place
    FROM usage
)
SELECT
    CASE
        WHEN network IS NULL THEN '(unknown)'
        WHEN place > $limit THEN '(others)'
        ELSE network
    END AS network,
    if(network IS NULL OR place > $limit, NULL, organization) AS organization,
    CASE
        WHEN attributable THEN 'organization'
        WHEN organization IS NOT NULL THEN 'provider'
        ELSE 'unknown'
    END AS attribution,
    sum(bytes)::BIGINT AS bytes,
    sum(bytes) / nullif(sum(sum(bytes)) OVER (), 0) AS share,
    coalesce(sum(requests), 0)::BIGINT AS requests,
    if(count(*) = 1, max(clients), NULL) AS clients,
    coalesce(sum(unmeasured), 0)::BIGINT AS unmeasured,
    nullif(array_to_string(list_sort(list_distinct(flatten(list(bases)))), '+'), '') AS basis
FROM ranked
GROUP BY ALL
ORDER BY min(place)
