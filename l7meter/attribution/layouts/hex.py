"""Hex: Elixir and Erlang packages.

https://github.com/hexpm/specifications/blob/main/endpoints.md
"""

from __future__ import annotations

import polars as pl

from l7meter.attribution.layouts import ROOT, Layout, Rule

_ORGANISATION = r"(?:/repos/(?P<namespace>[a-z0-9_]+))?"
_NAME = r"(?P<name>[a-z][a-z0-9_]*)"
_VERSION = r"(?P<version>[0-9]+\.[0-9]+\.[0-9]+(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?)"

LAYOUT = Layout(
    ecosystem="hex",
    labels=("hex", "hexpm"),
    hints=("/tarballs/", "/registry.ets"),
    rules=(
        Rule("tarball", "artifact", rf"{_ORGANISATION}/tarballs/{_NAME}-{_VERSION}\.tar$", type="tarball"),
        Rule("registry", "index", r"/registry\.ets(?:\.gz)?(?:\.signed)?$"),
        Rule("docs", "other", rf"{_ORGANISATION}/docs/{_NAME}-{_VERSION}\.tar\.gz$", named=True),
        Rule("index", "index", rf"{ROOT}{_ORGANISATION}/(?:names|versions)$", named=True),
        Rule("release-json", "metadata", rf"^/api{_ORGANISATION}/packages/{_NAME}/releases/{_VERSION}$", named=True, type="json"),
        Rule("package-json", "metadata", rf"^/api{_ORGANISATION}/packages/{_NAME}$", named=True, type="json"),
        Rule("package", "index", rf"{_ORGANISATION}/packages/{_NAME}$", named=True),
        Rule("service", "other", r"/(?:installs|builds|policies)/|/public_key$|^/api/|/diffs/", named=True),
    ),
    package=pl.concat_str("namespace", "name", separator="/", ignore_nulls=True).replace("", None),
)  # fmt: skip
