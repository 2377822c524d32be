"""Prefix2Org: who holds each announced prefix (IMC 2025), https://github.com/ISS-GT/Prefix2Org.

Parquet with `prefix`, `Direct Owner (DO)` and delegated customers. The holder is the one delegated customer where there
is exactly one, who runs the network; else the direct owner.
"""

from __future__ import annotations

import io
from pathlib import Path

import polars as pl

from l7meter.attribution.reference import claiming, reading
from l7meter.attribution.reference.importers import Imported, Importer
from l7meter.attribution.reference.shaping import shaped

_OWNER, _CUSTOMER = "Direct Owner", "Delegated Customer"  # how the columns' names start


def _claims(name: str, start: bytes) -> bool:
    named = any(word in claiming.base(name) for word in ("prefix2org", "pfx2org"))
    return named and start.startswith(b"PAR1")


def _read(path: Path) -> Imported:
    expected = f"columns prefix and {_OWNER} (DO)"
    try:
        frame = pl.read_parquet(io.BytesIO(reading.content(path)))
    except pl.exceptions.PolarsError as error:
        raise ValueError(f"it is no Parquet: {error}") from error
    owner, customer = (
        next((name for name in frame.columns if name.startswith(start)), None)
        for start in (_OWNER, _CUSTOMER)
    )
    if "prefix" not in frame.columns or owner is None:
        raise ValueError(f"its columns are {', '.join(frame.columns)}; expected {expected}")
    holder = pl.col(owner).cast(pl.String)
    if customer is not None:
        holder = pl.coalesce(_only(frame.schema[customer], pl.col(customer)), holder)
    frame = frame.select(network="prefix", organization=holder)
    return shaped("holders", frame, expected, reading.day_of_name(path.name))


def _only(of: pl.DataType, customer: pl.Expr) -> pl.Expr:
    """The customer where there is exactly one."""
    if not isinstance(of, pl.List):
        return pl.when(customer.cast(pl.String).str.strip_chars() != "").then(customer)
    return pl.when(customer.list.len() == 1).then(customer.list.first().cast(pl.String))


IMPORTER = Importer(
    name="prefix2org",
    title="Prefix2Org (Parquet): holders of announced prefixes, monthly",
    kind="holders",
    page="https://github.com/ISS-GT/Prefix2Org",
    licence="Georgia Tech AUA",
    attribution='D. Gouda, A. Dainotti, C. Testart, "Prefix2Org: Mapping BGP Prefixes to Organizations", https://github.com/ISS-GT/Prefix2Org',
    claims=_claims,
    read=_read,
)
