"""Cargo registries: crate files, the sparse index and the web API.

Index: https://doc.rust-lang.org/cargo/reference/registry-index.html
API: https://doc.rust-lang.org/cargo/reference/registry-web-api.html
"""

from __future__ import annotations

import polars as pl

from l7meter.attribution.layouts import Layout, Rule

_NAME = r"(?P<name>[A-Za-z][A-Za-z0-9_-]*)"
_SHORTEST_NAME = r"(?P<name>[A-Za-z][A-Za-z0-9_-]*?)"
_VERSION = r"(?P<version>[0-9]+\.[0-9]+\.[0-9]+(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?)"
_WORD = "[A-Za-z0-9_-]"


def _sparse(rows: pl.DataFrame) -> pl.DataFrame:
    """Only index files whose folders are those of their name: /se/rd/serde, /3/a/abc, /1/a."""
    name = pl.col("name")
    length = name.str.len_chars()
    folder = (
        pl.when(length <= 2)
        .then(length.cast(pl.String))
        .when(length == 3)
        .then("3/" + name.str.head(1))
        .otherwise(name.str.head(2) + "/" + name.str.slice(2, 2))
    )
    return rows.filter(pl.col("variant").str.to_lowercase() == folder.str.to_lowercase())


LAYOUT = Layout(
    ecosystem="cargo",
    labels=("cargo", "crates"),
    hints=("/crates", "/readmes/", ".crate"),
    rules=(
        # a crate's name has no dot, so the first -d.d.d ends it
        Rule("crate", "artifact", rf"/{_SHORTEST_NAME}-{_VERSION}\.crate$", type="crate"),
        Rule("download", "artifact", rf"/crates/{_NAME}/{_VERSION}/download$", type="crate"),
        Rule("publish", "other", r"/api/v1/crates/new$"),
        Rule("crate-json", "metadata", rf"/api/v1/crates/{_NAME}$", type="json"),
        Rule("version-json", "metadata", rf"/api/v1/crates/{_NAME}/{_VERSION}(?:/(?:dependencies|authors|readme))?$", type="json"),
        Rule("readme", "other", rf"/readmes/{_WORD}+/{_SHORTEST_NAME}-{_VERSION}\.html$"),
        Rule("service", "other", r"/api/v1/crates(?:/|$)"),
        Rule("config", "index", r"/config\.json$", named=True),
        Rule("sparse", "index", rf"/(?P<variant>[12]|3/{_WORD}|{_WORD}{{2}}/{_WORD}{{2}})/{_NAME}$", named=True, refine=_sparse),
        Rule("service", "other", r"^/(?:api|rss|archive|git)/|^/db-dump\.", named=True),
    ),
)  # fmt: skip
