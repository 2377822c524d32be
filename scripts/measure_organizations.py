"""Write into docs/reference-data.md how far AS names can be trusted; a test fails when it is stale.

The curated table is the truth here. Kinds: the name rules read the AS names of its systems as if these
were not listed. Organisations: the AS names of siblings, legal form cut, ought to agree.
"""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path

import numpy as np
import polars as pl

from l7meter.attribution import snapshot
from l7meter.attribution.organization_names import plain_name, rule_of
from l7meter.attribution.organization_table import table

PAGE = Path(__file__).parents[1] / "docs" / "reference-data.md"
BEGIN, END = "<!-- scripts/measure_organizations.py -->\n", "<!-- end -->\n"
LEAST = 0.97  # a name rule less precise than this does not stay


def held_back(organization: str) -> bool:
    """Whether the rules were made without a look at the names of this organisation: half of them, by hash."""
    return sha256(organization.encode()).digest()[-1] % 2 == 1


def systems() -> pl.DataFrame:
    """Every system of the snapshot: asn, name, addresses (announced, IPv4), organization, kind, rule, plain."""
    data, rules = snapshot.load(), table()
    sizes = pl.DataFrame(
        {
            "asn": data.ipv4.labels.astype(np.uint32),
            "addresses": data.ipv4.ends.astype(np.int64) - data.ipv4.starts + 1,
        }
    )
    listed = pl.DataFrame(
        [(asn, hunk.name, hunk.kind) for _, hunk in rules.valid() for asn in hunk.asns],
        schema={"asn": pl.UInt32, "organization": pl.String, "kind": pl.String},
        orient="row",
    )
    return (
        data.systems.with_columns(pl.col("asn").cast(pl.UInt32))
        .join(sizes.group_by("asn").sum(), on="asn", how="left")
        .join(listed, on="asn", how="left")
        .with_columns(
            pl.col("addresses").fill_null(0),
            rule_of(pl.col("name"), rules.name_rules).alias("rule"),
            plain_name(pl.col("name")).alias("plain"),
        )
    )


def judged(frame: pl.DataFrame) -> pl.DataFrame:
    """For each name rule that speaks of a held-back name: rule, names, right. A name counts once."""
    rules = table().name_rules
    quoted = [name for rule in rules for name in (*rule.examples, *rule.counter_examples)]
    kinds = pl.DataFrame(
        {"rule": range(len(rules)), "said": [rule.kind for rule in rules]},
        schema_overrides={"rule": pl.Int32},
    )
    return (
        frame.filter(
            pl.col("organization").map_elements(held_back, return_dtype=pl.Boolean),
            ~pl.col("name").is_in(quoted),
        )
        .unique(["organization", "name"])
        .join(kinds, on="rule")
        .group_by("rule")
        .agg(pl.len().alias("names"), (pl.col("kind") == pl.col("said")).sum().alias("right"))
        .sort("rule")
    )


def kinds(frame: pl.DataFrame) -> list[str]:
    """The Markdown table of the name rules."""
    total = frame["addresses"].sum()
    verdicts = {row["rule"]: row for row in judged(frame).to_dicts()}
    lines = [
        "| name rule | says | systems | not listed | their IPv4 | judged names | right |",
        "|---|---|---|---|---|---|---|",
    ]
    spoken = frame.filter(pl.col("rule").is_not_null())
    for row, rule in enumerate(table().name_rules):
        lines.append(
            f"| {rule.examples[0]} | {rule.kind}{', provider' if rule.provider else ''} "
            f"| {_reach(spoken.filter(pl.col('rule') == row), total)} "
            f"| {_precision([verdicts[row]] if row in verdicts else [])} |"
        )
    lines.append(f"| all | | {_reach(spoken, total)} | {_precision(list(verdicts.values()))} |")
    known = pl.col("kind").is_not_null()
    listed, named = frame.filter(known), frame.filter(~known & pl.col("rule").is_not_null())
    silent = frame.filter(~known & pl.col("rule").is_null())
    lines += ["", "| the kind comes from | systems | announced IPv4 |", "|---|---|---|"]
    for what, part in (("the table", listed), ("a name rule", named), ("nothing", silent)):
        share = f"{part.height / frame.height:.1%} | {part['addresses'].sum() / total:.1%}"
        lines.append(f"| {what} | {_spaced(share)} |")
    return lines


def organizations(frame: pl.DataFrame) -> list[str]:
    """The Markdown table of organisations found by name alone."""
    listed = frame.filter(pl.col("organization").is_not_null(), pl.col("plain").is_not_null())
    lines = [
        "| organisation by name | as written | letter case aside |",
        "|---|---|---|",
    ]
    columns = [
        _joins(listed.with_columns(plain=each))
        for each in (pl.col("plain"), pl.col("plain").str.to_lowercase())
    ]
    lines += [f"| {what} | {columns[0][what]} | {columns[1][what]} |" for what in columns[0]]
    return lines


def _joins(listed: pl.DataFrame) -> dict[str, str]:
    # Pairs within groups of n: n(n-1)/2; a pair is two systems, joined where their names are the same.
    pairs = (pl.len() * (pl.len() - 1) // 2).cast(pl.Int64)
    within = listed.group_by("organization").agg(pairs.alias("siblings"), pl.len().alias("systems"))
    alike = listed.group_by("organization", "plain").agg(pairs.alias("alike"))
    each = within.join(alike.group_by("organization").agg(pl.col("alike").sum()), on="organization")
    each = each.filter(pl.col("siblings") > 0)
    names = listed.group_by("plain").agg(pairs.alias("same"), pl.col("organization").n_unique())
    false = names["same"].sum() - alike["alike"].sum()
    recall = each["alike"].sum() / each["siblings"].sum()
    mean = (each["alike"] / each["siblings"]).mean()
    return {
        "pairs of siblings whose names agree": _spaced(f"{recall:.1%}"),
        "the same, each organisation counting once": _spaced(f"{mean:.1%}"),
        "names that two organisations share": f"{names.filter(pl.col('organization') > 1).height}",
        "pairs of systems joined falsely, of all joined": f"{false:,} of {names['same'].sum():,}",
    }


def _reach(spoken: pl.DataFrame, total: int) -> str:
    unlisted = spoken.filter(pl.col("kind").is_null())
    share = _spaced(f"{unlisted['addresses'].sum() / total:.2%}")
    return f"{spoken.height:,} | {unlisted.height:,} | {share}"


def _precision(verdicts: list[dict[str, int]]) -> str:
    names, right = (sum(each[key] for each in verdicts) for key in ("names", "right"))
    return f"{names} | {_spaced(f'{right / names:.1%}')}" if names else "0 | not judged"


def _spaced(shares: str) -> str:
    return shares.replace("%", " %")


def measured() -> str:
    """The measured tables, as Markdown."""
    frame = systems()
    return "\n".join([*kinds(frame), "", *organizations(frame)]) + "\n"


def page() -> str:
    """The page with the tables of today between its markers."""
    text = PAGE.read_text(encoding="utf-8")
    block = re.compile(f"(?<={re.escape(BEGIN)}).*?(?={re.escape(END)})", re.DOTALL)
    if not block.search(text):
        raise SystemExit(f"{PAGE}: no marker {BEGIN.strip()} before {END.strip()}; put them back")
    return block.sub(lambda _: measured(), text)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
