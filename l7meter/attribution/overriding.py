"""What the foundation's file says of requests themselves: by their credential, or by their agent."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from l7meter.attribution.declared import Declaration
from l7meter.columns import map_distinct


def declare(records: pl.DataFrame, declared: Sequence[Declaration]) -> pl.DataFrame:
    """The records, the declared organisation put where a credential or an agent tells it.

    A credential goes before everything; an agent, which is only a claim, goes behind declared
    networks and systems. The first pattern that matches tells.
    """
    by_name = {name: each.name for each in declared for name in each.credentials}
    patterns = [(pattern, each.name) for each in declared for pattern in each.agents]
    if not (by_name or patterns):
        return records
    nothing = pl.Series([None], dtype=pl.String).new_from_index(0, records.height)
    credential = agent = nothing
    if by_name:
        names = records["user_name"].cast(pl.String)
        credential = names.replace_strict(by_name, default=None, return_dtype=pl.String)
    if patterns:
        agents = records["user_agent_original"]
        agent = map_distinct(agents, lambda texts: _matched(texts, patterns))
    columns = {"_credential": credential, "_agent": agent}
    parents = {each.name: each.parent for each in declared}
    name = pl.coalesce(
        "_credential", pl.when(pl.col("organization_method") != "declared").then("_agent")
    )
    found = name.is_not_null()
    return (
        records.with_columns(
            pl.col("organization", "parent_organization", "organization_method").cast(pl.String),
            **columns,
        )
        .with_columns(_name=name)
        .with_columns(
            pl.coalesce("_name", "organization").alias("organization"),
            pl.when(found)
            .then(pl.col("_name").replace_strict(parents, default=None, return_dtype=pl.String))
            .otherwise("parent_organization")
            .alias("parent_organization"),
            pl.when(found).then(pl.lit("declared")).otherwise("organization_method").alias("organization_method"),
            (found | pl.col("attributable")).alias("attributable"),
        )
        .drop("_credential", "_agent", "_name")
    )  # fmt: skip


def _matched(agents: pl.Series, patterns: Sequence[tuple[str, str]]) -> pl.Series:
    tried = [
        pl.when(pl.col("agent").str.contains(pattern)).then(pl.lit(name))
        for pattern, name in patterns
    ]
    return pl.DataFrame({"agent": agents}).select(pl.coalesce(tried)).to_series()
