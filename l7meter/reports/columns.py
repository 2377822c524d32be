"""How a column is shown on a terminal: by its name and type."""

from __future__ import annotations

from typing import Literal

import polars as pl

from l7meter.units import bytes_text, count_text, number_text, percent_text

Kind = Literal["bytes", "ratio", "change", "count", "identifier", "number", "text"]

_RATIOS = {"share", "unattributed"}
_IDENTIFIERS = ("asn", "port", "status", "status_code", "line")  # numbers nobody adds up


def kind_of(name: str, type_: pl.DataType) -> Kind:
    """Return what a column holds: `bytes` in octets, `ratio` 0 to 1, and so on."""
    if not type_.is_numeric():
        return "text"
    last = name.rsplit("_", 1)[-1]
    if last in ("bytes", "size"):
        return "bytes"
    if last in _RATIOS:
        return "ratio"
    if name == "change":
        return "change"
    if any(name == word or name.endswith(f"_{word}") for word in _IDENTIFIERS):
        return "identifier"
    return "count" if type_.is_integer() else "number"


def shown(value: object, kind: Kind) -> str:
    """Return a value as it is shown; null is shown as nothing."""
    if value is None:
        return ""
    if not isinstance(value, (int, float)) or kind in ("text", "identifier"):
        return str(value)
    if kind == "bytes":
        return bytes_text(value)
    if kind in ("ratio", "change"):
        return percent_text(value, signed=kind == "change")
    return count_text(int(value)) if kind == "count" else number_text(value)
