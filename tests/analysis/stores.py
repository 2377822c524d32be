"""Small stores on disk for what looks at sources: exchanges by name of the source."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
from conftest import frame

from l7meter import schema
from l7meter.store import Connection, SourceRow, Store, connect
from l7meter.store.ledger import BASES

START = datetime(2026, 11, 1, tzinfo=UTC)
Row = dict[str, object]


def exchange(
    second: float, client: str = "192.0.2.1", path: str = "/a", size: int | None = 1000, **more: Any
) -> Row:
    """A GET answered with 200, `second` seconds after the start of 1 November; its content has `size` octets."""
    basis = more.pop("basis", "content")
    sizes = {"content": "response_body_size", "message": "response_size"}
    return {
        "ts": START + timedelta(seconds=second),
        "client_address": client,
        "url_path": path,
        "request_method": "GET",
        "response_status_code": 200,
        "exchange_kind": "http",
        **({sizes[basis]: size} if basis in sizes else {}),
        "server_bytes": size,
        "server_bytes_basis": basis if size is not None else None,
        **more,
    }


def store_of_sources(
    path: Path, sources: dict[str, Iterable[Row]], **ledger: dict[str, Any]
) -> Connection:
    """The views of a store with these sources; `ledger` has what its row says else, by the name's stem."""
    frames, rows = [], []
    for number, (name, exchanges) in enumerate(sources.items()):
        records = frame(
            pl.DataFrame(list(exchanges), infer_schema_length=None).with_columns(
                source_id=pl.lit(f"id{number}"), source_line=pl.int_range(1, pl.len() + 1)
            ),
            schema.POLARS,
        )
        sums = {
            f"server_bytes_{basis}": of.sum()
            for basis in BASES
            if (of := records.filter(server_bytes_basis=basis)["server_bytes"]).len()
        }
        said = {"format": "combined", **ledger.get(Path(name).name.split(".")[0], {})}
        ended = sum(said.get(key, 0) for key in ("rejects", "skipped"))
        rows.append(
            SourceRow(
                source_id=f"id{number}",
                name=name,
                records=records.height,
                lines=records.height + ended,
                first_ts=records["ts"].min(),
                last_ts=records["ts"].max(),
                unmeasured_records=records["server_bytes"].null_count(),
                **sums,
                **said,
            )
        )
        frames.append(records)
    rejects = pl.DataFrame(
        [
            {"source_id": row.source_id, "source_line": n, "reason": reason}
            for row in rows
            for reason, count in row.rejects_by_reason.items()
            for n in range(count)
        ],
        schema={"source_id": pl.String, "source_line": pl.Int64, "reason": pl.String},
    )
    with Store.create(path) as store:
        files = [store.write("records", pl.concat(frames))]
        store.append(rows, files + ([store.write("rejects", rejects)] if rejects.height else []))
    return connect(path, locked=True)
