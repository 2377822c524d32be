"""The figures of statements, of many organisations at once: one question for all of them.

Each frame has `name` and `standing` of a party as in `fund.usage`, then its own columns; `bytes` and
`requests` are weighed for sampled logs. `shown` has the same questions of one party, for its statement.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

import polars as pl

from l7meter.fund.packages import TOP, named, packages
from l7meter.fund.period import Period
from l7meter.fund.policy import Policy
from l7meter.fund.usage import Party, Usage, name_sql, party_sql
from l7meter.store import Connection

_FEW = 100  # of so many, only what they used is read
_WANTED = "standing IN ('organization', 'exempt') AND name IN (FROM wanted)"
# Whole numbers are summed first, for each weight: doubles would not add up alike in any order.
_SUMS = {
    "bytes": ("server_bytes", "coalesce(round(sum({0} * weight ORDER BY weight)), 0)::BIGINT"),
    "requests": ("requests", "coalesce(round(sum({0} * weight ORDER BY weight)), 0)::BIGINT"),
    "avoidable_bytes": ("avoidable_bytes", "round(sum({0} * weight ORDER BY weight))::BIGINT"),
}  # fmt: skip
_COLUMNS: Mapping[str, dict[str, str]] = MappingProxyType(
    {
        "by_day": {"day": "CAST(make_timestamp(epoch_us(hour)) AS DATE)"},
        "by_network": {"asn": "client_asn", "as_name": "client_as_name", "network_kind": "network_kind"},
        "by_client": {"agent_name": "agent_name", "agent_kind": "agent_kind"},
        "by_ecosystem": {"ecosystem": "package_ecosystem"},
        "by_tool": {"ecosystem": "package_ecosystem", "agent_name": "agent_name"},
        "methods": {"method": "coalesce(organization_method, 'none')"},
        "bases": {"basis": "server_bytes_basis"},
    }
)  # fmt: skip
_ASKED = ("client_asn", "client_as_name", "network_kind", "agent_name", "agent_kind", "package_ecosystem", "organization_method", "server_bytes_basis")  # fmt: skip
_PACKAGE = {"ecosystem": "package_ecosystem", "package": "package_name"}


def _stated(party: str) -> str:
    """The SQL of what `usage_by_hour` has of those wanted, by the day and all that the questions ask for."""
    return f"""
    SELECT name, standing, {_COLUMNS["by_day"]["day"]} AS day, {", ".join(_ASKED)}, weight,
        sum(server_bytes)::BIGINT AS server_bytes, sum(avoidable_bytes)::BIGINT AS avoidable_bytes,
        sum(records) FILTER (WHERE exchange_kind = 'http')::BIGINT AS requests
    FROM (SELECT {party}, * FROM usage_by_hour($since, $until)) WHERE {_WANTED} GROUP BY ALL"""


def _question(columns: Mapping[str, str]) -> str:
    """One of the questions, as SQL over that."""
    wanted = [name for name in _SUMS if name != "avoidable_bytes" or "day" in columns]
    keys = ", ".join(name if name == "day" else f"{text} AS {name}" for name, text in columns.items())  # fmt: skip
    inner = ", ".join(f"sum({_SUMS[name][0]}) AS {name}" for name in wanted)
    outer = ", ".join(f"{_SUMS[name][1].format(name)} AS {name}" for name in wanted)
    return (
        f"SELECT name, standing, {', '.join(columns)}, {outer} FROM ("
        f"SELECT name, standing, weight, {keys}, {inner} FROM stated GROUP BY ALL) GROUP BY ALL"
    )


def shown(party: Party, policy: Policy, period: Period) -> dict[str, str]:
    """The same questions of one party alone, as anybody can ask them: `l7meter sql "SELECT ..."`."""
    name = "coalesce(parent_organization, organization)" if policy.fund.payer == "parent" else "organization"  # fmt: skip
    where = f"{name} = {_quoted(party.name)} AND attributable AND shared_egress IS NULL"
    kinds = ", ".join(map(_quoted, policy.exempt.network_kinds))
    if kinds and party.standing == "organization":
        where += f" AND coalesce(network_kind NOT IN ({kinds}), true)"
    days = f"'{period.since:%Y-%m-%d}', '{period.until:%Y-%m-%d}'"
    made = {}
    for question, columns in {**_COLUMNS, "by_package": _PACKAGE}.items():
        table = "usage" if question == "by_package" else "usage_by_hour"
        keys = ", ".join(text if text == each else f"{text} AS {each}" for each, text in columns.items())  # fmt: skip
        made[question] = (
            f"SELECT {keys}, sum(server_bytes * weight) AS bytes, sum(records * weight) FILTER "
            f"(WHERE exchange_kind = 'http') AS requests FROM {table}({days}) WHERE {where} GROUP BY ALL ORDER BY bytes DESC"
        )
    return made


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def read(
    con: Connection, policy: Policy, usage: Usage, names: Collection[str]
) -> dict[str, pl.DataFrame]:
    """The frames by their names, each ordered by what has most bytes (days by the day).

    `usage` was read of the same connection, which has the tables of who is exempt since.
    """
    period = usage.period
    con.execute("CREATE OR REPLACE TEMP TABLE wanted AS SELECT unnest($names::VARCHAR[]) AS name", {"names": sorted(names)})  # fmt: skip
    values: dict[str, Any] = {"since": period.since, "until": period.until}
    con.execute(f"CREATE OR REPLACE TEMP TABLE stated AS {_stated(party_sql(policy))}", values)
    found = {name: con.sql(_question(columns)).pl() for name, columns in _COLUMNS.items()}
    con.execute("DROP TABLE stated")
    found["by_package"] = _packages(con, policy, usage, names)
    return {name: _ordered(frame) for name, frame in found.items()}


def _packages(con: Connection, policy: Policy, usage: Usage, names: Collection[str]) -> pl.DataFrame:  # fmt: skip
    top = usage.top
    if top is None:
        of = f"{name_sql(policy)} IN (FROM wanted)" if len(names) <= _FEW else None
        top = packages(con, party_sql(policy), usage.period, of).top
    stated = pl.col("name").is_in(list(names)) & pl.col("standing").is_in(
        ["organization", "exempt"]
    )
    whole = top.filter(stated).join(named(con, usage.period), on="hashed")
    ordered = whole.sort("name", "standing", "bytes", "ecosystem", "package", descending=[False, False, True, False, False], nulls_last=True)  # fmt: skip
    return ordered.group_by("name", "standing", maintain_order=True).head(TOP).select("name", "standing", "ecosystem", "package", "bytes", "requests")  # fmt: skip


def _ordered(frame: pl.DataFrame) -> pl.DataFrame:
    if "day" in frame.columns:
        return frame.sort("name", "standing", "day")
    keys = [name for name in frame.columns if name not in ("name", "standing", "bytes")]
    return frame.sort("name", "standing", "bytes", *keys, descending=[False, False, True] + [False] * len(keys), nulls_last=True)  # fmt: skip


def clients(con: Connection, policy: Policy, period: Period) -> pl.DataFrame:
    """Distinct client addresses of each that is `wanted`, estimated, of the records that are kept."""
    text = f"""
    SELECT name, standing, approx_count_distinct(client_address) AS clients
    FROM (SELECT {party_sql(policy)}, client_address FROM records WHERE ts >= $since AND ts < $until)
    WHERE {_WANTED} GROUP BY ALL"""
    found: pl.DataFrame = con.sql(text, params={"since": period.since, "until": period.until}).pl()
    return found
