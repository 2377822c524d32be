-- Top autonomous systems
--
-- Which autonomous systems received the most bytes: `as_name` as registered, and the number `asn`.
-- A network that is not in the reference data is `(unknown)`. What does not fit `limit` is folded
-- into `(others)`, so that the shares add up to 1.
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
        coalesce(client_as_name, 'AS' || client_asn) AS as_name,
        client_asn AS asn,
        sum(sent) AS bytes,
        sum(weight) FILTER (WHERE exchange_kind = 'http') AS requests,
        count(DISTINCT client_address) AS clients,
        sum(weight) FILTER (WHERE server_bytes IS NULL) AS unmeasured,
        sum(sent) FILTER (WHERE attributable) AS attributed,
        list(DISTINCT server_bytes_basis) AS bases
    FROM weighed
    GROUP BY ALL
),
ranked AS (
    SELECT *, row_number() OVER (ORDER BY as_name IS NULL, bytes DESC, as_name, asn) AS place
    FROM usage
)
SELECT
    CASE
        WHEN as_name IS NULL THEN '(unknown)'
        WHEN place > $limit THEN '(others)'
        ELSE as_name
    END AS as_name,
    if(as_name IS NULL OR place > $limit, NULL, asn) AS asn,
    sum(bytes)::BIGINT AS bytes,
    sum(bytes) / nullif(sum(sum(bytes)) OVER (), 0) AS share,
    coalesce(sum(requests), 0)::BIGINT AS requests,
    if(count(*) = 1, max(clients), NULL) AS clients,
    coalesce(sum(unmeasured), 0)::BIGINT AS unmeasured,
    1 - coalesce(sum(attributed), 0) / nullif(sum(bytes), 0) AS unattributed,
    nullif(array_to_string(list_sort(list_distinct(flatten(list(bases)))), '+'), '') AS basis
FROM ranked
GROUP BY ALL
ORDER BY min(place)
