"""What an importer has read, in the columns of its kind; rows without what their kind needs are counted.

Whether a text is a network, and a number that of a public system, `making` decides for all alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

import polars as pl

from l7meter.attribution.reference.importers import KINDS, Imported

NO_NETWORK = "no network is named"
NO_ORIGIN = "no AS number is named"
NO_HOLDER = "no holder is named"
RESERVED = "a reserved AS"
DEFAULT_ROUTE = "a default route"  # would give all unannounced space to one system

_RESERVED = (
    r'^\s*"?-Reserved AS-'  # RIPE NCC's name for what is not assigned, and IPtoASN's after it
)
_NUMBER = "[0-9]{1,10}"
_LIST = f"{_NUMBER}(?:,{_NUMBER})*"
_ORIGINS = rf"^(?:{_LIST}|\{{{_LIST}\}})(?:_(?:{_LIST}|\{{{_LIST}\}}))*$"


def shaped(
    kind: str,
    frame: pl.DataFrame,
    expected: str,
    as_of: date | None = None,
    dropped: Mapping[str, int] | None = None,
) -> Imported:
    """The rows of `frame` that have what `kind` needs; columns it lacks are null.

    Routes may come with the `name` of their system: they are kept as `names`, and routes of a
    reserved one are left out.
    Text is stripped, and null where empty; a country is null where it is not two letters, or one that
    stands for none (`XX`, `ZZ`). Raises ValueError, saying what was `expected`, where no row is left.
    """
    counts = Counter(dropped or {})
    names = None
    if "name" in frame.columns:
        named = frame.filter(~pl.col("name").str.contains(_RESERVED).fill_null(False))
        counts[RESERVED] += frame.height - named.height
        frame = named
        if kind == "routes":
            asn = pl.col("origins").cast(pl.UInt32, strict=False)
            names = frame.select(asn=asn, name=_column(frame, "name", pl.String())).drop_nulls()
    frame = frame.select(_column(frame, name, of) for name, of in KINDS[kind].items())
    for reason, fault in _faults(kind):
        kept = frame.filter(~fault)
        counts[reason] += frame.height - kept.height
        frame = kept
    if not frame.height:
        why = "; ".join(f"{count:,} rows: {reason}" for reason, count in (+counts).items())
        raise ValueError(f"no row can be read ({why or 'it is empty'}); expected {expected}")
    return Imported(frame, as_of, dict(+counts), names=names)


def rows(kind: str, values: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """Rows of JSON as a frame of strings in the columns of a kind.

    A loop over rows: they are Python's already, and a list of an operator has 100,000 at most.
    """
    there = list(values)
    columns = KINDS[kind].names()
    return pl.DataFrame(
        {name: [row.get(name) for row in there] for name in columns},
        schema=dict.fromkeys(columns, pl.String()),
    )


def _column(frame: pl.DataFrame, name: str, of: Any) -> pl.Expr:
    if name not in frame.columns:
        return pl.lit(None, of).alias(name)
    if of != pl.String():
        return pl.col(name).cast(of, strict=False)
    stripped = pl.col(name).cast(pl.String).str.strip_chars()
    if name == "country":
        return stripped.str.to_uppercase().str.extract(r"^([A-Z]{2})$").replace(["XX", "ZZ"], None)
    return pl.when(stripped != "").then(stripped)


def _faults(kind: str) -> list[tuple[str, pl.Expr]]:
    if kind == "systems":
        return [(NO_ORIGIN, pl.col("asn").is_null())]
    faults = [(NO_NETWORK, pl.col("network").is_null())]
    if kind == "routes":
        faults += [
            (NO_ORIGIN, ~pl.col("origins").str.contains(_ORIGINS).fill_null(False)),
            (DEFAULT_ROUTE, pl.col("network").is_in(["0.0.0.0/0", "::/0"])),
        ]
    if kind == "holders":
        faults.append((NO_HOLDER, pl.col("organization").is_null()))
    return faults
