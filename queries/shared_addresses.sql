-- Addresses that many share
--
-- Which addresses behave as if many machines stood behind them: on one day, `agents` or more
-- different User-Agent fields of package clients from the one address, or `platforms` or more
-- different platforms (system, architecture, runtime version) that structured agents tell. A
-- carrier's address translation, a company's proxy or a shared build service does that; one
-- machine hardly ever. It is a sign and no proof: the thresholds are parameters, and `shared_egress` says
-- where a list or the address itself tells. `days` says on how many days it did, `bytes` are those of the busiest one.
--
-- Parameters:
-- since = null : timestamp : only records from this instant on (UTC)
-- until = null : timestamp : only records before this instant (UTC)
-- agents = 10 : int : different agents of package clients on one day that make an address shared
-- platforms = 5 : int : different platforms on one day that make an address shared
-- limit = 20 : int : rows that are shown; null shows all
WITH daily AS (
    SELECT
        client_address,
        day,
        any_value(organization) AS organization,
        any_value(network_kind) AS network_kind,
        any_value(shared_egress) AS shared_egress,
        count(DISTINCT user_agent_original) FILTER (
            WHERE agent_kind IN ('package-manager', 'os-package-manager', 'container')
        ) AS agents,
        count(DISTINCT (
            agent_details.os_name,
            agent_details.os_version,
            agent_details.distribution_name,
            agent_details.distribution_version,
            agent_details.cpu_architecture,
            agent_details.language_version,
            agent_details.runtime_version
        )) FILTER (WHERE agent_details IS NOT NULL) AS platforms,
        sum(server_bytes * weight) AS bytes,
        sum(weight) AS requests,
        sum(weight) FILTER (WHERE server_bytes IS NULL) AS unmeasured,
        list(DISTINCT server_bytes_basis) AS bases
    FROM requests
    WHERE
        ($since IS NULL OR ts >= $since) AND ($until IS NULL OR ts < $until)
        AND client_address IS NOT NULL
    GROUP BY client_address, day
),
shared AS (
    SELECT *, count(*) OVER (PARTITION BY client_address) AS days
    FROM daily
    WHERE agents >= $agents OR platforms >= $platforms
    QUALIFY row_number() OVER (PARTITION BY client_address ORDER BY bytes DESC, day) = 1
)
SELECT
    client_address,
    organization,
    network_kind,
    shared_egress,
    agents,
    platforms,
    days,
    bytes::BIGINT AS bytes,
    requests::BIGINT AS requests,
    coalesce(unmeasured, 0)::BIGINT AS unmeasured,
    nullif(array_to_string(list_sort(bases), '+'), '') AS basis
FROM shared
ORDER BY bytes DESC NULLS LAST, client_address
LIMIT $limit
