"""Alpine Linux repositories, and those of other users of apk.

https://wiki.alpinelinux.org/wiki/Apk_spec
"""

from __future__ import annotations

import polars as pl

from l7meter.attribution.layouts import Layout, Rule, qualifiers, vendor

_ARCH = (
    r"/(?P<variant>x86_64|x86|aarch64|armhf|armv7|ppc64le|s390x|riscv64|loongarch64|mips64|noarch)"
)
_BRANCH = r"/(?:v[0-9]+\.[0-9]+|edge)/(?:main|community|testing)/"
# required in a purl: said by path or host, else by branches only Alpine has
_VENDOR = pl.coalesce(
    vendor(
        {
            "alpine": "alpine",
            "alpinelinux": "alpine",
            "wolfi": "wolfi",
            "chainguard": "chainguard",
            "postmarketos": "postmarketos",
        }
    ),
    pl.when(pl.col("path").str.contains(_BRANCH)).then(pl.lit("alpine")),
)

LAYOUT = Layout(
    ecosystem="apk",
    labels=("alpine", "alpinelinux"),
    hints=(".apk", "/APKINDEX."),
    rules=(
        # the release is what an Android package's name does not end with
        Rule("apk", "artifact", rf"{_ARCH}/(?P<name>[^/]+)-(?P<version>[0-9][^/-]*-r[0-9]+)\.apk$", type="apk"),
        Rule("index", "index", r"/APKINDEX\.tar\.gz$"),
        Rule("mirrors", "index", r"/(?:MIRRORS\.txt|mirrors\.yaml|last-updated)$", named=True),
        Rule("release", "other", r"/(?:releases|netboot[^/]*)/", named=True),
    ),
    package=pl.col("name").str.to_lowercase(),
    purl_name=_VENDOR + "/" + pl.col("package_name"),
    qualifiers=qualifiers(arch=pl.col("variant")),
)  # fmt: skip
