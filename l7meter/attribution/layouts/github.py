"""GitHub: assets of releases and archives of a repository's content.

https://docs.github.com/en/repositories/releasing-projects-on-github/linking-to-releases and
https://docs.github.com/en/repositories/working-with-files/using-files/downloading-source-code-archives

Other forges (Gitea, Forgejo) have the same paths, so only a host or the operator can say that they
are GitHub's.
"""

from __future__ import annotations

import polars as pl

from l7meter.attribution.layouts import Layout, Rule

_REPOSITORY = r"(?P<namespace>[A-Za-z0-9-]+)/(?P<name>[A-Za-z0-9._-]+)"
_REF = r"(?:refs/(?:tags|heads)/)?(?P<version>.+)"
_ARCHIVE = r"(?P<variant>tar\.gz|zip)"
_SIDECARS = (
    r"\.(?:asc|sig|sign|minisig|sigstore|sigstore\.json|bundle|pem|crt|cert|intoto\.jsonl|md5|sha1|sha256|sha512|sha256sum|sha512sum)$"
    r"|(?i:/[^/]*(?:checksums?|sha(?:1|256|512)sums?)[^/.]*(?:\.txt)?$)"
)

LAYOUT = Layout(
    ecosystem="github",
    # not wherever it stands: npm.pkg.github.example.org is an npm registry
    labels=("^github", r"(?:www|api|codeload)\.github", "githubusercontent"),
    hints=("/github-production-release-asset",),
    rules=(
        # an asset where a release redirects to, by number
        Rule("stored-asset", "artifact", r"^/github-production-release-asset[^/]*/[0-9]+/[^/]+$", type="release-asset"),
        Rule("latest-asset", "artifact", rf"^/{_REPOSITORY}/releases/latest/download/[^/]+$", named=True, type="release-asset"),
        # a tag may hold slashes
        Rule("asset", "artifact", rf"^/{_REPOSITORY}/releases/download/(?P<version>.+)/[^/]+$", named=True, type="release-asset"),
        Rule("archive", "artifact", rf"^/{_REPOSITORY}/archive/{_REF}\.{_ARCHIVE}$", named=True, type="source"),
        Rule("archive", "artifact", rf"^/{_REPOSITORY}/(?:legacy\.)?{_ARCHIVE}/{_REF}$", named=True, type="source"),
        Rule("archive", "artifact", rf"^/repos/{_REPOSITORY}/(?:tarball|zipball)/{_REF}$", named=True, type="source"),
        Rule("asset-by-id", "artifact", rf"^/repos/{_REPOSITORY}/releases/assets/[0-9]+$", named=True, type="release-asset"),
        Rule("release-json", "metadata", rf"^/repos/{_REPOSITORY}/releases/tags/(?P<version>.+)$", named=True, type="json"),
        Rule("release-json", "metadata", rf"^/repos/{_REPOSITORY}/releases/(?:latest|[0-9]+)$", named=True, type="json"),
        Rule("releases", "index", rf"^/(?:repos/)?{_REPOSITORY}/(?:releases|tags)/?$", named=True),
        Rule("git", "other", r"^/[A-Za-z0-9-]+/[A-Za-z0-9._-]+/(?:info/(?:refs|lfs/.+)|git-upload-pack)$", named=True),
    ),
    package=pl.concat_str("namespace", "name", separator="/").str.to_lowercase(),
    kind=pl.when((pl.col("type") == "release-asset") & pl.col("path").str.contains(_SIDECARS))
    .then(pl.lit("sidecar"))
    .otherwise("kind"),
)  # fmt: skip
