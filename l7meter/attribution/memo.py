"""Conclusions about values that were met before: most targets of a batch stood in the one before."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

import numpy as np
import polars as pl

from l7meter.columns import codes_of, distinct, spread
from l7meter.schema import COLUMNS, CONCLUDED

Conclude = Callable[[pl.Series], pl.DataFrame]
_UNMET = np.uint32(2**32 - 1)


class Memo:
    """Conclusions by the code of a value, for columns of one coding (pl.Categories).

    May be called from several threads. Text comes out as codes (Categorical) too: they are spread
    over rows and written faster than strings.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._places: dict[str, np.ndarray] = {}
        self._rows: dict[str, pl.DataFrame] = {}
        self._categories: dict[str, pl.Categories] = {}

    @property
    def size(self) -> int:
        """How many values are remembered, of all columns."""
        return sum(rows.height for rows in self._rows.values())

    def conclude(self, column: pl.Series, conclude: Conclude, of: str = "") -> pl.DataFrame:
        """The conclusions about each row of a text column; `conclude` sees distinct values only.

        Of a Categorical column it sees those that are new. `of` tells apart what is concluded of the
        same values in several ways.
        """
        if isinstance(column.dtype, pl.Categorical):
            return self._spread(column, conclude, f"{column.name} {of}")
        values, places = distinct(column)
        return spread(conclude(values), places, column.len())

    def _spread(self, column: pl.Series, conclude: Conclude, name: str) -> pl.DataFrame:
        codes = codes_of(column)
        with self._lock:
            places = self._places.get(name, np.empty(0, np.uint32))
            if (top := int(codes.max(initial=0))) >= len(places):
                more = np.full(top + 1 + len(places) // 2 - len(places), _UNMET)
                places = self._places[name] = np.concatenate([places, more])
            at = places[codes]
            rows = np.flatnonzero(at == _UNMET)
            if len(rows) or name not in self._rows:  # of no records, too, there are columns
                fresh, first = np.unique(codes[rows], return_index=True)
                made = self._coded(conclude(column[rows[first]].cast(pl.String)))
                before = self._rows.get(name)
                base = 0 if before is None else before.height
                self._rows[name] = (
                    made if before is None else pl.concat([before, made], rechunk=True)
                )
                places[fresh] = np.arange(base, base + len(fresh), dtype=np.uint32)
                at = places[codes]
            known = self._rows[name]
        told: pl.DataFrame = known[at]
        return told

    def _coded(self, concluded: pl.DataFrame) -> pl.DataFrame:
        kept = concluded.select(name for name in concluded.columns if name in CONCLUDED)
        text = [name for name in kept.columns if COLUMNS[name].type == "string"]
        for name in text:
            self._categories.setdefault(name, pl.Categories.random())
        return kept.with_columns(
            pl.col(name).cast(pl.Categorical(self._categories[name])) for name in text
        )
