-- Week on week
--
-- The last seven whole days beside the seven before: `bytes` and `previous_bytes` of each `name`,
-- `change` between them (0.5: half as much again; empty where there were none), and `usual_bytes`,
-- the median of the four weeks before the last one. Only weeks compare whose records are of as many
-- days as those of the last one: `weeks` says how many of the four do, and where the week before
-- does not, `change` is empty. Days end at midnight (UTC); the last whole day is the one before the
-- store's last, or before `until`. Records without a time are left out. `by` says whose names:
-- `organization`, `agent`, `agent_kind`, `network_kind`, `asn` or `ecosystem`. Largest change in
-- bytes first, up or down.
--
-- Parameters:
-- until = null : timestamp : the midnight (UTC) that ends the last week
-- by = organization : string : organization, agent, agent_kind, network_kind, asn or ecosystem
-- limit = 20 : int : how many names; null names all
WITH ends AS (
    SELECT coalesce($until::TIMESTAMPTZ::DATE, max(day)) AS last FROM usage_daily
),
summed AS (
    SELECT
        coalesce(CASE $by
            WHEN 'organization' THEN organization
            WHEN 'agent' THEN agent_name
            WHEN 'agent_kind' THEN agent_kind
            WHEN 'network_kind' THEN network_kind
            WHEN 'asn' THEN 'AS' || client_asn
            WHEN 'ecosystem' THEN package_ecosystem
            ELSE error(
                $by || ' is none of organization, agent, agent_kind, network_kind, asn, ecosystem'
            )
        END, '(unknown)') AS name,
        day,
        (last - day - 1) // 7 AS ago,
        server_bytes * weight AS sent, unmeasured_records * weight AS unmeasured, server_bytes_basis
    FROM usage_daily, ends
    WHERE day < last AND day >= last - 35
),
whole AS (
    SELECT ago, count(DISTINCT day) AS days FROM summed GROUP BY ago
),
alike AS (
    SELECT ago FROM whole WHERE days = (SELECT days FROM whole WHERE ago = 0)
),
there AS (
    SELECT
        count(*) FILTER (WHERE ago > 0) AS weeks,
        coalesce(bool_or(ago = 1), false) AS previous_alike
    FROM alike
),
weeks AS (
    SELECT name, ago, sum(sent) AS bytes, ago IN (FROM alike) AS is_alike FROM summed GROUP BY ALL
),
names AS (
    SELECT
        name,
        coalesce(sum(bytes) FILTER (WHERE ago = 1), 0) AS previous_bytes,
        coalesce(sum(bytes) FILTER (WHERE ago = 0), 0) AS bytes,
        -- A week without this name, but with others, is a week of nothing.
        list_median(list_resize(
            coalesce(list(bytes) FILTER (WHERE ago > 0 AND is_alike), []),
            any_value(weeks), 0::DOUBLE
        )) AS usual_bytes,
        any_value(weeks) AS weeks,
        any_value(previous_alike) AS previous_alike
    FROM weeks, there
    GROUP BY name
)
SELECT
    names.name,
    any_value(previous_bytes)::BIGINT AS previous_bytes,
    any_value(names.bytes)::BIGINT AS bytes,
    any_value(if(previous_alike, names.bytes / nullif(previous_bytes, 0) - 1, NULL)) AS change,
    any_value(usual_bytes)::BIGINT AS usual_bytes,
    any_value(weeks) AS weeks,
    sum(unmeasured)::BIGINT AS unmeasured,
    string_agg(DISTINCT server_bytes_basis, '+' ORDER BY server_bytes_basis) AS basis
FROM names
JOIN summed ON names.name = summed.name
GROUP BY names.name
ORDER BY abs(any_value(names.bytes - previous_bytes)) DESC, names.name
LIMIT $limit
