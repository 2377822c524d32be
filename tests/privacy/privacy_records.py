"""Records for tests of privacy: one row of everything, and how to look through all of a frame's text."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import polars as pl

from l7meter.schema import COLUMNS, POLARS

CANDIDATE = re.compile(r"[0-9A-Fa-f]*(?:[.:][0-9A-Fa-f]*)+")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def records(*rows: dict[str, Any], coded: bool = False) -> pl.DataFrame:
    """A frame of the whole schema; what a row leaves out is null. Coded text is Categorical."""
    filled = [dict.fromkeys(POLARS) | {"ts": NOON} | row for row in rows]
    frame = pl.DataFrame(filled, schema=POLARS)
    if not coded:
        return frame
    text = [name for name, column in COLUMNS.items() if column.type == "string"]
    return frame.with_columns(
        pl.col(name).cast(pl.Categorical(pl.Categories.random())) for name in text
    )


def words(frame: pl.DataFrame) -> str:
    """All values of all columns as text."""
    return "\n".join(str(value) for row in frame.iter_rows() for value in row if value is not None)


def addresses(text: str) -> Iterator[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """Every address in a text, as the standard library reads them."""
    for match in CANDIDATE.finditer(text.replace("%3A", ":").replace("%3a", ":")):
        # a time like 12:00 leans on what stands before it: try what is between blanks, too
        for token in {match[0], match[0].strip(".:")}:
            try:
                yield ipaddress.ip_address(token)
            except ValueError:
                continue
