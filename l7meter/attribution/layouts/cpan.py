"""CPAN: distributions by author, and the indexes of modules.

Names of distributions: as the Perl module CPAN::DistnameInfo reads them.
"""

from __future__ import annotations

import polars as pl

from l7meter.attribution.layouts import Layout, Rule, qualifiers

_AUTHOR = r"/authors/id/[A-Z]/[A-Z][A-Z0-9-]/(?P<namespace>[A-Z][A-Z0-9-]+)"
_DISTRIBUTION = (
    rf"{_AUTHOR}/(?:[^/]+/)*(?P<name>[A-Za-z0-9][A-Za-z0-9._+-]*?)"
    r"-(?P<version>v?[0-9][0-9A-Za-z._]*(?:-(?:TRIAL|RC|beta|alpha)[0-9]*)?)"
)
_ARCHIVE = r"(?P<variant>tar\.gz|tgz|tar\.bz2|tbz|tar\.xz|zip|tar\.Z)"

LAYOUT = Layout(
    ecosystem="cpan",
    labels=("cpan", "metacpan", "backpan"),
    hints=("/authors/", "/modules/0"),
    rules=(
        Rule("distribution", "artifact", rf"{_DISTRIBUTION}\.{_ARCHIVE}$"),
        Rule("meta", "metadata", rf"{_DISTRIBUTION}\.(?P<file>meta|readme)$"),
        Rule("signature", "sidecar", rf"{_DISTRIBUTION}\.{_ARCHIVE}\.(?:asc|sig|sign)$"),
        Rule("checksums", "sidecar", rf"{_AUTHOR}/(?:[^/]+/)*CHECKSUMS$"),
        # without a version in its name, or no archive: a file of an author
        Rule("file", "artifact", rf"{_AUTHOR}/(?:[^/]+/)*(?P<file>[^/]+\.{_ARCHIVE})$"),
        Rule("modules", "index", r"/modules/0[0-9][a-z]+\.(?:details|data|index)[a-z.]*$"),
        Rule("authors", "index", r"/authors/(?:0[0-9][a-z]+[a-z.]*|RECENT[^/]*)$"),
        Rule("recent", "index", r"/(?:RECENT[^/]*|indices/[^/]+)$", named=True),
        Rule("service", "other", r"^/(?:v1|pod|dist|release|module|src|ports|scripts|modules|authors|search)(?:/|$)", named=True),
    ),
    purl_name=pl.col("namespace") + "/" + pl.col("name"),
    qualifiers=qualifiers(ext=pl.when(pl.col("variant") != "tar.gz").then("variant")),
    type=pl.coalesce("variant", "file"),
)  # fmt: skip
