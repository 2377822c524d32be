"""The tables of a public report: the use of a period by one thing at a time, as it may be shown.

Each table parts the same records by one key (`KEYS`), so that none is a finer cut of another. `use` gives them with
exact figures, `folded` puts them under a floor of clients; what two of them side by side would tell is `public_linked`'s to say.

A client is a client address, counted from the sketches of the store. Below `SURE` registers of a sketch it is their number,
which is never more than there are clients: a floor is never reached by an error of estimation.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import polars as pl

from l7meter.analysis.publishing import CLIENTS, publishable
from l7meter.fund.period import Period
from l7meter.store import Connection

SURE = 256  # of 256 clients 2 share a register of 16,384 with another; the estimate has 0.8 % too

# table: its key, in SQL over `usage_by_hour`. The standings are those of `fund.usage`. CI stands among the agents by what
# agents say alone: their networks are a row of `networks`.
KEYS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "attribution": ("attribution", "CASE WHEN organization IS NULL THEN 'unknown' WHEN attributable IS NOT TRUE THEN 'provider' WHEN shared_egress IS NOT NULL THEN 'shared' ELSE 'organization' END"),
        "networks": ("network_kind", "coalesce(network_kind, 'unknown')"),
        "agents": ("agent_kind", "CASE WHEN agent_ci OR agent_kind = 'ci' THEN 'ci' ELSE coalesce(agent_kind, 'unknown') END"),
        "ecosystems": ("ecosystem", "coalesce(package_ecosystem, 'unknown')"),
        "days": ("day", "CAST(CAST(make_timestamp(epoch_us(hour)) AS DATE) AS VARCHAR)"),
    }
)  # fmt: skip
ORGANIZATION = "organization"  # the key, and the standing, of what can be named
OTHERS = "(others)"  # what is folded
OUTSIDE = "(not an organisation)"  # the rest, where organisations are named
_NAMED = f"CASE WHEN ({KEYS['attribution'][1]}) = 'organization' THEN organization ELSE '{OUTSIDE}' END"  # fmt: skip


class Use(NamedTuple):
    """What was used in a period, exactly: for no eyes but the publisher's.

    `totals` has one row: `bytes`, `requests`, `downloads`, `packages`, `unmeasured` (requests without a byte count),
    `clients`, `basis`. `tables` have their key, then `bytes`, `share`, `requests`, `clients`, `basis`; `networks` also
    `organizations`. `named` is such a table of organisations, with a row for all that is none.
    """

    period: Period
    totals: pl.DataFrame
    tables: dict[str, pl.DataFrame]
    named: pl.DataFrame
    days: int  # that have records
    closed: int  # days of which it is known what was fetched again
    avoidable: (
        float | None
    )  # part of the octets of closed days that was fetched again within 24 hours
    avoidable_clients: int  # at most so many fetched any of it
    sampled: bool


def read(con: Connection, period: Period, named: bool) -> Use:
    """What was used in a period; makes temporary tables `public_usage` and `public_clients`.

    Without `named` the clients of organisations are not counted, and `named` has none.     All figures are null or 0 where there is nothing.
    """
    values = {"since": period.since, "until": period.until}
    keys = ", ".join(f"{sql} AS {name}" for name, sql in KEYS.values())
    names = ", ".join([*(name for name, _ in KEYS.values()), "named"])
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE public_usage AS
        SELECT {keys}, {_NAMED} AS named, organization, server_bytes_basis AS basis, weight,
            sum(server_bytes) AS octets, sum(records) FILTER (WHERE exchange_kind = 'http') AS requests,
            sum(records) FILTER (WHERE is_download) AS downloads, sum(unmeasured_records) AS unmeasured,
            sum(avoidable_bytes) AS again, bool_and(avoidable_bytes IS NOT NULL) AS closed
        FROM usage_by_hour($since, $until) GROUP BY ALL""",
        values,
    )
    # registers once, and not the text of the sketches for each of the many questions
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE public_clients AS
        SELECT {names}, coupon >> 6 AS register, max(coupon & 63) AS rank
        FROM (SELECT {names}, unnest(coupons(clients)) AS coupon FROM (
            SELECT DISTINCT {keys}, {_NAMED if named else "CAST(NULL AS VARCHAR)"} AS named, clients FROM usage_by_hour($since, $until)
        )) GROUP BY ALL""",
        values,
    )
    again = con.execute("SELECT count(DISTINCT coupon >> 6) FROM (SELECT unnest(coupons(clients)) AS coupon FROM usage_by_hour($since, $until) WHERE avoidable_records > 0)", values).fetchall()  # fmt: skip
    organizations = con.sql(f"SELECT named AS {ORGANIZATION}, {_SUMS} FROM public_usage GROUP BY ALL").pl()  # fmt: skip
    days, closed, avoidable, sampled = con.execute(_DAYS).fetchall()[0]
    return Use(
        period,
        _totals(con, values),
        {name: _table(con, key, name == "networks") for name, (key, _) in KEYS.items()},
        _shared(organizations, clients(con, ORGANIZATION, "named"), ORGANIZATION),
        days,
        closed,
        avoidable,
        again[0][0],
        bool(sampled),
    )


def _whole(column: str) -> str:
    """A weighed sum as a whole number: in order of its parts, as doubles do not add alike in any order."""
    return f"round(sum({column} * weight ORDER BY {column} * weight))::BIGINT"


_BASIS = "string_agg(DISTINCT basis, '+' ORDER BY basis) AS basis"
_SUMS = f"{_whole('octets')} AS bytes, coalesce({_whole('requests')}, 0) AS requests, {_BASIS}"
_DAYS = """
SELECT count(*), count(*) FILTER (WHERE closed),
    sum(again) FILTER (WHERE closed) / nullif(sum(octets) FILTER (WHERE closed), 0), bool_or(sampled)
FROM (
    SELECT day, bool_and(closed) AS closed, sum(octets * weight ORDER BY octets * weight) AS octets,
        coalesce(sum(again * weight ORDER BY again * weight), 0) AS again, bool_or(weight <> 1) AS sampled
    FROM public_usage GROUP BY day
)"""


def _totals(con: Connection, values: Mapping[str, object]) -> pl.DataFrame:
    sums = con.sql(f"SELECT {_SUMS}, {_whole('downloads')} AS downloads, {_whole('unmeasured')} AS unmeasured FROM public_usage").pl()  # fmt: skip
    packages = con.sql("SELECT count(DISTINCT hash(package_ecosystem, package_name)) FILTER (WHERE package_name IS NOT NULL) AS packages FROM usage($since, $until)", params=dict(values)).pl()  # fmt: skip
    both: pl.DataFrame = pl.concat([sums, packages, clients(con)], how="horizontal")
    return both.select("bytes", "requests", "downloads", "packages", CLIENTS, "unmeasured", "basis")


def _table(con: Connection, key: str, organizations: bool) -> pl.DataFrame:
    counted = ", count(DISTINCT organization) AS organizations" if organizations else ""
    sums = con.sql(f"SELECT {key}, {_SUMS}{counted} FROM public_usage GROUP BY ALL").pl()
    return _shared(sums, clients(con, key), key)


def _shared(sums: pl.DataFrame, counted: pl.DataFrame, key: str) -> pl.DataFrame:
    """Sums with their clients and shares, the largest first, days in their order."""
    made = sums.join(counted, on=key, how="left").with_columns(pl.col(CLIENTS).fill_null(0), share=pl.col("bytes") / pl.col("bytes").sum())  # fmt: skip
    more = [name for name in made.columns if name == "organizations"]
    made = made.select(key, "bytes", "share", "requests", CLIENTS, *more, "basis")
    return made.sort(key) if key == "day" else made.sort("bytes", key, descending=[True, False], nulls_last=True)  # fmt: skip


def clients(con: Connection, key: str = "", column: str = "") -> pl.DataFrame:
    """Distinct clients by a key, in a column of `public_clients`, or of all of it."""
    keyed, group = (f"{column or key} AS {key}, ", f"{key}, ") if key else ("", "")
    found: pl.DataFrame = con.sql(f"""
    WITH registers AS (SELECT {keyed}register, max(rank) AS rank FROM public_clients GROUP BY ALL)
    SELECT {group}if(count(*) < {SURE}, count(*), round(estimated_clients(count(*), sum(pow(2.0, -rank)))))::BIGINT AS {CLIENTS}
    FROM registers {f"GROUP BY {key}" if key else ""}""").pl()
    return found


def folded(frame: pl.DataFrame, floor: int, outside: str | None = None) -> pl.DataFrame:
    """A table under the floor, figures still exact: no row stands for fewer clients, what is folded is `OTHERS`.

    A row `outside` stays out of it: what is folded is folded among the others. Empty where no row reaches the floor.
    """
    key = pl.col(frame.columns[0])
    rest = frame.filter(key.eq_missing(pl.lit(outside, pl.String)))
    made = publishable(frame.filter(key.ne_missing(pl.lit(outside, pl.String))), floor, 0)
    alone = pl.col(CLIENTS).is_not_null()
    if not made.select(alone.any()).item():
        return frame.clear()
    named = pl.when(alone).then(key).otherwise(pl.lit(OTHERS)).alias(frame.columns[0])
    return pl.concat([made.with_columns(named), rest])


def least(frame: pl.DataFrame, floor: int) -> int:
    """The fewest clients of a row that reaches a floor."""
    return int(frame.filter(pl.col(CLIENTS) >= floor).select(pl.col(CLIENTS).min().fill_null(floor)).item())  # fmt: skip


def shown(frame: pl.DataFrame, floor: int, digits: int) -> pl.DataFrame:
    """A folded table as it is published: rounded; how many organisations there are only from the floor on."""
    made = publishable(frame, 0, digits)
    lifted = pl.when(pl.col(CLIENTS) < floor).then(floor).otherwise(pl.col(CLIENTS))
    made = made.with_columns(lifted.alias(CLIENTS))
    if "organizations" in made.columns:
        enough = pl.when(pl.col("organizations") >= floor).then(pl.col("organizations"))
        made = made.with_columns(organizations=enough)
    return made
