"""Composer repositories: package metadata and archives.

https://getcomposer.org/doc/05-repositories.md#composer and, for archives,
https://getcomposer.org/doc/articles/handling-private-packages.md
"""

from __future__ import annotations

import polars as pl

from l7meter.attribution.layouts import ROOT, Layout, Rule

_VENDOR = r"(?P<namespace>[A-Za-z0-9](?:[_.-]?[A-Za-z0-9])*)"
_NAME = rf"{_VENDOR}/(?P<name>[A-Za-z0-9](?:[_.-]{{0,2}}[A-Za-z0-9])*)"
_ARCHIVE = r"\.(?:zip|tar(?:\.gz)?)"

LAYOUT = Layout(
    ecosystem="composer",
    labels=("composer", "packagist"),
    hints=("/p2/", "$", "/dist/", "/dists/"),
    rules=(
        Rule("package", "index", rf"/p2/{_NAME}(?:~dev)?\.json$"),
        Rule("package", "index", rf"/p/{_NAME}\$[0-9a-f]{{64}}\.json$"),
        Rule("providers", "index", r"/p/provider-[a-z0-9-]+\$[0-9a-f]{64}\.json$"),
        Rule("mirrored", "artifact", rf"/dists?/{_NAME}/(?P<version>[^/]+)/[0-9a-f]{{40}}{_ARCHIVE}$", type="dist"),
        Rule("satis", "artifact", rf"/dist/{_NAME}/[^/]+-[0-9a-f]{{40}}-(?:zip|tar)-[0-9a-f]{{6}}{_ARCHIVE}$", type="dist"),
        Rule("root", "index", r"/packages\.json$", named=True),
        Rule("package", "index", rf"/p/{_NAME}\.json$", named=True),
        Rule("page", "metadata", rf"{ROOT}/packages/{_NAME}\.json$", named=True, type="json"),
        Rule("changes", "index", r"/(?:metadata/changes|packages/list)\.json$", named=True),
        Rule("service", "other", r"^/(?:downloads|api|search\.json|feeds|explore|packages|statistics)(?:/|$)", named=True),
    ),
    package=pl.concat_str("namespace", "name", separator="/").str.to_lowercase(),
)  # fmt: skip
