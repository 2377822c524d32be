"""CRAN-like repositories of R packages: sources, archive, binaries, PACKAGES.

R Installation and Administration, "Setting up a package repository"; types of files: `pkgType` in
R's `install.packages`. Bioconductor is laid out alike.
"""

from __future__ import annotations

import polars as pl

from l7meter.attribution.layouts import Layout, Rule

_NAME = r"(?P<name>[A-Za-z][A-Za-z0-9.]*)"
_VERSION = r"(?P<version>[0-9]+(?:[.-][0-9]+)*)"
_SOURCE = r"/src/contrib/(?:[0-9][^/]*/(?:Recommended/|Other/)?|Archive/[^/]+/|00Archive/[^/]+/)?"
_R = r"[0-9]+\.[0-9]+"
_WINDOWS = rf"/bin/windows/contrib/{_R}/"
_MAC = rf"/bin/macosx/(?:[a-z0-9.-]+/)?contrib/{_R}/"
_INDEX = r"PACKAGES(?:\.gz|\.rds|\.json)?$"

LAYOUT = Layout(
    ecosystem="cran",
    labels=("cran",),
    hints=("/src/contrib/", "/bin/windows/contrib/", "/bin/macosx/"),
    rules=(
        Rule("source", "artifact", rf"{_SOURCE}{_NAME}_{_VERSION}\.(?:tar\.gz|tar\.xz|tar\.bz2|tgz)$", type="source"),
        Rule("windows", "artifact", rf"{_WINDOWS}{_NAME}_{_VERSION}\.zip$", type="win.binary"),
        Rule("mac", "artifact", rf"{_MAC}{_NAME}_{_VERSION}\.tgz$", type="mac.binary"),
        Rule("packages", "index", rf"(?:{_SOURCE}|{_WINDOWS}|{_MAC}){_INDEX}"),
        Rule("meta", "index", r"/src/contrib/Meta/[a-z]+\.rds$"),
        Rule("description", "metadata", rf"/web/packages/{_NAME}/DESCRIPTION$", named=True, type="DESCRIPTION"),
        # R itself is no package of CRAN
        Rule("r", "artifact", r"/src/base/R-[0-9]+/R-[0-9.]+\.tar\.gz$|/bin/(?:windows|macosx)/(?:[a-z0-9.-]+/)*R-[0-9.]+[^/]*\.(?:exe|pkg)$", named=True, type="R"),
        Rule("service", "other", r"^/(?:web|doc|src|bin|sources|package=)", named=True),
    ),
    # a purl of type cran names packages of CRAN, and Bioconductor's are others
    purl_name=pl.when(
        ~pl.col("path").str.contains("/(?:bioc|data/annotation|data/experiment|workflows)/")
    ).then("package_name"),
)  # fmt: skip
