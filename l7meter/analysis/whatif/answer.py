"""What a what-if answers: rows, what follows from them, and what was assumed."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

import polars as pl

from l7meter.errors import UsageError

_PRICE = re.compile(r"(\d+(?:\.\d+)?)\s*/\s*([kMGTP]i?B)")
_UNITS = {f"{prefix}B": 1000**n for n, prefix in enumerate("kMGTP", start=1)}
_UNITS |= {f"{prefix}iB": 1024**n for n, prefix in enumerate("kMGTP", start=1)}


@dataclass(frozen=True)
class Answer:
    """Rows in octets and counts; `notes` and `assumptions` are sentences for those who read them."""

    title: str
    rows: pl.DataFrame
    notes: list[str] = field(default_factory=list)
    assumptions: list[str] = field(default_factory=list)


class Price(NamedTuple):
    """What an octet costs, in the money it was given in, and the text that said so."""

    per_octet: Decimal
    text: str

    @classmethod
    def parse(cls, text: str) -> Price:
        """Read `0.08/GB` or `0.08/GiB`; `UsageError` for anything else.

        >>> Price.parse("50/TB").per_octet
        Decimal('5E-11')
        """
        match = _PRICE.fullmatch(text.strip())
        if match is None:
            raise UsageError(f"price {text}: give money per unit, such as 0.08/GB or 0.08/GiB")
        return cls(Decimal(match[1]) / _UNITS[match[2]], text.strip())


def with_cost(rows: pl.DataFrame, octets: str, name: str, price: Price | None) -> pl.DataFrame:
    """The rows with a column `name` behind `octets`: what those cost, to 2 decimals; as they are without a price."""
    if price is None:
        return rows
    cost = (pl.col(octets) * float(price.per_octet)).round(2).alias(name)
    return rows.with_columns(cost).select(
        each for column in rows.columns for each in ((column, name) if column == octets else (column,))
    )  # fmt: skip
