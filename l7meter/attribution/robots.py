"""Robots among the records: which of them come from where their operators say."""

from __future__ import annotations

import numpy as np
import polars as pl

from l7meter.attribution.verification import VERDICTS, claims, conclude
from l7meter.columns import distinct

_NAME = "agent_verification"
_VERDICTS = pl.Enum(VERDICTS)  # written faster than text


def verification(records: pl.DataFrame) -> pl.Series:
    """`agent_verification` of records that have agent_name and client_address."""
    names, places = distinct(records["agent_name"])
    robots = names.is_in(list(claims())).fill_null(False).to_numpy()
    rows = np.flatnonzero(robots[places] if places is not None else robots.repeat(records.height))
    verdict = pl.Series(_NAME, [None], dtype=_VERDICTS).new_from_index(0, records.height)
    if not len(rows):  # package clients are no robots
        return verdict
    mine = records.select("agent_name", "client_address")[rows]
    mine = mine.with_columns(pl.all().cast(pl.String))
    pairs = mine.unique(maintain_order=True)
    told = pairs.with_columns(conclude(pairs).alias(_NAME))
    found = mine.join(told, on=mine.columns, how="left", nulls_equal=True, maintain_order="left")
    return verdict.scatter(rows, found[_NAME].cast(_VERDICTS))
