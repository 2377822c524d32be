-- Cold starts
--
-- Work that begins with nothing kept: a session is the downloads of one agent at one address with
-- no pause longer than `gap`; it is a cold start if its first artifact was fetched before by the
-- same organisation (or, among a provider's tenants and where it is unknown, by the same address).
-- By what is known of CI (`ci` as in ci_share): `sessions`, how many begin on a day that has any
-- (`sessions_per_day`), `cold_starts` and `cold_share` of them, `bytes` and `downloads`,
-- `repeated_bytes` of artifacts that were fetched before, their part `repeated_share` of the
-- `bytes`, and `bytes_per_session`. Before means at an earlier instant: where a log has whole
-- seconds, what comes in the same second was not there, and of several artifacts that come first
-- in one second all must have been. What was fetched before the period is not known. Downloads
-- without a time or an address belong to no session and are left out.
--
-- Parameters:
-- since = null : timestamp : only records from this instant on (UTC)
-- until = null : timestamp : only records before this instant (UTC)
-- gap = 30m : duration : the pause that ends a session
-- organization = null : string : only records of this organisation
-- ecosystem = null : string : only records of this ecosystem (purl type)
WITH deliveries AS (
    SELECT
        ts, server_bytes, server_bytes_basis,
        coalesce(sample_weight, 1) AS weight,
        hash(client_address, agent_name, agent_version) AS worker,
        CASE
            WHEN agent_ci OR agent_kind = 'ci' OR network_kind = 'ci' THEN 'yes'
            WHEN NOT agent_ci THEN 'no'
            ELSE '(not said)'
        END AS ci,
        ts > min(ts) OVER (
            PARTITION BY hash(
                attributable IS TRUE, if(attributable, organization, client_address),
                server_address, url_path
            )
        ) AS repeated
    FROM records
    WHERE
        is_download AND ts IS NOT NULL AND client_address IS NOT NULL
        AND ($since IS NULL OR ts >= $since) AND ($until IS NULL OR ts < $until)
        AND ($organization IS NULL OR organization = $organization)
        AND ($ecosystem IS NULL OR package_ecosystem = $ecosystem)
),
placed AS (
    SELECT
        *,
        coalesce(
            ts - lag(ts) OVER (PARTITION BY worker, ci ORDER BY ts, repeated) > $gap,
            true
        ) AS begins
    FROM deliveries
)
SELECT
    ci,
    count(*) FILTER (WHERE begins) AS sessions,
    count(*) FILTER (WHERE begins)
        / count(DISTINCT ts::DATE) FILTER (WHERE begins) AS sessions_per_day,
    count(*) FILTER (WHERE begins AND repeated) AS cold_starts,
    count(*) FILTER (WHERE begins AND repeated) / count(*) FILTER (WHERE begins) AS cold_share,
    sum(weight)::BIGINT AS downloads,
    sum(server_bytes * weight)::BIGINT AS bytes,
    coalesce(sum(server_bytes * weight) FILTER (WHERE repeated), 0)::BIGINT AS repeated_bytes,
    coalesce(sum(server_bytes * weight) FILTER (WHERE repeated), 0)
        / nullif(sum(server_bytes * weight), 0) AS repeated_share,
    sum(server_bytes * weight) / count(*) FILTER (WHERE begins) AS bytes_per_session,
    coalesce(sum(weight) FILTER (WHERE server_bytes IS NULL), 0)::BIGINT AS unmeasured,
    string_agg(DISTINCT server_bytes_basis, '+' ORDER BY server_bytes_basis) AS basis
FROM placed
GROUP BY ci
ORDER BY bytes DESC, ci
