"""Debian archives: pool and dists.

Debian wiki, "DebianRepository/Format"; names and versions: Debian Policy, chapter 5.
"""

from __future__ import annotations

import polars as pl

from l7meter.attribution.layouts import Layout, Rule, qualifiers, vendor

_NAME = r"(?P<name>[A-Za-z0-9][A-Za-z0-9.+-]+)"
_BINARY = r"[A-Za-z0-9][A-Za-z0-9.+-]+_[A-Za-z0-9.+:~-]+_[a-z0-9-]+\."
_BINARIES = ("deb", "udeb", "ddeb")
_FIELDS = r"^(?P<name>[^_]+)_(?P<version>[^_]+)_(?P<variant>[^.]+)\."
# upstream's archive carries upstream's version; shortest, so that `.orig` is not part of it
_SOURCE = (
    rf"{_NAME}_(?P<version>[A-Za-z0-9.+:~-]+?)(?:\.orig(?:-[A-Za-z0-9-]+)?|\.debian)?"
    r"\.(?:tar\.(?:gz|bz2|xz|lzma|zst)|diff\.gz|dsc)(?:\.asc)?$"
)
_INDEX = (
    r"/dists/[^/]+/(?:[^/]+/)*(?:(?:In)?Release(?:\.gpg)?$|by-hash/|[^/]+\.diff/"
    r"|(?:Packages|Sources|Contents|Translation|Components|Commands|Index|icons)[^/]*$)"
)

_PATH = pl.col("path")
_OF_UBUNTU = _PATH.str.contains("/pool/(?:universe|multiverse|restricted)/|_[^_/]*ubuntu[^/]*$")
_OF_DEBIAN = _PATH.str.contains("/pool/(?:updates/)?(?:main|contrib|non-free|non-free-firmware)/")
# required in a purl: said by path or host, else by what only one of them does
_VENDOR = pl.coalesce(
    vendor({"debian": "debian", "ubuntu": "ubuntu"}),
    pl.when(_OF_UBUNTU).then(pl.lit("ubuntu")).when(_OF_DEBIAN).then(pl.lit("debian")),
)


_SOURCE_TYPE = (
    pl.when(_PATH.str.ends_with(".dsc"))
    .then(pl.lit("dsc"))
    .when(_PATH.str.contains(r"\.orig[.-][^/]*$"))
    .then(pl.lit("orig"))
    .when(_PATH.str.contains(r"\.debian\.tar\.[a-z0-9]+$"))
    .then(pl.lit("debian"))
    .when(_PATH.str.ends_with(".diff.gz"))
    .then(pl.lit("diff"))
    .otherwise(pl.lit("tar"))
)

LAYOUT = Layout(
    ecosystem="deb",
    labels=("deb", "debian", "ubuntu"),
    hints=("/pool/", "/dists/", "/changelogs/"),
    rules=(
        *(Rule("binary", "artifact", f"/pool/(?:.*/)?{_BINARY}{end}$", type=end, take=_FIELDS) for end in _BINARIES),
        Rule("source", "artifact", f"/pool/(?:.*/)?{_SOURCE}"),
        Rule("buildinfo", "sidecar", f"/pool/(?:.*/)?{_BINARY}(?:buildinfo|changes)$", take=_FIELDS),
        Rule("changelog", "metadata", r"/changelogs/(?:.*/)?(?P<name>[a-z0-9][a-z0-9.+-]+)_(?P<version>[0-9A-Za-z.+:~-]+)_(?P<file>changelog|copyright)$", type="changelog"),
        Rule("installer", "other", r"/dists/[^/]+/.*/installer-[a-z0-9-]+/"),
        Rule("dists", "index", _INDEX),
        *(Rule("binary", "artifact", f"/{_BINARY}{end}$", type=end, named=True, take=_FIELDS) for end in _BINARIES),
        Rule("flat", "index", r"/(?:InRelease|Release(?:\.gpg)?|(?:Packages|Sources)(?:\.[a-z0-9]+)?|ls-lR\.gz)$", named=True),
        Rule("service", "other", r"/(?:dists|indices|project|doc|tools)/", named=True),
    ),
    package=pl.col("name").str.to_lowercase(),
    purl_name=_VENDOR + "/" + pl.col("package_name"),
    qualifiers=qualifiers(arch=pl.col("variant").fill_null("source")),
    kind=pl.when(_PATH.str.ends_with(".asc"))
    .then(pl.lit("sidecar"))
    .when(_PATH.str.ends_with(".dsc"))
    .then(pl.lit("metadata"))
    .otherwise(pl.col("kind")),
    type=pl.coalesce("type", _SOURCE_TYPE),
)  # fmt: skip
