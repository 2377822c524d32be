"""Homebrew: bottles, in an OCI registry and as files, and the JSON API.

https://docs.brew.sh/Bottles and https://docs.brew.sh/Querying-Brew
"""

from __future__ import annotations

import polars as pl

from l7meter.attribution.layouts import DIGEST, Layout, Rule

_IMAGE = r"/v2/(?:homebrew|linuxbrew)/(?P<namespace>core|cask|[a-z0-9-]+)/(?P<name>[a-z0-9._-]+(?:/[a-z0-9._-]+)?)"
_NAME = r"(?P<name>[A-Za-z0-9][A-Za-z0-9@+._-]*?)"
# a dash may stand before the last number of a version: imagemagick-7.1.1-27
_VERSION = r"(?P<version>(?:[0-9]|r[0-9])[A-Za-z0-9._+]*(?:-[0-9]+)?)"
_SYSTEM = r"\.(?P<variant>all|[a-z0-9]+_[a-z0-9_]+|[a-z]+)\.bottle(?:\.[0-9]+)?"


def _formula(rows: pl.DataFrame) -> pl.DataFrame:
    """Names as formulae have them: openssl/3 is openssl@3. An x for a plus (gtkx3) cannot be told."""
    return rows.with_columns(pl.col("name").str.replace("/", "@", literal=True))


LAYOUT = Layout(
    ecosystem="brew",
    labels=("brew", "homebrew", "linuxbrew"),
    hints=("/v2/homebrew/", "/v2/linuxbrew/", ".bottle.", "/api/formula", "/api/cask"),
    rules=(
        Rule("blob", "artifact", rf"{_IMAGE}/blobs/{DIGEST}$", type="bottle", refine=_formula),
        Rule("manifest", "metadata", rf"{_IMAGE}/manifests/{DIGEST}$", type="manifest", refine=_formula),
        Rule("manifest", "metadata", rf"{_IMAGE}/manifests/(?P<version>[A-Za-z0-9_][A-Za-z0-9._-]*)$", type="manifest", refine=_formula),
        Rule("tags", "index", rf"{_IMAGE}/tags/list$", refine=_formula),
        Rule("bottle", "artifact", rf"/{_NAME}--?{_VERSION}{_SYSTEM}\.tar\.gz$", type="bottle"),
        Rule("bottle-json", "metadata", rf"/{_NAME}--?{_VERSION}{_SYSTEM}\.json$", type="json"),
        Rule("api", "index", r"/api/(?:internal/)?(?:formula|cask)(?:_names|_tap_migrations)?\.(?:[a-z0-9_]+\.)?(?:jws\.json|txt)$"),
        Rule("api", "index", r"/api/(?:formula|cask)\.json$", named=True),
        Rule("formula", "metadata", rf"/api/formula/{_NAME}\.json$", named=True, type="json"),
        Rule("cask", "metadata", rf"/api/(?P<namespace>cask)/{_NAME}\.json$", named=True, type="json"),
        Rule("service", "other", r"^/(?:api|analytics)/", named=True),
    ),
    package=pl.col("name").str.to_lowercase(),
    # without a tap, core is meant
    purl_name=pl.concat_str(
        pl.when(pl.col("namespace") != "core").then(pl.lit("homebrew/") + pl.col("namespace")),
        "package_name",
        separator="/",
        ignore_nulls=True,
    ),
)  # fmt: skip
