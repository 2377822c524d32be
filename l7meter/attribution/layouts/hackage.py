"""Hackage: Haskell packages and their index.

https://github.com/haskell/hackage-server and, for mirrors,
https://cabal.readthedocs.io/en/stable/config.html#repository-specification
"""

from __future__ import annotations

import polars as pl

from l7meter.attribution.layouts import ROOT, Layout, Rule

# no part of a name between its dashes is all digits, so the last dash ends it
_NAME = r"(?P<name>[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*)"
_VERSION = r"(?P<version>[0-9]+(?:\.[0-9]+)*)"
_PACKAGE = rf"/package/{_NAME}-{_VERSION}"


def _own(rows: pl.DataFrame) -> pl.DataFrame:
    """Only archives named as their folder says."""
    return rows.filter(pl.col("file") == pl.concat_str("name", "version", separator="-"))


LAYOUT = Layout(
    ecosystem="hackage",
    labels=("hackage",),
    hints=("/package/", "/01-index.tar", "/00-index.tar"),
    rules=(
        Rule("source", "artifact", rf"{_PACKAGE}/(?P<file>[^/]+)\.tar\.gz$", type="tar.gz", refine=_own),
        Rule("cabal", "metadata", rf"{_PACKAGE}/(?:[^/]+|revision/[0-9]+)\.cabal$", type="cabal"),
        Rule("index", "index", r"/0[01]-index\.tar(?:\.gz)?$"),
        Rule("source", "artifact", rf"{_PACKAGE}\.tar\.gz$", named=True, type="tar.gz"),
        Rule("preferred", "metadata", rf"/package/{_NAME}/preferred(?:-versions)?(?:\.json)?$", named=True, type="json"),
        Rule("security", "index", rf"{ROOT}/(?:timestamp|snapshot|mirrors|root)\.json$", named=True),
        Rule("page", "other", rf"{_PACKAGE}(?:/|$)", named=True),
        Rule("page", "other", rf"/package/{_NAME}(?:/|$)", named=True),
        Rule("service", "other", r"^/(?:packages|user|users|upload|recent|browse|haddock|static)(?:/|\.|$)", named=True),
    ),
)  # fmt: skip
