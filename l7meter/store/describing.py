"""What is in a store, in numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from l7meter.store import accept, catalog, ledger
from l7meter.store.accept import Layout


def described(root: Path, path: Path, layouts: Mapping[str, Layout]) -> dict[str, Any]:
    """Rows, files and octets by table, sources, snapshots and the range of `ts`."""
    with catalog.reading(path) as db:
        at = catalog.head(db).number
        files = {t: accept.live_files(db, path, t, x, at) for t, x in layouts.items()}
        snapshots = db.execute("SELECT count(*) FROM ducklake_snapshot").fetchone()[0]
        sources = ledger.frame(db, at)
    result: dict[str, Any] = {
        "path": str(root),
        "snapshot": at,
        "snapshots": snapshots,
        "sources": sources.height,
        "first_ts": sources["first_ts"].min(),
        "last_ts": sources["last_ts"].max(),
    }
    for table, entries in files.items():
        result[f"{table}_rows"] = sum(f.rows for f in entries)
        result[f"{table}_files"] = len(entries)
        result[f"{table}_bytes"] = sum(f.size_bytes for f in entries)
    return result
