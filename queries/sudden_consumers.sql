-- Sudden consumers
--
-- Days (`day`, UTC) on which an organisation took far more than it used to: `z` is how far the
-- day's `bytes` lie above the median of its `history` days before (`median_bytes`), in units of
-- their spread (`spread_bytes`: 1.4826 times the median absolute deviation, which is the standard
-- deviation where days vary as the normal law has it, and does not move with a few odd days; at
-- least a tenth of the median and `floor`). Days without requests count as zero from the
-- organisation's first day on; days of which the store has nothing from anyone are not counted.
-- With less than seven `days` of history there is no `z`: one that is new is shown on the first day
-- it takes `floor`, unless the store itself began less than seven days before. Rows of `threshold`
-- and more; most recent day first. `attribution` is as in top_organizations; who is unknown has no
-- history and is left out.
--
-- Parameters:
-- since = null : timestamp : only days from this instant on (UTC); history reaches further back
-- until = null : timestamp : only days before this instant (UTC)
-- history = 28 : int : days that a day is compared with
-- threshold = 6 : float : smallest `z` shown
-- floor = 1GB : bytes : a spread is at least so much, and so is what a new one took
-- limit = 50 : int : how many rows; null shows all
WITH days AS MATERIALIZED (
    SELECT
        organization, coalesce(attributable, false) AS attributable, day,
        coalesce(sum(server_bytes * weight), 0) AS bytes,
        sum(unmeasured_records * weight) AS unmeasured,
        string_agg(DISTINCT server_bytes_basis, '+' ORDER BY server_bytes_basis) AS basis
    FROM usage_daily
    WHERE day IS NOT NULL AND ($until IS NULL OR day < $until)
    GROUP BY ALL
),
taken AS (
    FROM days WHERE organization IS NOT NULL
),
spans AS (
    SELECT organization, attributable, min(day) AS first, max(day) AS last
    FROM taken
    GROUP BY ALL
    -- No row of less can be shown: of 10,000 organisations these are few.
    HAVING max(bytes) >= $floor * least($threshold, 1)
),
calendar AS (
    SELECT organization, attributable, day
    FROM spans
    JOIN (SELECT DISTINCT day FROM days) ON day BETWEEN first AND last
),
filled AS (
    SELECT organization, attributable, day, coalesce(bytes, 0) AS bytes, unmeasured, basis
    FROM calendar
    LEFT JOIN taken USING (organization, attributable, day)
),
placed AS (
    SELECT
        *,
        count(*) OVER past AS days, median(bytes) OVER past AS usual, mad(bytes) OVER past AS off,
        bool_or(bytes >= $floor) OVER past AS known
    FROM filled
    WINDOW past AS (
        PARTITION BY organization, attributable ORDER BY day
        RANGE BETWEEN to_days($history) PRECEDING AND INTERVAL 1 DAY PRECEDING
    )
),
scored AS (
    SELECT
        *,
        greatest(1.4826 * off, usual / 10, $floor) AS spread,
        if(days >= 7, (bytes - usual) / spread, NULL) AS z
    FROM placed
    WHERE bytes > 0 AND ($since IS NULL OR day >= $since)
)
SELECT
    day,
    organization,
    if(attributable, 'organization', 'provider') AS attribution,
    bytes::BIGINT AS bytes,
    z,
    if(days >= 7, usual, NULL)::BIGINT AS median_bytes,
    if(days >= 7, spread, NULL)::BIGINT AS spread_bytes,
    days,
    coalesce(unmeasured, 0)::BIGINT AS unmeasured,
    basis
FROM scored
WHERE
    z >= $threshold
    OR (
        days < 7 AND bytes >= $floor AND known IS NOT TRUE
        AND day >= (SELECT min(day) FROM days) + INTERVAL 7 DAY
    )
ORDER BY day DESC, z DESC NULLS LAST, bytes DESC, organization
LIMIT $limit
