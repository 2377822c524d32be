"""Autonomous system → organisation, kind of network, and whether the holder is the user.

Two rungs of the ladder of methods are climbed here: `registry` (the curated table, pinned by ASN) and
`as_name` (the AS's name without its legal form). Table and rules are data: `data/organizations.toml`.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import NamedTuple

import polars as pl

TABLE = Path(__file__).parent / "data" / "organizations.toml"

_SEPARATORS = r"[\s,.&]"
_REGISTRY = "AS{} is listed in organizations.toml"
_AS_NAME = "AS{} is not listed; the organisation is its name without the legal form"
_NAME_RULE = "; the kind is read off the name"
_UNNAMED = "AS{} has no registered name"


class Organization(NamedTuple):
    """One hunk of the curated table."""

    name: str
    kind: str
    asns: tuple[int, ...]
    known_as: tuple[str, ...]  # how the AS names of `asns` begin, letter case aside
    why: str
    parent: str | None = None
    provider: bool = False  # serves other organisations, whatever its kind


class NameRule(NamedTuple):
    """What an AS name says of the kind of network."""

    kind: str
    pattern: str
    why: str
    unless: str | None = None
    provider: bool = False


class Table(NamedTuple):
    """The whole of `organizations.toml`."""

    organizations: tuple[Organization, ...]
    name_rules: tuple[NameRule, ...]
    attributable_kinds: frozenset[str]
    any_case: tuple[str, ...]
    as_written: tuple[str, ...]
    leading: tuple[str, ...]


@cache
def table() -> Table:
    """The table that ships with the package."""
    data = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    hunks = (
        hunk | {"asns": tuple(hunk["asns"]), "known_as": tuple(hunk["known_as"])}
        for hunk in data["organization"]
    )
    forms = data["legal_forms"]
    return Table(
        tuple(Organization(**hunk) for hunk in hunks),
        tuple(NameRule(**rule) for rule in data["name_rule"]),
        frozenset(data["attributable_kinds"]),
        tuple(forms["any_case"]),
        tuple(forms["as_written"]),
        tuple(forms["leading"]),
    )


def plain_name(name: pl.Expr) -> pl.Expr:
    """An AS name without handle, quotes and legal form; never empty where the name is not.

    `HIPL-AS-AP - HUAWEI INTERNATIONAL PTE. LTD.` → `HUAWEI INTERNATIONAL`; the letter case is kept.
    """
    rules = table()
    # Regional registries write `HANDLE - Holder`, AFRINIC also `Holder - Holder`.
    halves = name.str.split_exact(" - ", 1)
    first, second = halves.struct[0], halves.struct[1]
    handle = first.str.contains(r"^(?:AS[0-9]+|[A-Z0-9-]+-AS(?:-[A-Z]{2,4})?)$")
    whole = pl.when(handle.and_(second.is_not_null()) | (name == first + " - " + first)).then(
        name.str.replace(r"^.*? - ", "")
    )
    tail = rf"(?:{_SEPARATORS}+(?:and\s+)?)(?:(?i:{_alternatives(rules.any_case)})|{_alternatives(rules.as_written)})"
    head = rf"^(?:{_alternatives(rules.leading)})\s+"
    plain = (
        whole.otherwise(name)
        .str.replace(rf"(?:{tail})+{_SEPARATORS}*$", "")
        .str.replace(head, "")
        .str.replace_all('"', "", literal=True)
        .str.strip_chars(" ,&")
    )
    return pl.when(plain.str.contains(r"\p{Alphabetic}|[0-9]")).then(plain).otherwise(name)


def holders(systems: pl.DataFrame) -> pl.DataFrame:
    """What is concluded of each autonomous system, same height and order.

    Takes `asn` and `name` (null: none registered). Gives client_asn, client_as_name, organization,
    organization_method, network_kind, attributable (never null) and address_rule, as
    `addresses.conclude` does. An organisation found only by name has the kind `unknown` unless a name
    rule is sure, and an unknown kind is not attributable: a name does not say who uses a network.
    """
    rules = table()
    pinned = pl.DataFrame(
        [(asn, o.name, o.kind, o.provider) for o in rules.organizations for asn in o.asns],
        schema={"asn": pl.UInt32, "pinned": pl.String, "kind": pl.String, "provider": pl.Boolean},
        orient="row",
    )
    sure = pl.DataFrame(
        [(row, rule.kind, rule.provider) for row, rule in enumerate(rules.name_rules)],
        schema={"rule": pl.Int32, "rule_kind": pl.String, "rule_provider": pl.Boolean},
        orient="row",
    )
    listed, is_named = pl.col("pinned").is_not_null(), pl.col("name").is_not_null()
    frame = (
        systems.with_columns(pl.col("asn").cast(pl.UInt32), _rule(rules.name_rules).alias("rule"))
        .join(pinned, on="asn", how="left", maintain_order="left")
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
        pl.coalesce("pinned", plain_name(pl.col("name"))).alias("organization"),
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
        pl.when(listed)
        .then(pl.format(_REGISTRY, number))
        .when(is_named)
        .then(pl.format(_AS_NAME, number) + by_name)
        .otherwise(pl.format(_UNNAMED, number))
        .alias("address_rule"),
    )


def _rule(rules: tuple[NameRule, ...]) -> pl.Expr:
    # Position of the first rule that speaks of the name, null where none does.
    position = pl.lit(None, pl.Int32)
    for row, rule in reversed(list(enumerate(rules))):
        speaks = pl.col("name").str.contains(f"(?i){rule.pattern}")
        if rule.unless:
            speaks &= ~pl.col("name").str.contains(f"(?i){rule.unless}")
        position = pl.when(speaks).then(pl.lit(row, pl.Int32)).otherwise(position)
    return position


def _alternatives(words: tuple[str, ...]) -> str:
    # Longest first, so that `Ltda - ME` is not read as `ME`; a dot at the end is a separator.
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
