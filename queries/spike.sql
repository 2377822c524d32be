-- What a spike was
--
-- What makes the difference between a period and the one of the same length before it: for each
-- `dimension` (organization, agent, network_kind, ecosystem, package, artifact, status) the `name`s
-- whose `bytes` differ most from their `previous_bytes`. A package is named with its ecosystem
-- (`npm/left-pad`), an artifact is a path with its host. `difference_bytes` is what they add, or
-- take away if below zero, and `contribution` that as a part of the difference of all, 1 for the
-- whole of it (it has the other sign where a name goes against the trend, and is empty where
-- nothing changed). Without `since` the period is the last day of the store; records without a
-- time are in neither. Largest first.
--
-- Parameters:
-- since = null : timestamp : start of the period (UTC)
-- until = null : timestamp : end of the period, not included (UTC)
-- limit = 5 : int : names of each dimension; null names all
WITH period AS (
    SELECT
        coalesce($until, max(ts) + INTERVAL 1 MICROSECOND) AS ending,
        coalesce($since, date_trunc('day', ending - INTERVAL 1 MICROSECOND)) AS begins,
        begins - (ending - begins) AS before
    FROM records
    HAVING count(*) > 0
),
sent AS (
    SELECT
        coalesce(organization, '(unknown)') AS organization,
        coalesce(agent_name, '(unknown)') AS agent,
        coalesce(network_kind, '(unknown)') AS network_kind,
        coalesce(package_ecosystem, '(unknown)') AS ecosystem,
        coalesce(package_ecosystem || '/', '') || coalesce(package_name, '(unknown)') AS package,
        coalesce(server_address, '') || coalesce(url_path, '(not said)') AS artifact,
        coalesce(response_status_code::VARCHAR, '(not said)') AS status,
        server_bytes_basis,
        sum(server_bytes * weight) FILTER (WHERE ts < begins) AS previous_bytes,
        sum(server_bytes * weight) FILTER (WHERE ts >= begins) AS bytes,
        sum(weight) FILTER (WHERE server_bytes IS NULL) AS unmeasured
    FROM (SELECT *, coalesce(sample_weight, 1) AS weight FROM records), period
    WHERE ts >= before AND ts < ending
    -- Each by itself: 10 M records take half the time of one grouping by all of them.
    GROUP BY GROUPING SETS (
        (1, server_bytes_basis), (2, server_bytes_basis), (3, server_bytes_basis),
        (4, server_bytes_basis), (5, server_bytes_basis), (6, server_bytes_basis),
        (7, server_bytes_basis)
    )
),
named AS (
    -- leaves out what is null: the six that a row does not group by
    UNPIVOT sent ON organization, agent, network_kind, ecosystem, package, artifact, status
    INTO NAME dimension VALUE name
),
summed AS (
    SELECT
        dimension, name,
        coalesce(sum(previous_bytes), 0) AS previous_bytes,
        coalesce(sum(bytes), 0) AS bytes,
        sum(unmeasured) AS unmeasured,
        list(server_bytes_basis) AS bases
    FROM named
    GROUP BY dimension, name
),
ranked AS (
    SELECT
        *,
        bytes - previous_bytes AS difference,
        sum(difference) OVER (PARTITION BY dimension) AS whole,
        row_number() OVER (PARTITION BY dimension ORDER BY abs(difference) DESC, name) AS place
    FROM summed
)
SELECT
    dimension,
    name,
    previous_bytes::BIGINT AS previous_bytes,
    bytes::BIGINT AS bytes,
    difference::BIGINT AS difference_bytes,
    difference / nullif(whole, 0) AS contribution,
    coalesce(unmeasured, 0)::BIGINT AS unmeasured,
    nullif(array_to_string(list_sort(bases), '+'), '') AS basis
FROM ranked
WHERE place <= coalesce($limit, place)
ORDER BY
    list_position(
        ['organization', 'agent', 'network_kind', 'ecosystem', 'package', 'artifact', 'status'],
        dimension
    ),
    place
