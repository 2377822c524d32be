"""Small sources with known sums, made from their name alone."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import polars as pl

from l7meter.store import SourceRow

START = datetime(2026, 3, 1, tzinfo=UTC)


def frame(source_id: str, rows: int = 20) -> pl.DataFrame:
    """`rows` records of a source, sorted by `ts`; every fourth is not measured."""
    seed = int(hashlib.sha256(source_id.encode()).hexdigest()[:6], 16)
    start = START + timedelta(minutes=seed % 10_000)
    return pl.DataFrame(
        {
            "ts": [start + timedelta(seconds=i) for i in range(rows)],
            "client_address": [f"192.0.2.{(seed + i) % 7}" for i in range(rows)],
            "response_status_code": [(200, 206, 304, 404)[i % 4] for i in range(rows)],
            "server_bytes": [None if i % 4 == 3 else (seed + i) % 1000 for i in range(rows)],
            "server_bytes_basis": [None if i % 4 == 3 else "content" for i in range(rows)],
            "exchange_kind": ["http"] * rows,
            "source_id": [source_id] * rows,
            "source_line": list(range(1, rows + 1)),
        },
        schema_overrides={"ts": pl.Datetime("us", "UTC"), "server_bytes": pl.Int64},
    ).with_columns(pl.col("client_address", "server_bytes_basis").cast(pl.Categorical))


def rejects(source_id: str, rows: int) -> pl.DataFrame:
    """Rejected lines of a source."""
    return pl.DataFrame(
        {
            "source_id": [source_id] * rows,
            "source_line": list(range(1000, 1000 + rows)),
            "reason": ["no-match"] * rows,
            "line": [f"bad line {i} \\xff" for i in range(rows)],
            "line_bytes": [13] * rows,
        }
    )


def source(source_id: str, rows: int = 20, rejected: int = 0) -> SourceRow:
    """The ledger's row of `frame(source_id, rows)` and `rejects(source_id, rejected)`."""
    data = frame(source_id, rows)
    return SourceRow(
        source_id=source_id,
        name=f"logs/{source_id}.gz",
        format="combined",
        head_id=f"head of {source_id}",
        lines=rows + rejected + 1,
        records=rows,
        rejects=rejected,
        skipped=1,
        skipped_by_reason={"comment": 1},
        rejects_by_reason={"no-match": rejected} if rejected else {},
        first_ts=data["ts"].min(),
        last_ts=data["ts"].max(),
        server_bytes_content=data["server_bytes"].sum(),
        unmeasured_records=data["server_bytes"].null_count(),
    )
