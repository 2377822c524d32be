-- Errors by path and agent
--
-- Which requests ended in a 4xx or 5xx `status`: for which `url_path`, asked by which
-- `agent_name`, most requests first. `request_share` is of all failed requests. What does not fit
-- `limit` is folded into `(others)`, so that the shares add up to 1.
--
-- Parameters:
-- since = null : timestamp : only records from this instant on (UTC)
-- until = null : timestamp : only records before this instant (UTC)
-- organization = null : string : only records of this organisation
-- ecosystem = null : string : only records of this ecosystem (purl type)
-- limit = 20 : int : rows that are named; the rest is folded into `(others)`; null names all
WITH weighed AS (
    SELECT *, server_bytes * weight AS sent
    FROM requests
    WHERE
        response_status_code >= 400
        AND ($since IS NULL OR ts >= $since) AND ($until IS NULL OR ts < $until)
        AND ($organization IS NULL OR organization = $organization)
        AND ($ecosystem IS NULL OR package_ecosystem = $ecosystem)
),
usage AS (
    SELECT
        response_status_code AS status,
        coalesce(url_path, '(unknown)') AS url_path,
        coalesce(agent_name, '(unknown)') AS agent_name,
        sum(weight) AS requests,
        sum(sent) AS bytes,
        count(DISTINCT client_address) AS clients,
        sum(weight) FILTER (WHERE server_bytes IS NULL) AS unmeasured,
        sum(sent) FILTER (WHERE attributable) AS attributed,
        list(DISTINCT server_bytes_basis) AS bases
    FROM weighed
    GROUP BY ALL
),
ranked AS (
    SELECT *, row_number() OVER (ORDER BY requests DESC, status, url_path, agent_name) AS place
    FROM usage
)
SELECT
    if(place > $limit, NULL, status) AS status,
    if(place > $limit, '(others)', url_path) AS url_path,
    if(place > $limit, NULL, agent_name) AS agent_name,
    sum(requests)::BIGINT AS requests,
    sum(requests) / nullif(sum(sum(requests)) OVER (), 0) AS request_share,
    sum(bytes)::BIGINT AS bytes,
    if(count(*) = 1, max(clients), NULL) AS clients,
    coalesce(sum(unmeasured), 0)::BIGINT AS unmeasured,
    1 - coalesce(sum(attributed), 0) / nullif(sum(bytes), 0) AS unattributed,
    nullif(array_to_string(list_sort(list_distinct(flatten(list(bases)))), '+'), '') AS basis
FROM ranked
GROUP BY ALL
ORDER BY min(place)
