"""Small stores on disk for what-ifs: deliveries of artifacts, and requests of other kinds."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from l7meter import schema
from l7meter.store import Connection, SourceRow, Store, connect

START = datetime(2026, 11, 1, tzinfo=UTC)
Row = dict[str, object]


def delivery(
    second: float, client: str | None = "192.0.2.1", path: str = "/a-1.0.tgz", size: int | None = 1000, **more: Any
) -> Row:  # fmt: skip
    """A complete GET of an artifact, `second` seconds after the start of 1 November 2026."""
    return {
        "ts": START + timedelta(seconds=second),
        "client_address": client,
        "server_address": "files.pypi.example",
        "url_path": path,
        "request_method": "GET",
        "response_status_code": 200,
        "exchange_kind": "http",
        "artifact_kind": "artifact",
        "is_download": True,
        "organization": "Example Ltd",
        "attributable": True,
        "client_asn": 64500,
        "client_as_name": "EXAMPLE",
        "client_network": "192.0.2.0/24",
        "server_bytes": size,
        "server_bytes_basis": "message" if size is not None else None,
        "response_size": size,
        **more,
    }


def made(path: Path, rows: Iterable[Row], **source: Any) -> Path:
    """A store of one source with these records; `source` has what its row of the ledger says else."""
    sparse = pl.DataFrame(list(rows), infer_schema_length=None)
    whole = sparse.select(
        (pl.col(name) if name in sparse.columns else pl.lit(None)).cast(type_).alias(name)
        for name, type_ in schema.POLARS.items()
    ).with_columns(source_id=pl.lit("id0"), source_line=pl.int_range(1, pl.len() + 1))
    row = SourceRow(
        source_id="id0",
        name="access.log",
        format="combined",
        records=whole.height,
        lines=whole.height,
        first_ts=whole["ts"].min(),
        last_ts=whole["ts"].max(),
        unmeasured_records=whole["server_bytes"].null_count(),
        server_bytes_message=whole["server_bytes"].sum(),
        **source,
    )
    with Store.create(path) as store:
        store.append([row], [store.write("records", whole)])
    return path


def opened(path: Path, rows: Iterable[Row], **source: Any) -> Connection:
    """The views of such a store, locked as commands lock them."""
    return connect(made(path, rows, **source), locked=True)
