"""Small stores on disk for questions of money: requests with a size, a user and a time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from l7meter import schema
from l7meter.store import Connection, SourceRow, Store, connect

START = datetime(2026, 10, 1, tzinfo=UTC)
Row = dict[str, object]


def request(
    hour: float, organization: str | None = "Example Ltd", size: int | None = 1000, **more: object
) -> Row:
    """A request, `hour` hours after the start of October 2026."""
    return {
        "ts": START + timedelta(hours=hour),
        "client_address": "192.0.2.1",
        "server_address": "files.pypi.example",
        "url_path": "/a-1.0.tgz",
        "request_method": "GET",
        "response_status_code": 200,
        "exchange_kind": "http",
        "organization": organization,
        "attributable": True if organization else None,
        "client_asn": 64500,
        "client_as_name": "EXAMPLE",
        "package_ecosystem": "pypi",
        "package_name": "a",
        "server_bytes": size,
        "server_bytes_basis": "message" if size is not None else None,
        **more,
    }


def stored(path: Path, rows: Iterable[Row]) -> Path:
    """A store of one source with these records."""
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
    )
    with Store.create(path) as store:
        store.append([row], [store.write("records", whole)])
    return path


def asked(path: Path, rows: Iterable[Row]) -> Connection:
    """The views of such a store, locked as commands lock them."""
    return connect(stored(path, rows), locked=True)
