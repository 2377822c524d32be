-- Redundancy index
--
-- How often the same artifact was fetched: `redundancy_index` is `downloads` divided by distinct
-- `artifacts` of the period, 1 where nothing came twice. An artifact is a path on a host, delivered
-- complete; who fetches is the organisation, among a provider's tenants (and where the organisation
-- is unknown) the address, as in redundant_downloads; without an address nothing is known to come
-- twice. `repeated_bytes` are those of all deliveries but each one's first in the period,
-- `repeated_share` their part of the downloads' `bytes` (all bytes are 1 / (1 - `repeated_share`)
-- times the distinct ones), and `median_gap` the median time in seconds from one delivery of an
-- artifact to the next. Sampled sources show fewer repetitions than there were; there each artifact
-- counts its first delivery's sample weight. `attribution` is as in top_organizations. Most
-- repeated bytes first; what does not fit `limit` is folded into `(others)`, without a median.
--
-- Parameters:
-- since = null : timestamp : only records from this instant on (UTC)
-- until = null : timestamp : only records before this instant (UTC)
-- ecosystem = null : string : only records of this ecosystem (purl type)
-- limit = 20 : int : rows that are named; the rest is folded into `(others)`; null names all
WITH deliveries AS (
    SELECT
        organization, coalesce(attributable, false) AS attributable, ts, server_bytes_basis,
        server_bytes, coalesce(sample_weight, 1) AS weight,
        if(attributable, organization, client_address) AS fetcher,
        fetcher IS NOT NULL AND row_number() OVER fetches > 1 AS repeated,
        if(repeated, ts - lag(ts) OVER fetches, NULL) AS gap
    FROM records
    WHERE
        is_download AND ($since IS NULL OR ts >= $since) AND ($until IS NULL OR ts < $until)
        AND ($ecosystem IS NULL OR package_ecosystem = $ecosystem)
    WINDOW fetches AS (
        PARTITION BY hash(
            attributable IS TRUE, organization, if(attributable, NULL, client_address),
            server_address, url_path
        )
        ORDER BY ts, server_bytes, sample_weight
    )
),
users AS (
    SELECT
        organization, attributable,
        sum(weight) AS downloads,
        sum(weight) FILTER (WHERE NOT repeated) AS artifacts,
        sum(server_bytes * weight) AS bytes,
        sum(server_bytes * weight) FILTER (WHERE repeated) AS repeated_bytes,
        median(epoch(gap)) AS median_gap,
        sum(weight) FILTER (WHERE server_bytes IS NULL) AS unmeasured,
        list(DISTINCT server_bytes_basis) AS bases
    FROM deliveries
    GROUP BY ALL
),
ranked AS (
    SELECT
        *,
        row_number() OVER (
            ORDER BY
                organization IS NULL, repeated_bytes DESC, bytes DESC, organization, attributable
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
    sum(downloads)::BIGINT AS downloads,
    sum(artifacts)::BIGINT AS artifacts,
    sum(downloads) / sum(artifacts) AS redundancy_index,
    sum(bytes)::BIGINT AS bytes,
    coalesce(sum(repeated_bytes), 0)::BIGINT AS repeated_bytes,
    coalesce(sum(repeated_bytes), 0) / nullif(sum(bytes), 0) AS repeated_share,
    if(count(*) = 1, any_value(median_gap), NULL) AS median_gap,
    coalesce(sum(unmeasured), 0)::BIGINT AS unmeasured,
    nullif(array_to_string(list_sort(list_distinct(flatten(list(bases)))), '+'), '') AS basis
FROM ranked
GROUP BY ALL
ORDER BY min(place)
