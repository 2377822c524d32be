-- Top organisations
--
-- Who received the most bytes, and how sure that is. `attribution` says what a name stands for:
-- `organization` is the user itself; `provider` holds the network (a cloud, an access network),
-- and who used it is not known; `unknown` is neither. What does not fit `limit` is folded into
-- `(others)`, so that the shares add up to 1. How many clients each has: `organization_clients`.
--
-- Parameters:
-- since = null : timestamp : only records from this instant on (UTC)
-- until = null : timestamp : only records before this instant (UTC)
-- ecosystem = null : string : only records of this ecosystem (purl type)
-- limit = 20 : int : rows that are named; the rest is folded into `(others)`; null names all
WITH grouped AS (
    -- Few values a column, no arithmetic per row: twice a bare sum by organisation (make bench).
    SELECT
        organization,
        coalesce(attributable, false) AS attributable,
        server_bytes_basis AS basis,
        exchange_kind,
        weight,
        sum(server_bytes) AS sent,
        sum(records) AS records,
        sum(unmeasured_records) AS unmeasured_records
    FROM usage_by_hour($since, $until)
    WHERE $ecosystem IS NULL OR package_ecosystem = $ecosystem
    GROUP BY ALL
),
users AS (
    SELECT
        organization,
        attributable,
        sum(sent * weight) AS bytes,
        sum(records * weight) FILTER (WHERE exchange_kind = 'http') AS requests,
        sum(unmeasured_records * weight) AS unmeasured,
        list(DISTINCT basis) AS bases
    FROM grouped
    GROUP BY ALL
),
ranked AS (
    SELECT
        *,
        row_number() OVER (
            ORDER BY organization IS NULL, bytes DESC, organization, attributable
        ) AS place
    FROM users
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
    coalesce(sum(unmeasured), 0)::BIGINT AS unmeasured,
    nullif(array_to_string(list_sort(list_distinct(flatten(list(bases)))), '+'), '') AS basis
FROM ranked
GROUP BY ALL
ORDER BY min(place)
