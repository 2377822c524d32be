"""npm: packuments, tarballs and the `/-/` services.

https://github.com/npm/registry/blob/main/docs/REGISTRY-API.md
Names: npm CLI documentation, "package.json", section name.
"""

from __future__ import annotations

import polars as pl

from l7meter.attribution.layouts import ROOT, Layout, Rule

_CHARACTERS = r"[A-Za-z0-9_.~!'()*-]"
_SCOPE = rf"(?:(?P<namespace>@{_CHARACTERS}+)/)?"
_NAME = rf"{_SCOPE}(?P<name>[A-Za-z0-9~!'()*]{_CHARACTERS}*)"
_SEMVER = r"[0-9]+\.[0-9]+\.[0-9]+(?:-[A-Za-z0-9.-]+)?(?:\+[A-Za-z0-9.-]+)?"
# any word can be a tag; beyond the common ones a path of two words is more often something else
_TAGS = "latest|next|alpha|beta|rc|canary|dev|experimental|legacy|nightly|stable"


def _tarball(rows: pl.DataFrame) -> pl.DataFrame:
    """The version: what the file name holds beyond the package's own name."""
    file, name = pl.col("file"), pl.col("name")
    return rows.with_columns(
        version=pl.when(file.str.starts_with(name + "-"))
        .then(file.str.slice(name.str.len_chars() + 1))
        .otherwise(file.str.extract(rf"-({_SEMVER})$"))
        .replace("", None)
    )


LAYOUT = Layout(
    ecosystem="npm",
    labels=("npm", "npmjs", "yarnpkg"),
    hints=("/-/",),
    rules=(
        Rule("tarball", "artifact", rf"/{_NAME}/-/(?:@{_CHARACTERS}+/)?(?P<file>(?:{_CHARACTERS}|\+)+)\.tgz$", type="tgz", refine=_tarball),
        Rule("attestations", "sidecar", rf"/-/npm/v1/attestations/{_NAME}@(?P<version>{_SEMVER})$"),
        Rule("dist-tags", "index", rf"/-/package/{_NAME}/dist-tags(?:/{_CHARACTERS}*)?$"),
        Rule("service", "other", r"/-/(?:(?:ping|whoami|v1/search|v1/login)$|npm/v1/|user/org\.couchdb\.user:)"),
        Rule("service", "other", r"^/-/", named=True),
        # not packages: https://github.com/npm/validate-npm-package-name#naming-rules
        Rule("page", "other", r"^/(?:favicon\.ico|robots\.txt|node_modules)$", named=True),
        Rule("packument", "index", rf"{ROOT}/{_NAME}/?$", named=True),
        Rule("version", "metadata", rf"{ROOT}/{_NAME}/(?P<version>{_SEMVER})$", named=True, type="json"),
        Rule("tag", "metadata", rf"{ROOT}/{_NAME}/(?:{_TAGS})$", named=True, type="json"),
    ),
    package=pl.when(pl.col("name").is_not_null()).then(
        pl.concat_str("namespace", "name", separator="/", ignore_nulls=True)
    ),
)  # fmt: skip
