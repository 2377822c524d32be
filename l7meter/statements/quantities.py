"""What a share is counted in: octets, requests, heads, and parts of them, exact to a millionth."""

from __future__ import annotations

from decimal import Decimal

import polars as pl

# A double would round the octets of a registry's month: beyond 9 PB not each of them has one.
QUANTITY = pl.Decimal(38, 6)


def quantity(number: float) -> Decimal:
    """A number of JSON, as one of `QUANTITY`."""
    return Decimal(str(number)).quantize(Decimal("0.000001"))


def plain(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with its quantities as text without idle zeros: `12`, `0.5`."""
    columns = [name for name, type_ in frame.schema.items() if type_ == QUANTITY]
    return frame.with_columns(pl.col(columns).cast(pl.String).str.replace(r"\.?0+$", ""))
