"""Dart and Flutter packages: hosted pub repositories.

https://github.com/dart-lang/pub/blob/master/doc/repository-spec-v2.md
"""

from __future__ import annotations

import polars as pl

from l7meter.attribution.layouts import ROOT, Layout, Rule

_NAME = r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
_VERSION = r"(?P<version>[0-9]+\.[0-9]+\.[0-9]+(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?)"

LAYOUT = Layout(
    ecosystem="pub",
    labels=("pub", "dartlang"),
    hints=("/versions/", "/api/archives/", "/api/package-name"),
    rules=(
        Rule("archive", "artifact", rf"/packages/{_NAME}/versions/{_VERSION}\.tar\.gz$", type="archive"),
        Rule("archive", "artifact", rf"/api/archives/{_NAME}-{_VERSION}\.tar\.gz$", type="archive"),
        Rule("names", "index", r"/api/package-names?(?:-completion-data)?$"),
        Rule("package", "index", rf"{ROOT}/api/packages/{_NAME}$", named=True),
        Rule("version-json", "metadata", rf"{ROOT}/api/packages/{_NAME}/versions/{_VERSION}$", named=True, type="json"),
        Rule("service", "other", r"^/(?:api|documentation|packages|static|feed\.atom)(?:/|$)", named=True),
    ),
    package=pl.col("name").str.to_lowercase(),
)  # fmt: skip
