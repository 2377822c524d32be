"""l7meter: who uses a package registry's bandwidth, measured at layer 7.

Two lines for a notebook::

    frames = l7meter.parse("access.log.gz")   # an iterator of Polars frames
    con = l7meter.connect("l7meter-store")    # a DuckDB connection with the views
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

    from l7meter.store import Connection

__version__ = "0.1.0"
__all__ = ["__version__", "connect", "parse"]


def parse(
    source: str | Path,
    *,
    format: str | None = None,
    log_format: str | None = None,
    map: str | list[str] | None = None,
    trusted_hops: int = 0,
    timezone: str = "UTC",
    registry: str | list[str] | None = None,
    organizations: str | Path | None = None,
    refdata: str | Path | None = None,
    engine: str | None = None,
    tls_keys: str | Path | None = None,
) -> Iterator[pl.DataFrame]:
    """The records of an access log or a capture, said and concluded, some ten thousand to a frame.

    The columns are those of `l7meter.schema.RECORD`, the order is the source's (exchanges of a
    capture come as they end). Lines that are no
    records are left out (`l7meter check` shows them). Raises `l7meter.errors.SourceError` where the
    source cannot be read or no format claims it, `UsageError` for options that name nothing.
    """
    from l7meter.attribution import Attribution
    from l7meter.formats import Options
    from l7meter.ingest import Said
    from l7meter.ingest import parse as frames

    mapping = tuple([map] if isinstance(map, str) else map or ())
    keys = Path(tls_keys) if tls_keys is not None else None
    said = Said(format, log_format, mapping, Options(trusted_hops, timezone), engine, keys)
    own = Path(organizations) if organizations is not None else None
    data = Path(refdata) if refdata is not None else None
    registries = [registry] if isinstance(registry, str) else registry
    attribution = Attribution(registries, organizations=own, refdata=data)
    return frames(str(source), said, attribution=attribution)


def connect(store: str | Path = "l7meter-store", **options: Any) -> Connection:
    """A DuckDB connection with the views `records`, `requests`, `sources` and `rejects` of a store.

    Options are those of `l7meter.store.connect`. Raises `l7meter.errors.StoreError` where there is
    no store.
    """
    from l7meter.store import connect as open_views

    return open_views(store, **options)
