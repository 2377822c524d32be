"""Which layout's rule claims a path, and the columns it concludes.

Every layout names literals of which one stands in each path it knows by shape. All literals of all
layouts are sought in one pass, so that a path meets only the rules of layouts it may belong to:
20 more layouts cost the paths of others next to nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import numpy as np
import polars as pl

from l7meter.attribution.layouts import GROUPS, Layout, Rule, purl

SCHEMA = pl.Schema(
    {
        "row": pl.Int64(),
        "package_ecosystem": pl.String(),
        "package_name": pl.String(),
        "package_version": pl.String(),
        "artifact_kind": pl.String(),
        "artifact_type": pl.String(),
        "purl": pl.String(),
        "artifact_rule": pl.String(),
    }
)
"""The columns `claims` returns."""


def claims(rows: pl.DataFrame, layouts: Mapping[str, Layout], registry: str | None) -> pl.DataFrame:
    """The claimed rows in the columns of `SCHEMA`: by host, then by path, then by the operator.

    Takes `row` (0, 1, ...), `path` (as rules read it, or null), `host` and `said` (the ecosystem the
    host names, or null). Where the shapes of two layouts fit, the earlier of `layouts` has it.
    """
    claimed = [pl.DataFrame(schema=SCHEMA)]
    pending = rows.get_column("path").is_not_null().to_numpy().copy()

    def claim(layout: Layout, places: np.ndarray, by: str) -> None:
        places = places[pending[places]]
        if len(places):
            found = _claim(layout, rows if len(places) == len(rows) else rows[places], by)
            pending[found.get_column("row").to_numpy()] = False
            claimed.append(found)

    said = rows.get_column("said")
    for ecosystem in sorted(said.unique().drop_nulls()):
        claim(
            layouts[ecosystem], (said == ecosystem).fill_null(False).arg_true().to_numpy(), "host"
        )
    if pending.any():
        for layout, places in _candidates(rows.get_column("path"), pending, layouts):
            claim(layout, places, "path")
    if registry is not None:
        claim(layouts[registry], said.is_null().arg_true().to_numpy(), "registry")
    return pl.concat(claimed)


def _candidates(
    path: pl.Series, pending: np.ndarray, layouts: Mapping[str, Layout]
) -> Iterator[tuple[Layout, np.ndarray]]:
    """The layouts one of whose hints stands in a pending path, and the rows of these paths."""
    literals = sorted({hint for layout in layouts.values() for hint in layout.hints})
    asked = np.flatnonzero(pending)
    # all that occur: 150 ns a path, where a regular expression of each layout took 30 to 70 ns
    found = path.gather(asked).str.extract_many(literals, overlapping=True)
    places = np.repeat(asked, found.list.len().to_numpy())
    hint = found.explode(empty_as_null=False).cast(pl.Enum(literals)).to_physical().to_numpy()
    for layout in layouts.values():
        ours = places[np.isin(literals, layout.hints)[hint]]
        yield layout, ours[np.diff(ours, prepend=-1) > 0]


def _claim(layout: Layout, rows: pl.DataFrame, by: str) -> pl.DataFrame:
    """The rows that the layout's rules claim, concluded."""
    claimed = []
    for rule in layout.rules:
        if rule.named and by == "path":
            continue
        fits = rows.get_column("path").str.contains(rule.pattern)
        if not fits.any():
            continue
        found = _matched(rows if fits.all() else rows.filter(fits), layout, rule, by)
        if rule.refine is not None:
            found = rule.refine(found).select(found.columns)
        claimed.append(_concluded(layout, rule, found))
        if len(found) == fits.sum():
            rows = rows.filter(~fits)
        else:
            rows = rows.join(found.select("row"), on="row", how="anti", maintain_order="left")
        if rows.is_empty():
            break
    return pl.concat([pl.DataFrame(schema=SCHEMA), *claimed])


def _matched(rows: pl.DataFrame, layout: Layout, rule: Rule, by: str) -> pl.DataFrame:
    """The rows that a rule matches, with `GROUPS`, `kind`, `type` and `artifact_rule`."""
    pattern = rule.take or rule.pattern
    taken = set(re.findall(r"\(\?P<(\w+)>", pattern))
    if taken:
        path = pl.col("path")
        text = path.str.split("/").list.last() if rule.take else path
        rows = rows.with_columns(groups=text.str.extract_groups(pattern))
    groups = {
        group: pl.col("groups").struct.field(group) if group in taken else pl.lit(None, pl.String)
        for group in GROUPS
    }
    told = f"{layout.ecosystem}/{rule.name} by {by if rule.named else 'path'}"
    return rows.select(
        "row",
        "path",
        "host",
        **groups,
        kind=pl.lit(rule.kind),
        type=pl.lit(rule.type, pl.String),
        artifact_rule=pl.lit(told),
    )


def _concluded(layout: Layout, rule: Rule, found: pl.DataFrame) -> pl.DataFrame:
    """The columns of `SCHEMA` of the rows that a rule claims."""
    kind = pl.col("artifact_kind")
    named, described = ~kind.is_in(["index", "other"]), kind.is_in(["artifact", "metadata"])
    if layout.kind is None:  # then neither is asked of each row, nor worked out for none
        named = pl.lit(rule.kind not in ("index", "other"))
        described = pl.lit(rule.kind in ("artifact", "metadata"))
    locator = purl(layout.ecosystem, layout.purl_name, layout.purl_version, layout.qualifiers)
    return found.with_columns(
        package_ecosystem=pl.lit(layout.ecosystem),
        package_name=layout.package,
        package_version="version",
        artifact_kind="kind" if layout.kind is None else layout.kind,
    ).select(
        *SCHEMA.names()[:5],
        artifact_type=pl.when(described).then(layout.type),
        purl=pl.when(named).then(locator),
        artifact_rule="artifact_rule",
    )
