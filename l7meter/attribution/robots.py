"""Robots among the records: which of them come from where their operators say."""

from __future__ import annotations

import polars as pl

from l7meter.attribution.verification import VERDICTS, claims, conclude

_NAME = "agent_verification"
_VERDICTS = pl.Enum(VERDICTS)  # written faster than text


def verification(records: pl.DataFrame) -> pl.Series:
    """`agent_verification` of records that have agent_name and client_address."""
    names = records["agent_name"]
    robots = pl.Series(list(claims()), dtype=pl.String).cast(names.dtype)
    rows = names.is_in(robots.implode()).fill_null(False).arg_true()
    verdict = pl.Series(_NAME, [None], dtype=_VERDICTS).new_from_index(0, records.height)
    if not len(rows):  # package clients are no robots
        return verdict
    mine = records.select("agent_name", "client_address")[rows]
    mine = mine.with_columns(pl.all().cast(pl.String))
    pairs = mine.unique(maintain_order=True)
    told = pairs.with_columns(conclude(pairs).alias(_NAME))
    found = mine.join(told, on=mine.columns, how="left", nulls_equal=True, maintain_order="left")
    return verdict.scatter(rows, found[_NAME].cast(_VERDICTS))
