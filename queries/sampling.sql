-- How sure the sums are
--
-- Bytes and requests by organisation with the errors that come from sampled logs, where a record
-- of weight w stands for w exchanges. `bytes_standard_error` and `requests_standard_error` are the
-- roots of sum(w (w - 1) x²) (Horvitz and Thompson, 1952); they are 0 where nothing was sampled.
-- `bytes_relative_error` is over the bytes; the true figure lies within two standard errors 95
-- times of 100, unless few sampled records make the sum: `effective_records` below 30 says so.
-- `sampled` is the share of the records that have a weight above 1. What does not fit `limit` is
-- folded into `(others)`.
--
-- Parameters:
-- since = null : timestamp : only records from this instant on (UTC)
-- until = null : timestamp : only records before this instant (UTC)
-- limit = 20 : int : rows that are named; the rest is folded into `(others)`; null names all
WITH grouped AS (
    SELECT
        organization,
        server_bytes_basis AS basis,
        exchange_kind,
        weight,
        sum(server_bytes) AS sent,
        -- Kept of sampled records only: the others have no part in an error.
        if(sent IS NULL, NULL, coalesce(sum(squared_bytes), 0)) AS squares,
        sum(records) AS records,
        sum(unmeasured_records) AS unmeasured_records
    FROM usage_by_hour($since, $until)
    GROUP BY ALL
),
users AS (
    SELECT
        organization,
        sum(sent * weight) AS bytes,
        sum(weight * (weight - 1) * squares) AS bytes_variance,
        sum(weight * sent) FILTER (WHERE weight > 1) AS sampled_bytes,
        sum(weight ** 2 * squares) FILTER (WHERE weight > 1) AS sampled_squares,
        sum(records * weight) FILTER (WHERE exchange_kind = 'http') AS requests,
        sum(weight * (weight - 1) * records) FILTER (WHERE exchange_kind = 'http') AS requests_variance,
        sum(records) AS records,
        sum(records) FILTER (WHERE weight > 1) AS weighted,
        sum(unmeasured_records * weight) AS unmeasured,
        list(DISTINCT basis) AS bases
    FROM grouped
    GROUP BY ALL
),
ranked AS (
    SELECT
        *,
        row_number() OVER (ORDER BY organization IS NULL, bytes DESC, organization) AS place
    FROM users
)
SELECT
    CASE
        WHEN organization IS NULL THEN '(unknown)'
        WHEN place > $limit THEN '(others)'
        ELSE organization
    END AS organization,
    sum(bytes)::BIGINT AS bytes,
    sqrt(sum(bytes_variance)) AS bytes_standard_error,
    sqrt(sum(bytes_variance)) / nullif(sum(bytes), 0) AS bytes_relative_error,
    sum(bytes) / nullif(sum(sum(bytes)) OVER (), 0) AS share,
    coalesce(sum(requests), 0)::BIGINT AS requests,
    coalesce(sqrt(sum(requests_variance)), 0) AS requests_standard_error,
    coalesce(sum(weighted), 0) / sum(records) AS sampled,
    sum(sampled_bytes) ** 2 / nullif(sum(sampled_squares), 0) AS effective_records,
    coalesce(sum(unmeasured), 0)::BIGINT AS unmeasured,
    nullif(array_to_string(list_sort(list_distinct(flatten(list(bases)))), '+'), '') AS basis
FROM ranked
GROUP BY ALL
ORDER BY min(place)
