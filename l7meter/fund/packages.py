"""The packages of each party in a period: how many there are, and those with most octets.

Packages of many parties are many millions of sums, so they are made by numbers (hashes of the names), a
range of organisations at a time, and names are looked up for the few that are shown. Two packages of one
party whose hashes agree would be taken for one: a chance of 1 in 400 million for a party with 300,000.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import polars as pl

from l7meter.fund.period import Period
from l7meter.store import Connection

TOP = 20  # packages of a party that are named
RANGE_RECORDS = 12_000_000  # looked at together: some 1 GB
_HASHED = "hash(package_ecosystem, package_name)"
_KEY = "hash(organization, parent_organization, attributable, shared_egress, network_kind)"
_ONE = "SELECT DISTINCT {key} AS key, {party} FROM usage_by_hour($since, $until)"
_FOLDED = """
    SELECT party, hashed, nameless, coalesce(round(sum(octets * weight ORDER BY weight)), 0)::BIGINT AS bytes,
        coalesce(round(sum(records * weight ORDER BY weight)), 0)::BIGINT AS requests
    FROM {rows} GROUP BY party, hashed, nameless"""
_PLAIN = "SELECT party, hashed, nameless, coalesce(octets, 0) AS bytes, coalesce(records, 0) AS requests FROM {rows}"  # fmt: skip


class Packages(NamedTuple):
    """Frames by `name` and `standing`: `packages`, how many there are; and those with the most octets, `TOP` of
    each and what has as many as the last: `hashed`, `bytes` and `requests`, weighed for sampled logs.
    """

    counts: pl.DataFrame
    top: pl.DataFrame


def packages(con: Connection, party: str, period: Period, of: str | None = None) -> Packages:
    """The packages of a period by party (`usage.party_sql`), of the rollups; with `of` (a condition as SQL) of some."""
    within = {"since": period.since, "until": period.until}
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE fund_keys AS SELECT *, count(*) OVER (PARTITION BY name, standing) > 1 AS several "
        f"FROM ({_ONE.format(key=_KEY, party=party)})",
        within,
    )
    sampled = con.execute("SELECT 1 FROM usage_by_hour($since, $until) WHERE weight <> 1 LIMIT 1", within).fetchall()  # fmt: skip
    weight = "weight" if sampled else "1::DOUBLE AS weight"
    folded = _FOLDED if sampled else _PLAIN
    con.execute("DROP TABLE IF EXISTS fund_several")
    made = []
    for number, (condition, values) in enumerate([(of, {})] if of else _ranges(con, within)):
        con.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE fund_part AS
            SELECT {_KEY} AS party, {_HASHED} AS hashed, package_name IS NULL AS nameless, {weight},
                sum(server_bytes)::BIGINT AS octets, sum(records) FILTER (WHERE exchange_kind = 'http')::BIGINT AS records
            FROM usage($since, $until) WHERE {condition}
            GROUP BY party, hashed, nameless{", weight" if sampled else ""}""",
            {**within, **values},
        )
        verb = "INSERT INTO fund_several" if number else "CREATE TEMP TABLE fund_several AS"
        con.execute(f"{verb} SELECT hash(name, standing) AS party, hashed, nameless, weight, octets, records FROM fund_part JOIN fund_keys ON key = party WHERE several")  # fmt: skip
        alone = "(FROM fund_part WHERE party NOT IN (SELECT key FROM fund_keys WHERE several))"
        made.append(_told(con, folded.format(rows=alone)))
    con.execute("DROP TABLE fund_part")
    together = "(SELECT party, hashed, nameless, weight, sum(octets)::BIGINT AS octets, sum(records)::BIGINT AS records FROM fund_several GROUP BY party, hashed, nameless, weight)"  # fmt: skip
    made.append(_told(con, folded.format(rows=together)))
    con.execute("DROP TABLE fund_several")
    names = con.sql("SELECT DISTINCT CASE WHEN several THEN hash(name, standing) ELSE key END AS party, name, standing FROM fund_keys").pl()  # fmt: skip
    counts, top = (pl.concat(each).join(names, on="party").drop("party") for each in zip(*made, strict=True))  # fmt: skip
    return Packages(counts, top)


def _ranges(con: Connection, within: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Conditions that hold for some organisations next to each other, with some `RANGE_RECORDS` records; then for none."""
    found = con.sql("SELECT organization, sum(records)::BIGINT AS records FROM usage_by_hour($since, $until) WHERE organization IS NOT NULL GROUP BY 1 ORDER BY 1", params=within).pl()  # fmt: skip
    part = found.with_columns(part=(pl.col("records").cum_sum() - 1) // RANGE_RECORDS)
    for low, high in part.group_by("part").agg(low=pl.col("organization").min(), high=pl.col("organization").max()).sort("part").select("low", "high").iter_rows():  # fmt: skip
        yield "organization BETWEEN $low AND $high", {"low": low, "high": high}
    yield "organization IS NULL", {}


def _told(con: Connection, rows: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """How many packages a party has, and those with most octets."""
    counts = con.sql(f"SELECT party, count(*) FILTER (WHERE NOT nameless) AS packages FROM ({rows}) GROUP BY party").pl()  # fmt: skip
    least = f"SELECT party, min(each) AS least FROM (SELECT party, unnest(max(bytes, {TOP})) AS each FROM ({rows}) GROUP BY party) GROUP BY party"  # fmt: skip
    top = con.sql(f"SELECT party, hashed, bytes, requests FROM ({rows}) JOIN ({least}) USING (party) WHERE bytes >= least").pl()  # fmt: skip
    return counts, top


def named(con: Connection, period: Period) -> pl.DataFrame:
    """The `ecosystem` and `package` of all that are `hashed`."""
    # a join by the hash would take ten times as long
    sql = f"""
    SELECT {_HASHED} AS hashed, any_value(package_ecosystem) AS ecosystem, any_value(package_name) AS package
    FROM usage($since, $until) GROUP BY 1"""
    found: pl.DataFrame = con.sql(sql, params={"since": period.since, "until": period.until}).pl()
    return found
