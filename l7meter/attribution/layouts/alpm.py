"""Arch Linux repositories, and those of other users of pacman.

https://alpm.archlinux.page/specifications/alpm-repo.7.html and
https://alpm.archlinux.page/specifications/alpm-package.7.html
"""

from __future__ import annotations

import polars as pl

from l7meter.attribution.layouts import Layout, Rule, at_dashes, qualifiers, vendor

_COMPRESSED = r"(?:\.(?:zst|xz|gz|bz2|lz4|lzo|Z))?"
_PACKAGE = r"[^/]+-[^/-]+-[^/-]+-[A-Za-z0-9_]+\.pkg\.tar"
# required in a purl: said by path or host, else by repositories only Arch has
_VENDOR = pl.coalesce(
    vendor(
        {
            "archlinux": "arch",
            "archlinuxarm": "archarm",
            "archlinux32": "arch32",
            "manjaro": "manjaro",
            "msys": "msys",
            "msys2": "msys",
            "mingw": "msys",
        }
    ),
    pl.when(pl.col("path").str.contains("/(?:core|extra|multilib)/os/x86_64/")).then(
        pl.lit("arch")
    ),
)


def _named(rows: pl.DataFrame) -> pl.DataFrame:
    """Name, version-release and architecture."""
    parts = pl.col("parts").list
    return at_dashes(rows, 3).with_columns(
        name="rest",
        version=parts.get(-3) + "-" + parts.get(-2),
        variant=parts.get(-1).str.split(".").list.first(),
    )


LAYOUT = Layout(
    ecosystem="alpm",
    labels=("archlinux", "archlinuxarm", "manjaro", "msys2"),
    hints=(".pkg.tar", ".db", ".files", ".links"),
    rules=(
        Rule("package", "artifact", rf"/{_PACKAGE}{_COMPRESSED}$", refine=_named, type="pkg"),
        Rule("signature", "sidecar", rf"/{_PACKAGE}{_COMPRESSED}\.sig$", refine=_named),
        Rule("database", "index", rf"/os/[a-z0-9_]+/[a-z0-9-]+\.(?:db|files|links)(?:\.tar{_COMPRESSED})?(?:\.sig)?$"),
        Rule("database", "index", rf"/[a-z0-9.-]+\.(?:db|files)(?:\.tar{_COMPRESSED})?(?:\.sig)?$", named=True),
        Rule("service", "other", r"/(?:iso|images|lastsync|lastupdate)(?:/|$)", named=True),
    ),
    package=pl.col("name").str.to_lowercase(),
    purl_name=_VENDOR + "/" + pl.col("package_name"),
    qualifiers=qualifiers(arch=pl.col("variant")),
)  # fmt: skip
