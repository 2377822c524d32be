"""Small stores on disk for public reports, and who is in them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest

from l7meter import schema
from l7meter.store import SourceRow, Store, side

START = datetime(2026, 11, 2, tzinfo=UTC)
Row = dict[str, object]


def request(client: int | str, size: int | None = 1000, day: int = 0, **more: object) -> Row:
    """A complete GET of an artifact on a day from 2 November 2026 on, by a university's pip."""
    return {
        "ts": START + timedelta(days=day, hours=12),
        "client_address": client if isinstance(client, str) else f"192.0.2.{client}",
        "server_address": "files.pypi.example",
        "url_original": "/kite/secret-path-1.0.tgz",
        "url_path": "/kite/secret-path-1.0.tgz",
        "request_method": "GET",
        "response_status_code": 200,
        "user_agent_original": "pip/26.0 (secret-platform)",
        "exchange_kind": "http",
        "is_download": True,
        "organization": "Example University",
        "organization_method": "registry",
        "attributable": True,
        "network_kind": "education",
        "agent_name": "pip",
        "agent_kind": "package-manager",
        "package_ecosystem": "pypi",
        "package_name": "kite",
        "server_bytes": size,
        "server_bytes_basis": None if size is None else "message",
        "attribution_id": "a1",
        **more,
    }


def made(path: Path, rows: Iterable[Row], manifests: Iterable[str] = (), **source: object) -> Path:
    """A store of one source with these records; `source` has what its row of the ledger says else."""
    sparse = pl.DataFrame(list(rows), infer_schema_length=None)
    whole = sparse.select(
        (pl.col(name) if name in sparse.columns else pl.lit(None)).cast(type_).alias(name)
        for name, type_ in schema.POLARS.items()
    ).with_columns(source_id=pl.lit("id0"), source_line=pl.int_range(1, pl.len() + 1))
    said = {
        "source_id": "id0",
        "name": "/srv/secret-place/access.log",
        "format": "combined",
        "size_meaning": "content: octets of the response content as sent",
        "records": whole.height,
        "lines": whole.height,
        "first_ts": whole["ts"].min(),
        "last_ts": whole["ts"].max(),
        "unmeasured_records": whole["server_bytes"].null_count(),
        "server_bytes_message": whole["server_bytes"].sum(),
        **source,
    }
    with pytest.MonkeyPatch.context() as patch:
        # the same salt in each run: two of 16 addresses meet in a sketch once in 140 salts
        patch.setattr(side, "secrets", SimpleNamespace(token_hex=lambda octets: "5e" * octets))
        store = Store.create(path)
    with store:
        store.append([SourceRow(**said)], [store.write("records", whole)], list(manifests))  # type: ignore[arg-type]
    return path
