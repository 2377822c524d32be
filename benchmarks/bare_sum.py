"""The floor of a question: DuckDB's bare `sum` and `count` by organisation over the same Parquet.

`python -m benchmarks.bare_sum STORE` prints the sums of what it found as JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import duckdb


def main(store: str) -> None:
    files = str(Path(store) / "data" / "records" / "*.parquet")
    rows = duckdb.execute(
        """
        SELECT organization, sum(server_bytes) AS octets, count(*) AS records
        FROM read_parquet($files) GROUP BY organization ORDER BY octets DESC
        """,
        {"files": files},
    ).fetchall()
    found = {"records": sum(row[2] for row in rows), "octets": int(sum(row[1] for row in rows))}
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
