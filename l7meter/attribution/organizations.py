"""Autonomous system → organisation, kind of network, and whether the holder is the user.

Two rungs of the ladder of methods are climbed here: `registry` (the curated table, pinned by ASN) and
`as_name` (the AS's name without its legal form). Table and rules are data: `data/organizations.toml`.
"""

from __future__ import annotations

from datetime import date
from functools import cache

import polars as pl

from l7meter.attribution.organization_names import is_told, plain_name, rule_of
from l7meter.attribution.organization_prefixes import curated_prefixes
from l7meter.attribution.organization_table import TABLE, Organization, table

__all__ = ["TABLE", "Organization", "curated_prefixes", "holders", "plain_name", "table"]

_REGISTRY = "AS{} is listed in organizations.toml"
_AS_NAME = "AS{} is not listed; the organisation is its name without the legal form"
_NAME_RULE = "; the kind is read off the name"
_UNNAMED = "AS{} has no registered name"


def holders(systems: pl.DataFrame, day: date | None = None) -> pl.DataFrame:
    """What is concluded of each autonomous system, same height and order.

    Takes `asn` and `name` (null: none registered). Gives client_asn, client_as_name, organization,
    organization_method, network_kind, attributable (never null), parent_organization (null: none is
    known) and address_rule, as `addresses.conclude` does. The hunks of the table that hold for `day`
    apply; None is the snapshot's day. An organisation found only by name has the kind `unknown` unless
    a name rule is sure, and an unknown kind is not attributable: a name does not say who uses a network.
    """
    rules = table()
    sure = pl.DataFrame(
        [(row, rule.kind, rule.provider) for row, rule in enumerate(rules.name_rules)],
        schema={"rule": pl.Int32, "rule_kind": pl.String, "rule_provider": pl.Boolean},
        orient="row",
    )
    listed, is_named = pl.col("pinned").is_not_null(), pl.col("name").is_not_null()
    unlisted = (
        systems.with_columns(pl.col("asn").cast(pl.UInt32))
        .join(_pinned(day), on="asn", how="left", maintain_order="left")
        .with_columns(pl.when(~listed).then("name").alias("unlisted"))
        .with_columns(
            plain_name(pl.col("unlisted")).alias("plain"),
            is_told(pl.col("unlisted"), rules.name_rules).alias("is_told"),
        )
        .with_row_index("row")
    )
    # Four names of five say nothing of a kind: each rule reads the fifth only.
    told = unlisted.filter("is_told").select(
        "row", rule_of(pl.col("unlisted"), rules.name_rules).alias("rule")
    )
    frame = (
        unlisted.join(told, on="row", how="left", maintain_order="left")
        .join(sure, on="rule", how="left", maintain_order="left")
        .with_columns(
            pl.when(listed)
            .then("kind")
            .otherwise(pl.col("rule_kind").fill_null("unknown"))
            .alias("network_kind"),
            pl.when(listed).then("provider").otherwise("rule_provider").alias("provider"),
        )
    )
    number = pl.col("asn").cast(pl.String)
    by_name = pl.when(pl.col("rule").is_null()).then(pl.lit("")).otherwise(pl.lit(_NAME_RULE))
    return frame.select(
        pl.col("asn").cast(pl.Int64).alias("client_asn"),
        pl.col("name").alias("client_as_name"),
        pl.coalesce("pinned", "plain").alias("organization"),
        pl.when(listed)
        .then(pl.lit("registry"))
        .when(is_named)
        .then(pl.lit("as_name"))
        .otherwise(pl.lit("none"))
        .alias("organization_method"),
        "network_kind",
        (
            pl.col("network_kind").is_in(sorted(rules.attributable_kinds))
            & ~pl.col("provider").fill_null(True)
        ).alias("attributable"),
        pl.col("parent").alias("parent_organization"),
        pl.when(listed)
        .then(pl.format(_REGISTRY, number))
        .when(is_named)
        .then(pl.format(_AS_NAME, number) + by_name)
        .otherwise(pl.format(_UNNAMED, number))
        .alias("address_rule"),
    )


@cache
def _pinned(day: date | None) -> pl.DataFrame:
    return pl.DataFrame(
        [
            (asn, o.name, o.kind, o.provider, o.parent)
            for _, o in table().valid(day)
            for asn in o.asns
        ],
        schema={
            "asn": pl.UInt32,
            "pinned": pl.String,
            "kind": pl.String,
            "provider": pl.Boolean,
            "parent": pl.String,
        },
        orient="row",
    )
