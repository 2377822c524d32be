"""Deliveries in a few words, and what a question says of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
from conftest import SOURCES, Fill, frame

from l7meter import schema
from l7meter.analysis.catalogue import load, run

START = datetime(2026, 11, 2, tzinfo=UTC)  # a Monday
NO_SOURCES = pl.DataFrame(schema=SOURCES)


def got(hours: float, organization: str | None, path: str = "/a", size: int = 100, **more: Any) -> dict[str, object]:  # fmt: skip
    """A delivery `hours` after the Monday began."""
    return {
        "ts": START + timedelta(hours=hours),
        "organization": organization,
        "attributable": organization is not None,
        "client_address": "192.0.2.1",
        "server_address": "files.pypi.example",
        "url_path": path,
        "response_status_code": 200,
        "is_download": True,
        "server_bytes": size,
        "server_bytes_basis": "message",
        "exchange_kind": "http",
        "agent_name": "pip",
        "agent_kind": "package-manager",
        **more,
    }


def asked(store_of: Fill, name: str, rows: list[dict[str, object]], **given: object) -> list[dict[str, Any]]:  # fmt: skip
    records = frame(pl.DataFrame(rows, infer_schema_length=None), schema.POLARS)
    records = records.with_columns(source_id=pl.lit("one"), source_line=pl.int_range(1, pl.len() + 1))  # fmt: skip
    return run(store_of(records, NO_SOURCES), load(name), given).to_dicts()
