-- Quality of the data
--
-- What became of every line (or packet) of every `source`, by `format`, from the ledger: `outcome`
-- is `record`, `record, unmeasured` (the source gave no byte count), `reject` or `skip` (comments,
-- headers), each with its `reason`. `lines` counts them, `share` is of the source's lines, and
-- `problem` says what was wrong with the source as a whole. The sources with the most rejected and
-- unmeasured lines come first; what does not fit `limit` is folded into `(others)`, so that the
-- lines add up.
--
-- Parameters:
-- limit = 20 : int : sources that are named; the rest is folded into `(others)`; null names all
WITH ranked AS (
    SELECT
        *,
        row_number() OVER (
            ORDER BY problem IS NULL, rejects + unmeasured_records DESC, lines DESC, name, source_id
        ) AS place
    FROM sources
),
reasons AS (
    SELECT place, 3 AS part, 'reject' AS outcome, rejects_by_reason AS counts FROM ranked
    UNION ALL
    SELECT place, 4, 'skip', skipped_by_reason FROM ranked
),
counted AS (
    SELECT place, part, outcome, unnest(map_entries(counts::JSON::MAP(VARCHAR, BIGINT))) AS entry
    FROM reasons
),
outcomes AS (
    SELECT
        place, 1 AS part, 'record' AS outcome, NULL AS reason,
        records - unmeasured_records AS lines
    FROM ranked
    UNION ALL
    SELECT place, 2, 'record, unmeasured', NULL, unmeasured_records FROM ranked
    UNION ALL
    SELECT place, part, outcome, entry.key, entry.value FROM counted
),
labelled AS (
    SELECT
        if(place > $limit, '(others)', name) AS source,
        if(place > $limit, NULL, source_id) AS source_id,
        if(place > $limit, NULL, format) AS format,
        outcomes.*,
        if(place > $limit, NULL, problem) AS problem
    FROM outcomes
    JOIN ranked USING (place)
)
SELECT
    source,
    format,
    outcome,
    reason,
    sum(labelled.lines)::BIGINT AS lines,
    sum(labelled.lines)
        / nullif(sum(sum(labelled.lines)) OVER (PARTITION BY source, source_id), 0) AS share,
    problem
FROM labelled
GROUP BY source, source_id, format, outcome, part, reason, problem
HAVING sum(labelled.lines) > 0 OR (outcome = 'record' AND problem IS NOT NULL)
ORDER BY min(place), part, reason
