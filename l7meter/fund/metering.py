"""What was used in each calendar month of a period, by a dimension and by the regions of a price card."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import polars as pl

from l7meter.errors import UsageError
from l7meter.fund.cards import Card
from l7meter.fund.dimensions import Dimension, dimension
from l7meter.store import Connection

_HOUR = timedelta(hours=1)


class Place(NamedTuple):
    """What is billed in a region: where a dimension has a value."""

    dimension: str
    value: str
    region: str

    @classmethod
    def parse(cls, text: str) -> Place:
        """Read `DIMENSION:VALUE=REGION`. Raises `UsageError` for any other text."""
        rest, equals, region = text.rpartition("=")
        name, colon, value = rest.partition(":")
        if not (equals and colon and region and value):
            raise UsageError(f"region {text}: write DIMENSION:VALUE=REGION, as in asn:64500=europe")
        dimension(name)
        return cls(name, value, region)


class Month(NamedTuple):
    """A calendar month (UTC), or the part of one that is in a period."""

    since: datetime
    until: datetime

    @property
    def name(self) -> str:
        """As in `2026-10`."""
        return f"{self.since:%Y-%m}"

    @property
    def whole(self) -> bool:
        """Whether no part of it is missing."""
        first = _first(self.since)
        return self.since == first and self.until == _next(first)

    @property
    def first_hour(self) -> datetime:
        """The hour that it begins in."""
        return self.since.replace(minute=0, second=0, microsecond=0)

    @property
    def hours(self) -> int:
        """How many hours there is something of."""
        return -((self.first_hour - self.until) // _HOUR)

    @property
    def days(self) -> int:
        """How many days, rounded up."""
        return -((self.since - self.until) // timedelta(days=1))


def months(since: datetime, until: datetime) -> list[Month]:
    """The calendar months of a period, the first and the last cut to what is in it."""
    made = []
    while since < until:
        end = min(_next(_first(since)), until)
        made.append(Month(since, end))
        since = end
    return made


def _first(instant: datetime) -> datetime:
    return instant.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _next(first: datetime) -> datetime:
    return _first(first + timedelta(days=32))


class Metered(NamedTuple):
    """The use of some months.

    `rows`: the columns of the dimension, `known` (whether it has a value), `month` (place in `months`),
    `region`, `bytes`, `requests`, `unmeasured`, `sampled` (records that stand for several), `basis` (list).
    `hours`: the columns, `month`, `hour` (place in the month), `bytes`; None where nobody asked for it.
    """

    months: list[Month]
    rows: pl.DataFrame
    hours: pl.DataFrame | None
    untimed: int = 0  # records without a time, which are in no month


def metered(
    con: Connection, card: Card, by: str, since: datetime | None, until: datetime | None, region: str, places: Sequence[Place]
) -> Metered:  # fmt: skip
    """What was used between two instants (None: since the first, to the last that was measured).

    Raises `UsageError` for a dimension or region that there is not, and where nothing was used.
    """
    there = [each.name for each in card.regions]
    for name in (region, *(place.region for place in places)):
        if name and name not in there:
            raise UsageError(f"card {card.name}: no region {name}; " + (f"there are {', '.join(there)}" if there else "it has no regions"))  # fmt: skip
    by_hour = card.percentile.price is not None
    wanted = dimension(by)
    of = (wanted, *(dimension(place.dimension) for place in places))
    if by_hour and any(each.daily for each in of):
        raise UsageError(f"card {card.name} bills by hours, and packages are summed up by the day; ask --by another dimension")  # fmt: skip
    known = months(*_extent(con, since, until))
    rows, hours = [], []
    for number, month in enumerate(known):
        place = pl.lit(number, pl.Int32).alias("month")
        rows.append(_rows(con, wanted, of, month, region or card.region, places).with_columns(place))  # fmt: skip
        if by_hour:
            hours.append(_hours(con, wanted, month).with_columns(place))
    untimed = 0
    if since is None and until is None:
        found = con.execute("SELECT sum(records) FROM usage_by_hour(NULL, NULL) WHERE hour IS NULL").fetchall()  # fmt: skip
        untimed = int(found[0][0] or 0)
    return Metered(known, pl.concat(rows), pl.concat(hours) if hours else None, untimed)


def _extent(
    con: Connection, since: datetime | None, until: datetime | None
) -> tuple[datetime, datetime]:
    if since is not None and until is not None and since >= until:
        raise UsageError("the period ends before it begins")
    sql = "SELECT epoch_us(min(hour)), epoch_us(max(hour)) FROM usage_by_hour($since, $until)"
    first, last = con.execute(sql, {"since": since, "until": until}).fetchall()[0]
    if first is None:
        raise UsageError("no records in the period: nothing was used that costs; 'l7meter day list' says what there is")  # fmt: skip
    start, end = (datetime.fromtimestamp(each // 1_000_000, UTC) for each in (first, last))
    return since or start, until or end + _HOUR


def _rows(
    con: Connection, by: Dimension, of: Sequence[Dimension], month: Month, region: str, places: Sequence[Place]
) -> pl.DataFrame:  # fmt: skip
    raw = ", ".join(dict.fromkeys(name for each in of for name in each.raw))
    columns = ", ".join(f"{sql} AS {name}" for name, sql in by.columns.items())
    table = "usage" if any(each.daily for each in of) else "usage_by_hour"
    cases = " ".join(f"WHEN CAST({dimension(each.dimension).value} AS VARCHAR) = $value_{n} THEN $region_{n}" for n, each in enumerate(places))  # fmt: skip
    values: dict[str, object] = {"since": month.since, "until": month.until, "region": region}
    for n, each in enumerate(places):
        values |= {f"value_{n}": each.value, f"region_{n}": each.region}
    where = f"CASE {cases} ELSE $region END" if places else "$region"
    # grouped by columns as they are first: few groups, and no arithmetic on each row
    sql = f"""
    WITH grouped AS (
        SELECT {raw}, exchange_kind, weight, server_bytes_basis AS basis, sum(server_bytes) AS octets,
            sum(records) AS records, sum(unmeasured_records) AS unmeasured
        FROM {table}($since, $until) GROUP BY ALL
    ), named AS (
        SELECT {columns}, {by.value} IS NOT NULL AS known, CAST({where} AS VARCHAR) AS region, basis,
            coalesce(octets, 0) * weight AS octets, unmeasured * weight AS unmeasured,
            CASE WHEN exchange_kind = 'http' THEN records * weight ELSE 0 END AS requests,
            CASE WHEN weight <> 1 THEN records ELSE 0 END AS sampled
        FROM grouped
    )
    SELECT * EXCLUDE (basis, octets, unmeasured, requests, sampled), {_whole("octets")} AS bytes,
        {_whole("requests")} AS requests, {_whole("unmeasured")} AS unmeasured,
        sum(sampled)::BIGINT AS sampled,
        list_sort(list(DISTINCT basis) FILTER (WHERE basis IS NOT NULL)) AS basis
    FROM named GROUP BY ALL"""
    found: pl.DataFrame = con.sql(sql, params=values).pl()
    return found


def _whole(column: str) -> str:
    """A weighed sum as a whole number: in order of its parts, as doubles do not add alike in any order."""
    return f"coalesce(round(sum({column} ORDER BY {column})), 0)::BIGINT"


def _hours(con: Connection, by: Dimension, month: Month) -> pl.DataFrame:
    columns = ", ".join(f"{sql} AS {name}" for name, sql in by.columns.items())
    sql = f"""
    WITH grouped AS (
        SELECT {", ".join(by.raw)}, hour, weight, sum(server_bytes) AS octets
        FROM usage_by_hour($since, $until) GROUP BY ALL
    )
    SELECT {columns}, ((epoch_us(hour) - epoch_us($first::TIMESTAMPTZ)) // 3600000000)::INTEGER AS hour,
        {_whole("octets * weight")} AS bytes
    FROM grouped GROUP BY ALL"""
    values = {"since": month.since, "until": month.until, "first": month.first_hour}
    found: pl.DataFrame = con.sql(sql, params=values).pl()
    return found
