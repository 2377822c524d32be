-- What the bytes count
--
-- What was measured how: `basis` says what the octets count (`message`: start line, fields and
-- content; `content`: content alone; `declared`: the announced Content-Length; `wire`: all IP
-- packets; `tls`: application data of a connection that cannot be opened), by the `format` of the
-- source and the `exchange_kind`. `records` counts rows as stored, not weighted. Bytes of two
-- bases are not the same measure: compare the rows, do not add them. `(unmeasured)` are the
-- records whose source gives no byte count.
--
-- Parameters:
-- since = null : timestamp : only records from this instant on (UTC)
-- until = null : timestamp : only records before this instant (UTC)
-- organization = null : string : only records of this organisation
-- ecosystem = null : string : only records of this ecosystem (purl type)
WITH weighed AS (
    SELECT *, coalesce(sample_weight, 1) AS weight, server_bytes * weight AS sent
    FROM records
    WHERE
        ($since IS NULL OR ts >= $since) AND ($until IS NULL OR ts < $until)
        AND ($organization IS NULL OR organization = $organization)
        AND ($ecosystem IS NULL OR package_ecosystem = $ecosystem)
),
-- The sources are joined to the sums, not to the records: thousands of rows, not billions.
by_source AS (
    SELECT
        source_id,
        if(server_bytes IS NULL, '(unmeasured)', server_bytes_basis) AS basis,
        exchange_kind,
        sum(sent) AS bytes,
        sum(weight) FILTER (WHERE exchange_kind = 'http') AS requests,
        count(*) AS records,
        sum(weight) FILTER (WHERE server_bytes IS NULL) AS unmeasured,
        sum(sent) FILTER (WHERE attributable) AS attributed
    FROM weighed
    GROUP BY ALL
)
SELECT
    basis,
    coalesce(format, '(unknown)') AS format,
    exchange_kind,
    sum(bytes)::BIGINT AS bytes,
    sum(bytes) / nullif(sum(sum(bytes)) OVER (), 0) AS share,
    coalesce(sum(requests), 0)::BIGINT AS requests,
    sum(by_source.records)::BIGINT AS records,
    coalesce(sum(unmeasured), 0)::BIGINT AS unmeasured,
    1 - coalesce(sum(attributed), 0) / nullif(sum(bytes), 0) AS unattributed
FROM by_source
LEFT JOIN sources USING (source_id)
GROUP BY ALL
ORDER BY bytes DESC, basis, format, exchange_kind
