"""What a request target names: ecosystem, package, version, kind of file, purl.

The path tells where its shape belongs to one registry alone (a wheel, `/-/` and a tarball, a file
beside its Maven coordinates). Where it does not (`/left-pad`), a label of the host name or the
operator must name the registry; nothing is guessed from anything else.

Works on columns of distinct targets: each rule is searched in the rows no earlier rule claimed, and
only rows that match pay for the extraction of groups.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from importlib.resources import files

import numpy as np
import polars as pl

from l7meter.attribution.layouts import GROUPS, Layout, Rule, encoded, load
from l7meter.errors import UsageError

MAX_PATH = 4096
"""Octets of path that are looked at: no registry serves longer ones (file names end at 255)."""

CONCLUDED = (
    "url_path",
    "package_ecosystem",
    "package_name",
    "package_version",
    "artifact_kind",
    "purl",
    "artifact_rule",
)
"""The columns `conclude` returns."""

_ABSOLUTE = r"^[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)"
_DECODED = {f"%{h}": chr(c) for c in range(0x21, 0x7F) for h in {f"{c:02X}", f"{c:02x}"}}


def conclude(targets: pl.DataFrame, registry: str | None = None) -> pl.DataFrame:
    """What each target names; the same height and order as `targets`.

    Takes `url_original` (request target as logged) and `server_address` (host or null), best as
    distinct pairs. `registry` is the ecosystem that the operator says is served, asked only where
    neither host nor path tells. The authority of an absolute-form target goes before
    `server_address` (RFC 9112, section 3.2.2).

    Returns the columns of `CONCLUDED`, all strings. `artifact_kind` and the package's columns are
    null where no layout claims the target; `artifact_rule` names layout, rule and what told it.

    Raises `UsageError` for a registry that has no layout.
    """
    layouts = load()
    if registry is not None and registry not in layouts:
        known = ", ".join(layouts)
        raise UsageError(f"registry {registry}: no layout has that name; take one of {known}")
    path, host = _path_and_host(targets)
    rows = pl.DataFrame(
        {"row": pl.arange(len(path), eager=True), "path": _cleaned(path), "host": host}
    ).with_columns(said=_said(host, layouts))
    claims = _claims(rows.filter(pl.col("path").is_not_null()), layouts, registry)
    place = np.full(len(path), len(claims), dtype=np.int64)
    place[claims.get_column("row").to_numpy()] = np.arange(len(claims))
    unclaimed = pl.DataFrame(schema=claims.schema).clear(1)
    found = pl.concat([claims, unclaimed])[place]
    return found.with_columns(url_path=path).select(CONCLUDED)


def _path_and_host(targets: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
    """`url_path` and the host in lower case.

    The path is null for the authority form, `*` and what is no form of RFC 9112, section 3.2.
    """
    target = targets.get_column("url_original").cast(pl.String)
    host = targets.get_column("server_address").cast(pl.String)
    for mark in "?#":
        if target.str.contains(mark, literal=True).any():
            target = target.str.splitn(mark, 2).struct.field("field_0")
    absolute = target.str.contains(_ABSOLUTE).fill_null(False)
    if absolute.any():
        authority = target.str.extract(_ABSOLUTE).str.replace("^.*@", "")
        rest = target.str.replace(_ABSOLUTE, "")
        # RFC 9110, section 4.2.3: an empty path is "/"
        target = rest.replace("", "/").zip_with(absolute, target)
        host = authority.zip_with(absolute, host)
    origin = target.str.starts_with("/")
    return target.set(~origin, None), host.str.to_lowercase()


def _cleaned(path: pl.Series) -> pl.Series:
    """The path as rules read it: percent-decoded once, slashes collapsed; null if too long."""
    short = path.set(path.str.len_bytes() > MAX_PATH, None)
    return short.str.replace_many(_DECODED).str.replace_all("//+", "/")


def _said(host: pl.Series, layouts: dict[str, Layout]) -> pl.Series:
    """The ecosystem that a label of the host names; null if none or two of them do."""
    names = host.unique().drop_nulls()
    naming = {
        ecosystem: names.str.contains(rf"(?:^|\.)(?:{'|'.join(layout.labels)})(?:[.:]|$)")
        for ecosystem, layout in layouts.items()
    }
    one = pl.DataFrame(naming).select(
        pl.when(pl.sum_horizontal(pl.all()) == 1).then(
            pl.coalesce(pl.when(pl.col(e)).then(pl.lit(e)) for e in naming)
        )
    )
    return host.replace_strict(names, one.to_series(), default=None, return_dtype=pl.String)


def _claims(rows: pl.DataFrame, layouts: dict[str, Layout], registry: str | None) -> pl.DataFrame:
    """The claimed rows with their concluded columns: by host, then by path, then by the operator."""
    said = pl.col("said")
    claimed = []
    unclaimed = [rows.filter(said.is_null())]
    for ecosystem, layout in layouts.items():
        claims, rest = _claim(layout, rows.filter(said == ecosystem), by="host")
        claimed.append(claims)
        unclaimed.append(rest)
    pending = pl.concat(unclaimed)
    for layout in layouts.values():
        claims, pending = _claim(layout, pending, by="path")
        claimed.append(claims)
    if registry is not None:
        claims, _ = _claim(layouts[registry], pending.filter(said.is_null()), by="registry")
        claimed.append(claims)
    return pl.concat(claimed)


def _claim(layout: Layout, rows: pl.DataFrame, by: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows that the layout's rules claim, concluded; and the rest."""
    rules = [rule for rule in layout.rules if by != "path" or not rule.named]
    rest = rows.clear()
    if by == "path":
        hinted = rows.get_column("path").str.contains(layout.hint)
        rest, rows = rows.filter(~hinted), rows.filter(hinted)
    claimed = [_matched(rows.clear(), layout, rules[0], by)]
    for rule in rules:
        fits = rows.get_column("path").str.contains(rule.pattern)
        if not fits.any():
            continue
        claims = _matched(rows.filter(fits), layout, rule, by)
        if rule.refine is not None:
            claims = rule.refine(claims).select(claims.columns)
        claimed.append(claims)
        if len(claims) == fits.sum():
            rows = rows.filter(~fits)
        else:
            rows = rows.join(claims.select("row"), on="row", how="anti")
    return _concluded(layout, pl.concat(claimed)), pl.concat([rest, rows])


def _matched(rows: pl.DataFrame, layout: Layout, rule: Rule, by: str) -> pl.DataFrame:
    """The rows that a rule matches, with `GROUPS`, `kind` and `artifact_rule`."""
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
        "row", "path", "host", **groups, kind=pl.lit(rule.kind), artifact_rule=pl.lit(told)
    )


def _concluded(layout: Layout, claims: pl.DataFrame) -> pl.DataFrame:
    """The claimed rows' concluded columns."""
    kind = pl.col("artifact_kind")
    purl = pl.concat_str(
        pl.lit(f"pkg:{layout.ecosystem}/"),
        encoded(layout.purl_name),
        "@" + encoded(pl.col("version")),
        "?" + layout.qualifiers,
        ignore_nulls=True,
    )
    named = layout.purl_name.is_not_null() & (kind != "index") & (kind != "other")
    return claims.with_columns(package_name=layout.package, artifact_kind=layout.kind).select(
        "row",
        "package_name",
        "artifact_kind",
        "artifact_rule",
        package_version="version",
        package_ecosystem=pl.lit(layout.ecosystem),
        purl=pl.when(named).then(purl),
    )


@cache
def rules_id() -> str:
    """Short digest of the rules that name artifacts and downloads, for `attribution_id`."""
    here = files(__package__)
    parts = [here / "artifacts.py", here / "downloads.py", *(here / "layouts").iterdir()]
    rules = {part.name: part.read_bytes() for part in parts if part.name.endswith(".py")}
    digest = hashlib.blake2b(digest_size=6)
    for name in sorted(rules):
        digest.update(b"%s\0%d\0%s" % (name.encode(), len(rules[name]), rules[name]))
    return digest.hexdigest()
