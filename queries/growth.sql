-- Growth by organisation
--
-- How the bytes of a period compare with the period of the same length before it (`previous_bytes`,
-- `previous_requests`), per organisation. `change` is what that adds, as a part of the bytes before
-- (0.5: half as much again), empty where there were none. Without `until` the period ends with the
-- last day of the store (UTC); without `since` it is `length` long. What is counted back from that
-- last day begins with a whole hour. `attribution` is as in top_organizations; `unmeasured` and
-- `basis` are of both periods, and only bytes of one basis compare. What does not fit `limit` is
-- folded into `(others)`.
--
-- Parameters:
-- since = null : timestamp : start of the period (UTC)
-- until = null : timestamp : end of the period, not included (UTC)
-- length = 30d : duration : length of the period where `since` is not given
-- ecosystem = null : string : only records of this ecosystem (purl type)
-- limit = 20 : int : rows that are named; the rest is folded into `(others)`; null names all
WITH last_day AS (
    SELECT max(date_trunc('day', hour)) + INTERVAL 1 DAY AS until
    FROM usage_hourly
    WHERE $until IS NULL
),
period AS (
    SELECT
        coalesce(
            $since, $until::TIMESTAMPTZ - $length, date_trunc('hour', until - $length)
        ) AS since,
        date_trunc('hour', since - (coalesce($until, until) - since)) AS previous
    FROM last_day
),
-- Bounds that are known without a look at the data are said as such: a third of the time.
summed AS (
    SELECT sums.*, hour >= date_trunc('hour', since) AS is_current
    FROM usage_by_hour(coalesce($since, $until::TIMESTAMPTZ - $length), $until) AS sums, period
    WHERE hour >= previous
    UNION ALL BY NAME
    SELECT sums.*, false AS is_current
    FROM
        usage_by_hour(
            coalesce(
                $since::TIMESTAMPTZ - ($until::TIMESTAMPTZ - $since::TIMESTAMPTZ),
                $until::TIMESTAMPTZ - 2 * $length
            ),
            coalesce($since, $until::TIMESTAMPTZ - $length)
        ) AS sums,
        period
    WHERE coalesce($since, $until) IS NOT NULL AND hour >= previous
),
users AS (
    SELECT
        organization,
        coalesce(attributable, false) AS attributable,
        sum(server_bytes * weight) FILTER (WHERE NOT is_current) AS previous_bytes,
        sum(server_bytes * weight) FILTER (WHERE is_current) AS bytes,
        sum(records * weight)
            FILTER (WHERE exchange_kind = 'http' AND NOT is_current) AS previous_requests,
        sum(records * weight) FILTER (WHERE exchange_kind = 'http' AND is_current) AS requests,
        sum(unmeasured_records * weight) AS unmeasured,
        list(DISTINCT server_bytes_basis) AS bases
    FROM summed
    WHERE $ecosystem IS NULL OR package_ecosystem = $ecosystem
    GROUP BY ALL
),
ranked AS (
    SELECT
        *,
        -- One that stopped altogether ranks by what it used to receive.
        row_number() OVER (
            ORDER BY
                organization IS NULL, greatest(bytes, previous_bytes) DESC,
                organization, attributable
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
    sum(previous_bytes)::BIGINT AS previous_bytes,
    sum(bytes)::BIGINT AS bytes,
    sum(bytes) / nullif(sum(previous_bytes), 0) - 1 AS change,
    sum(bytes) / nullif(sum(sum(bytes)) OVER (), 0) AS share,
    coalesce(sum(previous_requests), 0)::BIGINT AS previous_requests,
    coalesce(sum(requests), 0)::BIGINT AS requests,
    coalesce(sum(unmeasured), 0)::BIGINT AS unmeasured,
    nullif(array_to_string(list_sort(list_distinct(flatten(list(bases)))), '+'), '') AS basis
FROM ranked
GROUP BY ALL
ORDER BY min(place)
