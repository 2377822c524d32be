"""Conclusions about values that were met before: most of a block's targets stood in the last one."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

import polars as pl

from l7meter.schema import COLUMNS, CONCLUDED

LIMIT = 200_000  # distinct values: some 100 MB of targets

Conclude = Callable[[pl.DataFrame], pl.DataFrame]


class Memo:
    """Concludes each distinct value once, until there are too many; then it starts anew.

    May be called from several threads. Text comes out as codes (Categorical), which are spread over
    rows and written faster than strings.
    """

    def __init__(self, conclude: Conclude) -> None:
        self._conclude = conclude
        self._lock = Lock()
        self._forget()

    def _forget(self) -> None:
        self._keys: pl.DataFrame | None = None
        self._rows: pl.DataFrame | None = None
        self._categories: dict[str, pl.Categories] = {}

    def __call__(self, values: pl.DataFrame) -> pl.DataFrame:
        """The conclusions about distinct values, in their order."""
        with self._lock:
            if self._keys is None or self._rows is None:
                return self._first(values)
            place = self._places(values, self._keys)
            fresh = values.filter(place.is_null())
            if fresh.height + self._keys.height > LIMIT:
                self._forget()
                return self._first(values)
            if fresh.height:
                self._keys = pl.concat([self._keys, fresh.with_row_index("memo_row", self._rows.height)])  # fmt: skip
                self._rows = pl.concat([self._rows, self._coded(self._conclude(fresh))])
                place = self._places(values, self._keys)
            return self._rows[place]

    def _first(self, values: pl.DataFrame) -> pl.DataFrame:
        self._keys = values.with_row_index("memo_row")
        self._rows = self._coded(self._conclude(values))
        return self._rows

    def _places(self, values: pl.DataFrame, keys: pl.DataFrame) -> pl.Series:
        found = values.join(keys, on=values.columns, how="left", nulls_equal=True, maintain_order="left")  # fmt: skip
        return found["memo_row"]

    def _coded(self, concluded: pl.DataFrame) -> pl.DataFrame:
        kept = concluded.select(name for name in concluded.columns if name in CONCLUDED)
        for name in kept.columns:
            if COLUMNS[name].type == "string" and name not in self._categories:
                self._categories[name] = pl.Categories.random()
        return kept.with_columns(
            pl.col(name).cast(pl.Categorical(categories))
            for name, categories in self._categories.items()
        )
