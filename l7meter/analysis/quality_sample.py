"""The exchanges that are compared with each other: a sample by key, so that memory stays bounded.

The key is what two records of one exchange have in common whatever logged them: client, method, status
and path. All records of a key are taken, or none: shares of agreement are then those of all records but
for chance (Broder, "On the resemblance and containment of documents", 1997,
https://doi.org/10.1109/SEQUEN.1997.666900), and counts are multiplied by the stride.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import polars as pl

from l7meter.analysis.quality_ground import WINDOW, Ground
from l7meter.store import select

BUDGET = 1_000_000  # records compared: some 200 MB

_TABLE = """
CREATE OR REPLACE TEMP TABLE quality_exchanges AS
SELECT
    hash(client_address, request_method, response_status_code, coalesce(url_path, url_original)) AS key,
    number AS source,
    server_bytes_basis AS basis,
    epoch_us(ts) // 1000000 AS second,
    server_bytes AS bytes,
    server_address AS server,
    cache_hit,
    count(*) AS n,
    max(duration) AS duration,
    min(source_line) AS line
FROM requests
JOIN quality_sources USING (source_id)
WHERE
    ts IS NOT NULL AND client_address IS NOT NULL AND coalesce(url_path, url_original) IS NOT NULL
    AND hash(client_address, request_method, response_status_code, coalesce(url_path, url_original)) % $stride = 0
    AND """ + WINDOW + " GROUP BY ALL"  # fmt: skip
_SOURCES = """
CREATE OR REPLACE TEMP TABLE quality_sources AS
SELECT source_id, (row_number() OVER (ORDER BY snapshot_id, source_id))::INTEGER AS number
FROM sources
"""
_MULTI = """
CREATE OR REPLACE TEMP TABLE quality_seconds AS
SELECT key, source, any_value(basis) AS basis, second, bytes, sum(n)::BIGINT AS n, min(line) AS line
FROM quality_exchanges
GROUP BY key, source, second, bytes
"""


@dataclass(frozen=True)
class Sample:
    """The temporary tables `quality_exchanges` and `quality_seconds`, with the sources' names by number.

    One record in `stride` is in them, all of a key or none.
    """

    ground: Ground
    stride: int
    names: dict[int, tuple[str, str]]  # source_id and name by number

    def ask(self, sql: str, **parameters: object) -> pl.DataFrame:
        """The answer of a query over the tables."""
        return select(self.ground.connection, sql, parameters)

    @property
    def told(self) -> str:
        """How the counts were come by, where they are estimates."""
        return "" if self.stride == 1 else f" (estimated from 1 key in {self.stride:,})"


@contextmanager
def sampled(ground: Ground, budget: int = BUDGET) -> Iterator[Sample]:
    """The tables for as long as the block lasts."""
    stride = max(1, -(-ground.records // budget))
    connection = ground.connection
    try:
        connection.execute(_SOURCES)
        connection.execute(_TABLE, {**ground.period, "stride": stride})
        connection.execute(_MULTI)
        rows = select(connection, "FROM quality_sources").join(
            select(connection, "SELECT source_id, name FROM sources"), on="source_id"
        )
        yield Sample(ground, stride, {n: (i, name) for i, n, name in rows.iter_rows()})
    finally:
        for table in ("quality_exchanges", "quality_seconds", "quality_sources"):
            connection.execute(f"DROP TABLE IF EXISTS {table}")
