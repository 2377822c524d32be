"""RPM repositories: packages by name, version, release and architecture, and repodata.

File names: https://rpm-packaging-guide.github.io/#rpm-packages; repodata: createrepo_c(8),
https://github.com/rpm-software-management/createrepo_c
"""

from __future__ import annotations

import polars as pl

from l7meter.attribution.layouts import Layout, Rule, at_dashes, qualifiers, vendor
from l7meter.attribution.layouts.pypi import FOLDER

# some servers keep the epoch in the file name, before the version
_DELTA = (
    r"^(?P<name>.+)-[^-]+-[^-]+_(?:(?P<file>[0-9]+):)?(?P<version>[^-]+-[^-]+)"
    r"\.(?P<variant>[A-Za-z0-9_]+)\.drpm$"
)

# a dist tag names Fedora alone: el is of many
_VENDOR = pl.coalesce(
    vendor(
        {
            "fedora": "fedora",
            "epel": "fedora",
            "centos": "centos",
            "rocky": "rocky",
            "rockylinux": "rocky",
            "almalinux": "almalinux",
            "opensuse": "opensuse",
            "suse": "suse",
            "SUSE": "suse",
            "redhat": "redhat",
            "rhel": "redhat",
            "OracleLinux": "oracle",
            "amazonlinux": "amazon",
            "mageia": "mageia",
        }
    ),
    pl.when(pl.col("version").str.contains(r"\.fc[0-9]+")).then(pl.lit("fedora")),
)


def _named(rows: pl.DataFrame) -> pl.DataFrame:
    """Name, epoch, version-release and architecture.

    Not of what Python's distutils made, which a Python index serves.
    """
    rows = at_dashes(rows.filter(~pl.col("path").str.contains(FOLDER)), 2)
    version, last = (pl.col("parts").list.get(at, null_on_oob=True) for at in (-2, -1))
    arch = last.str.split(".").list.get(-2, null_on_oob=True)
    release = last.str.head(last.str.len_bytes() - arch.str.len_bytes() - len("..rpm"))
    return rows.with_columns(
        name="rest",
        file=version.str.extract("^([0-9]+):"),
        version=version.str.replace("^[0-9]+:", "") + "-" + release,
        variant=arch,
    )


LAYOUT = Layout(
    ecosystem="rpm",
    labels=("rpm", "rpms", "yum", "dnf", "fedora", "fedoraproject", "centos", "almalinux", "rockylinux", "opensuse"),
    hints=(".rpm", ".drpm", "/repodata/"),
    rules=(
        Rule("source", "artifact", r"/[^/]+-[^/-]+-[^/-]+\.(?:no)?src\.rpm$", type="srpm", refine=_named),
        Rule("binary", "artifact", r"/[^/]+-[^/-]+-[^/-]+\.[A-Za-z0-9_]+\.rpm$", type="rpm", refine=_named),
        # from one version to another: named by the package that it makes
        Rule("delta", "artifact", r"/[^/]+-[^/-]+-[^/-]+_[^/-]+-[^/-]+\.[A-Za-z0-9_]+\.drpm$", take=_DELTA, type="drpm"),
        Rule("repodata", "index", r"/repodata/(?:repomd\.xml(?:\.asc|\.key)?|[^/]*(?:primary|filelists|other|updateinfo|comps|group|modules|prestodelta|appstream|susedata|productid|deltainfo)[^/]*)$"),
        Rule("mirrors", "index", r"^/(?:mirrorlist|metalink)/?$", named=True),
        Rule("installer", "other", r"/(?:\.treeinfo|\.discinfo|media\.repo)$|/(?:isos?|images|isolinux|EFI|LiveOS)/", named=True),
    ),
    # the vendor is wanted in a purl, not required
    purl_name=pl.concat_str(_VENDOR, "package_name", separator="/", ignore_nulls=True),
    qualifiers=qualifiers(arch=pl.col("variant"), epoch=pl.col("file")),
)  # fmt: skip
