"""NuGet: the flat container, registrations and the older feed.

https://learn.microsoft.com/nuget/api/package-base-address-resource and
https://learn.microsoft.com/nuget/api/registration-base-url-resource; identifiers ignore case, the
protocol writes them in lower case.
"""

from __future__ import annotations

import polars as pl

from l7meter.attribution.layouts import Layout, Rule

_ID = r"(?P<name>[A-Za-z0-9_][A-Za-z0-9_.-]*)"
_SHORTEST_ID = r"(?P<name>[A-Za-z0-9_][A-Za-z0-9_.-]*?)"
_VERSION = r"(?P<version>[0-9]+(?:\.[0-9]+){1,3}(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?)"
_QUOTED = r"\(Id='(?P<name>[^']+)',Version='(?P<version>[^']+)'\)"
_FLAT = r"/(?:[a-z0-9.-]*flatcontainer|flat2|flat)"
_REGISTRATION = r"/registrations?[a-z0-9-]*"


def _own(rows: pl.DataFrame) -> pl.DataFrame:
    """Only files named as their folders say: id/version/id.version.nupkg."""
    whole = pl.concat_str("name", "version", separator=".").str.to_lowercase()
    return rows.filter(pl.col("file").str.to_lowercase() == whole)


LAYOUT = Layout(
    ecosystem="nuget",
    labels=("nuget", "nugettest"),
    hints=("nupkg", ".nuspec", "flatcontainer/", "/flat", "/registration", "/api/v2/package/", "/api/nuget/"),
    rules=(
        Rule("nupkg", "artifact", rf"/{_ID}/{_VERSION}/(?P<file>[^/]+)\.nupkg$", type="nupkg", refine=_own),
        Rule("snupkg", "artifact", rf"/{_ID}/{_VERSION}/(?P<file>[^/]+)\.snupkg$", type="snupkg", refine=_own),
        # an id may have numbers between its dots: the shortest that leaves a whole version
        Rule("nupkg", "artifact", rf"/{_SHORTEST_ID}\.{_VERSION}\.nupkg$", type="nupkg"),
        Rule("snupkg", "artifact", rf"/{_SHORTEST_ID}\.{_VERSION}\.snupkg$", type="snupkg"),
        Rule("checksum", "sidecar", rf"/{_SHORTEST_ID}\.{_VERSION}\.nupkg\.(?:sha512|metadata)$"),
        Rule("nuspec", "metadata", rf"/{_ID}/{_VERSION}/[^/]+\.nuspec$", type="nuspec"),
        Rule("package", "artifact", rf"/api/v2/package/{_ID}/{_VERSION}$", type="nupkg"),
        Rule("package", "artifact", rf"/api/v2/package/{_ID}/?$", type="nupkg"),
        # Artifactory's: https://github.com/bazel-contrib/rules_dotnet/issues/401
        Rule("package", "artifact", rf"/api/nuget/(?:v3/)?[^/]+/Download/{_ID}/{_VERSION}$", type="nupkg"),
        Rule("services", "index", r"/api/nuget/v3/[^/]+(?:/index\.json)?$"),
        Rule("versions", "index", rf"{_FLAT}/{_ID}/index\.json$"),
        Rule("versions", "index", rf"{_REGISTRATION}/{_ID}/(?:index\.json|page/[^/]+/[^/]+\.json)$"),
        Rule("registration", "metadata", rf"{_REGISTRATION}/{_ID}/{_VERSION}\.json$", type="json"),
        Rule("services", "index", r"/(?:v3|vulnerabilities|catalog0|repository-signatures/[0-9.]+)/index\.json$", named=True),
        Rule("versions", "index", rf"/{_ID}/index\.json$", named=True),
        Rule("feed", "metadata", rf"/Packages{_QUOTED}", named=True, type="xml"),
        Rule("feed", "index", r"/(?:FindPackagesById|Packages|Search|GetUpdates)\(\)", named=True),
        Rule("service", "other", r"^/(?:v3|api|query|autocomplete|symbols|stats)(?:/|$)", named=True),
    ),
    package=pl.col("name").str.to_lowercase(),
    purl_version=pl.col("version").str.to_lowercase(),
)  # fmt: skip
