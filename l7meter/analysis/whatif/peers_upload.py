"""What peers can upload at most: so many octets a second, each, while they are there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from l7meter.analysis.whatif.peers_holders import HOUR, Deliveries, Ints
from l7meter.analysis.whatif.scope import Selection, dimension
from l7meter.store import Connection

SECONDS = HOUR // 1_000_000


@dataclass(frozen=True)
class Terms:
    """What peers are held to: `window` in µs, the part that takes part (0 to 1), and `upload`, octets a
    second for each (None: no limit).
    """

    window: int
    participation: float = 1.0
    upload: int | None = None

    @property
    def an_hour(self) -> float:
        """Octets that a holder is expected to upload in an hour at most."""
        return float("inf") if self.upload is None else self.participation * self.upload * SECONDS


def by_hour(made: Deliveries, places: Ints, scope: pl.Series, expected: pl.Series, terms: Terms) -> pl.DataFrame:  # fmt: skip
    """The sums of `scope`, `hour` (since 1970) and `octets`: what is `expected` of peers for the deliveries
    at `places`, of each object in each hour no more than those who hold it in it can upload.

    Who holds an object at an instant of an hour got it in that hour, or within the window before it.
    """
    ts = made.ts[places]
    hour = ts // HOUR
    asked = pl.DataFrame({"begin": made.begin[places], "hour": hour, "scope": scope, "octets": expected, "place": places})  # fmt: skip
    cells = asked.group_by("begin", "hour").agg(pl.col("octets").sum(), pl.col("scope", "place").first())  # fmt: skip
    place = cells["place"].to_numpy()
    ahead = (cells["hour"].to_numpy() + 1) * HOUR - made.ts[place]
    holders = made.holders(terms.window + HOUR, place, ahead)
    capped = cells.with_columns(octets=np.minimum(cells["octets"].to_numpy(), holders * terms.an_hour))  # fmt: skip
    return capped.group_by("scope", "hour").agg(pl.col("octets").sum())


def present(con: Connection, selection: Selection, by: str, delivery: str, window: int) -> pl.DataFrame:  # fmt: skip
    """`scope`, `hour` (since 1970) and `holders`: the clients to whom anything was delivered in the
    hour, or in as many hours before it as the window (µs) reaches into; `delivery` is SQL.
    """
    where, values = selection.where()
    reach = -(-window // HOUR) + 1
    sql = f"""
    WITH seen AS (
        SELECT DISTINCT {dimension(by).key} AS scope, hash(client_address) AS client, epoch_us(ts) // {HOUR} AS hour
        FROM records
        WHERE {where} AND {delivery} AND client_address IS NOT NULL AND ts IS NOT NULL
    ),
    spans AS (
        SELECT
            scope, hour,
            least(hour + {reach}, lead(hour) OVER (PARTITION BY scope, client ORDER BY hour)) AS until
        FROM seen
    ),
    changes AS (
        SELECT scope, hour, 1 AS change FROM spans UNION ALL SELECT scope, until, -1 FROM spans
    )
    SELECT scope, hour, sum(change)::BIGINT AS change FROM changes GROUP BY scope, hour"""
    changes: pl.DataFrame = con.sql(sql, params=values or None).pl()
    return changes.sort("scope", "hour").select("scope", "hour", holders=pl.col("change").cum_sum().over("scope"))  # fmt: skip


def bounded(hours: pl.DataFrame, holders: pl.DataFrame, terms: Terms) -> pl.DataFrame:
    """`scope` and `bounded`: the octets of `by_hour`, of an hour no more than all `present` can upload."""
    summed = hours.group_by("scope", "hour").agg(pl.col("octets").sum())
    known = summed.join(holders, on=["scope", "hour"], how="left")
    limit = pl.col("holders").fill_null(0) * terms.an_hour
    return known.group_by("scope").agg(bounded=pl.min_horizontal("octets", limit).sum())
