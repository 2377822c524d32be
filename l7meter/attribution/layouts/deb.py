"""Debian archives: pool and dists.

Debian wiki, "DebianRepository/Format"; names and versions: Debian Policy, chapter 5.
"""

from __future__ import annotations

import polars as pl

from l7meter.attribution.layouts import Layout, Rule, encoded

_NAME = r"(?P<name>[A-Za-z0-9][A-Za-z0-9.+-]+)"
_BINARY = r"[A-Za-z0-9][A-Za-z0-9.+-]+_[A-Za-z0-9.+:~-]+_[a-z0-9-]+\.(?:deb|udeb|ddeb)$"
_BUILDINFO = _BINARY.replace("deb|udeb|ddeb", "buildinfo|changes")
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

_PATH, _HOST, _OF_VERSION = pl.col("path"), pl.col("host"), pl.col("version")
# the vendor is required in a purl: said by path or host, else by what only one of them does
_VENDOR = (
    pl.when(_PATH.str.contains(r"/debian(?:-[a-z]+)?/"))
    .then(pl.lit("debian"))
    .when(_PATH.str.contains(r"/ubuntu(?:-[a-z]+)?/"))
    .then(pl.lit("ubuntu"))
    .when(_HOST.str.contains(r"(?:^|\.)debian\."))
    .then(pl.lit("debian"))
    .when(_HOST.str.contains(r"(?:^|\.)ubuntu\."))
    .then(pl.lit("ubuntu"))
    .when(_PATH.str.contains(r"/pool/(?:universe|multiverse|restricted)/") | _OF_VERSION.str.contains("ubuntu", literal=True))
    .then(pl.lit("ubuntu"))
    .when(_PATH.str.contains(r"/pool/(?:updates/)?(?:main|contrib|non-free|non-free-firmware)/"))
    .then(pl.lit("debian"))
)  # fmt: skip

LAYOUT = Layout(
    ecosystem="deb",
    labels=("deb", "debian", "ubuntu"),
    hint="/pool/|/dists/",
    rules=(
        Rule("binary", "artifact", f"/pool/(?:.*/)?{_BINARY}", take=_FIELDS),
        Rule("source", "artifact", f"/pool/(?:.*/)?{_SOURCE}"),
        Rule("buildinfo", "sidecar", f"/pool/(?:.*/)?{_BUILDINFO}", take=_FIELDS),
        Rule("installer", "other", r"/dists/[^/]+/.*/installer-[a-z0-9-]+/"),
        Rule("dists", "index", _INDEX),
        Rule("binary", "artifact", f"/{_BINARY}", named=True, take=_FIELDS),
        Rule("flat", "index", r"/(?:InRelease|Release(?:\.gpg)?|(?:Packages|Sources)(?:\.[a-z0-9]+)?|ls-lR\.gz)$", named=True),
        Rule("service", "other", r"/(?:dists|indices|project|doc|tools)/", named=True),
    ),
    package=pl.col("name").str.to_lowercase(),
    purl_name=_VENDOR + "/" + pl.col("package_name"),
    qualifiers=pl.lit("arch=") + encoded(pl.col("variant").fill_null("source")),
    kind=pl.when(_PATH.str.ends_with(".asc")).then(pl.lit("sidecar")).otherwise(pl.col("kind")),
)  # fmt: skip
