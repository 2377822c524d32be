"""What each party used in a period, from the rollups of a store.

A party is who could have a share: an organisation, or what stands for many that nobody can tell apart.
Its `standing` says which: `organization`; `exempt`; `provider` (its tenants are not known), `shared`
(addresses that many stand behind) and `unknown`, none of which is ever billed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from l7meter.errors import UsageError
from l7meter.fund.packages import packages
from l7meter.fund.period import Period
from l7meter.fund.policy import Policy
from l7meter.store import Connection

OUTSIDE = ("provider", "shared", "unknown")
STANDINGS = ("organization", "exempt", *OUTSIDE)
MANAGERS = ("repository-manager", "mirror")  # kinds of agents
_MANAGERS = ", ".join(f"'{kind}'" for kind in MANAGERS)
SURE = ("declared", "published", "registry")  # methods that name the holder, not merely the system


class Party(NamedTuple):
    """Who used what in the period: exchanges and octets, those of sampled logs weighed."""

    name: str
    standing: str
    bytes: int = 0
    requests: int = 0
    unmeasured: int = 0  # requests without a byte count
    avoidable_bytes: int = 0  # fetched again within 24 hours, of days that are closed
    managed_bytes: int = 0  # by repository managers and mirrors
    managed_requests: int = 0
    not_modified_bytes: int = 0  # of 304s
    not_modified_requests: int = 0
    packages: int = 0
    sure_bytes: int = 0  # attributed by one of SURE
    variance: float = 0  # of `bytes`, by sampling: octets squared

    @property
    def pays(self) -> bool:
        """Whether it can be asked for a share."""
        return self.standing == "organization"


class Usage(NamedTuple):
    """The parties of a period, in the order of their names, and their octets by the hour.

    `hours` are octets of party (row) and hour of the period (column), int64; empty where no rule asks
    for it. `notes` are sentences on what the figures do not have. `top` are the packages with most
    octets of each (`packages.Packages`), where the policy asks for packages.
    """

    period: Period
    parties: tuple[Party, ...]
    hours: NDArray[np.int64]
    notes: tuple[str, ...] = ()
    top: pl.DataFrame | None = None


class Known(NamedTuple):
    """What the file of organisations says of one."""

    category: str | None = None
    exempt: bool = False
    contact: str | None = None


def read(con: Connection, policy: Policy, period: Period, known: Mapping[str, Known]) -> Usage:
    """What was used in the period, as the policy tells parties apart.

    Raises `UsageError` where there is nothing in the period.
    """
    con.execute("CREATE OR REPLACE TEMP TABLE fund_exempt AS SELECT unnest($names::VARCHAR[]) AS name", {"names": sorted(_exempt(policy, known))})  # fmt: skip
    con.execute("CREATE OR REPLACE TEMP TABLE fund_kinds AS SELECT unnest($kinds::VARCHAR[]) AS kind", {"kinds": list(policy.exempt.network_kinds)})  # fmt: skip
    party = party_sql(policy)
    frame = _sums(con, party, period)
    if frame.is_empty():
        raise UsageError(f"no records in {period}: nothing was used that could be shared")
    found = packages(con, party, period) if _asks(policy, "packages") else None
    frame = _joined(frame, found.counts if found else None)
    notes = []
    unclosed = int(frame["unclosed"].sum())
    if "avoidable" in policy.rules() and unclosed:
        notes.append(f"{unclosed:,} records are of days that are not closed: what was fetched again on these is not known, and counts once; 'l7meter day close --before DAY' closes them.")  # fmt: skip
    if policy.rebate.not_modified:
        unchanged, gone = _not_modified(con, party, period)
        frame = _joined(frame, unchanged)
        if gone:
            notes.append(f"{gone:,} requests are older than the records that are kept: whether they were answered with 304 is not known, and there is no rebate for it.")  # fmt: skip
    fields = [name for name in Party._fields if name in frame.columns]
    parties = tuple(Party(**row) for row in frame.sort("name", "standing").select(fields).iter_rows(named=True))  # fmt: skip
    wanted = {"peak", "shapley"} & set(policy.rules()) and _asks(policy, "bytes")
    hours = (
        _hours(con, party, period, parties, policy.rebate.repository_managers)
        if wanted
        else np.zeros((len(parties), 0), np.int64)
    )
    return Usage(period, parties, hours, tuple(notes), found.top if found else None)


def _asks(policy: Policy, driver: str) -> bool:
    return any(pool.driver == driver for pool in policy.pools)


def _exempt(policy: Policy, known: Mapping[str, Known]) -> set[str]:
    by_file = {name for name, each in known.items() if each.exempt or each.category in policy.exempt.categories}  # fmt: skip
    return by_file | set(policy.exempt.organizations)


def name_sql(policy: Policy) -> str:
    """The SQL of a party's name; null where it is unknown."""
    company = "coalesce(parent_organization, organization)"
    return company if policy.fund.payer == "parent" else "organization"


def party_sql(policy: Policy) -> str:
    """The SQL of a party's name and standing."""
    name = name_sql(policy)
    exempt = "organization IN (FROM fund_exempt) OR parent_organization IN (FROM fund_exempt) OR network_kind IN (FROM fund_kinds)"  # fmt: skip
    standing = (
        "CASE WHEN organization IS NULL THEN 'unknown' WHEN attributable IS NOT TRUE THEN 'provider' "
        f"WHEN shared_egress IS NOT NULL THEN 'shared' WHEN {exempt} THEN 'exempt' ELSE 'organization' END"
    )
    return f"coalesce({name}, '(unknown)') AS name, {standing} AS standing"


def _sums(con: Connection, party: str, period: Period) -> pl.DataFrame:
    sure = ", ".join(f"'{method}'" for method in SURE)
    # grouped by columns as they are first: few groups, and no arithmetic on each row
    sql = f"""
    WITH grouped AS (
        SELECT organization, parent_organization, attributable, shared_egress, network_kind,
            organization_method, agent_kind, exchange_kind, weight,
            sum(server_bytes) AS octets, sum(records) AS records, sum(unmeasured_records) AS unmeasured,
            sum(avoidable_bytes) AS again, sum(squared_bytes) AS squares,
            sum(records) FILTER (WHERE avoidable_bytes IS NULL) AS unclosed
        FROM usage_by_hour($since, $until) GROUP BY ALL
    ), weighed AS (
        SELECT {party}, coalesce(octets, 0) * weight AS octets,
            CASE WHEN exchange_kind = 'http' THEN records * weight ELSE 0 END AS requests,
            unmeasured * weight AS unmeasured, coalesce(again, 0) * weight AS again,
            coalesce(agent_kind IN ({_MANAGERS}), false) AS managed,
            coalesce(organization_method IN ({sure}), false) AS sure,
            coalesce(weight * (weight - 1) * squares, 0) AS variance, coalesce(unclosed, 0) AS unclosed
        FROM grouped
    )
    SELECT name, standing, {_whole("octets")} AS bytes, {_whole("requests")} AS requests,
        {_whole("unmeasured")} AS unmeasured, {_whole("again")} AS avoidable_bytes,
        {_whole("octets", "managed")} AS managed_bytes, {_whole("requests", "managed")} AS managed_requests,
        {_whole("octets", "sure")} AS sure_bytes, sum(variance)::DOUBLE AS variance,
        sum(unclosed)::BIGINT AS unclosed
    FROM weighed GROUP BY ALL"""
    found: pl.DataFrame = con.sql(sql, params=_period(period)).pl()
    return found


def _whole(column: str, where: str = "true") -> str:
    """A weighed sum as a whole number: in order of its parts, as doubles do not add alike in any order."""
    return f"coalesce(round(sum({column} ORDER BY {column}) FILTER (WHERE {where})), 0)::BIGINT"


def _period(period: Period) -> dict[str, object]:
    return {"since": period.since, "until": period.until}


def _not_modified(con: Connection, party: str, period: Period) -> tuple[pl.DataFrame, int]:
    """What was answered with 304, and how many requests there are of which no record is left.

    Repository managers are left out: they have a rebate of their own, and no octet has two.
    """
    weight = "coalesce(sample_weight, 1)"
    within = "ts >= $since AND ts < $until AND exchange_kind = 'http'"
    sql = f"""
    SELECT {party}, {_whole(weight)} AS not_modified_requests,
        {_whole(f"server_bytes * {weight}")} AS not_modified_bytes
    FROM records WHERE {within} AND response_status_code = 304
        AND coalesce(agent_kind NOT IN ({_MANAGERS}), true)
    GROUP BY ALL"""
    found = con.sql(sql, params=_period(period)).pl()
    held = con.execute(f"SELECT count(*) FROM records WHERE {within}", _period(period)).fetchall()
    counted = con.execute("SELECT sum(records) FROM usage_by_hour($since, $until) WHERE exchange_kind = 'http'", _period(period)).fetchall()  # fmt: skip
    return found, int(counted[0][0] or 0) - int(held[0][0])


def _joined(frame: pl.DataFrame, more: pl.DataFrame | None) -> pl.DataFrame:
    if more is None:
        return frame
    new = [name for name in more.columns if name not in frame.columns]
    both = frame.join(more, on=["name", "standing"], how="left")
    return both.with_columns(pl.col(new).fill_null(0))


_SAME = "organization, parent_organization, attributable, shared_egress, network_kind"


def _hours(
    con: Connection, party: str, period: Period, parties: Sequence[Party], rebate: float
) -> NDArray[np.int64]:
    # by a number, and names once: millions of rows, some thousand parties
    names = f"SELECT DISTINCT hash({_SAME}) AS key, {party} FROM usage_by_hour($since, $until)"
    sums = f"""
    SELECT hash({_SAME}) AS key, (epoch_us(hour) - epoch_us($since::TIMESTAMPTZ)) // 3600000000 AS place,
        weight, coalesce(agent_kind IN ({_MANAGERS}), false) AS managed, sum(server_bytes)::BIGINT AS octets
    FROM usage_by_hour($since, $until) WHERE server_bytes IS NOT NULL GROUP BY key, place, weight, managed"""
    rows = pl.DataFrame({"name": [each.name for each in parties], "standing": [each.standing for each in parties]}).with_row_index("row")  # fmt: skip
    keys = con.sql(names, params=_period(period)).pl().join(rows, on=["name", "standing"])  # fmt: skip
    found = con.sql(sums, params=_period(period)).pl().join(keys.select("key", "row"), on="key")
    width = period.days * 24
    found = found.with_columns(cell=pl.col("row").cast(pl.Int64) * width + pl.col("place"))
    times = pl.col("weight") * pl.when("managed").then(1 - rebate).otherwise(1.0)
    whole, parts = found.filter(times == 1), found.filter(times != 1)
    made = np.zeros(len(parties) * width, np.int64)
    np.add.at(made, whole["cell"].to_numpy(), whole["octets"].to_numpy())
    # doubles, in one order: they do not add up alike in any
    weighed = parts.group_by("cell").agg((pl.col("octets") * times).sort().sum().round().cast(pl.Int64))  # fmt: skip
    np.add.at(made, weighed["cell"].to_numpy(), weighed["octets"].to_numpy())
    return made.reshape(len(parties), width)
