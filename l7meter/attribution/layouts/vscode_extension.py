"""Extension registries of VS Code: Open VSX and galleries that speak its protocol.

https://github.com/eclipse/openvsx/wiki (the registry API) and
https://github.com/eclipse/openvsx/blob/master/server/src/main/java/org/eclipse/openvsx/adapter/VSCodeAPI.java
(the gallery). Names are `publisher.name` and ignore case.
"""

from __future__ import annotations

import polars as pl

from l7meter.attribution.layouts import Layout, Rule, qualifiers

_ID = r"(?P<namespace>[A-Za-z0-9_][A-Za-z0-9_-]*)/(?P<name>[A-Za-z0-9_][A-Za-z0-9_.-]*)"
_VERSION = r"(?P<version>[0-9]+\.[0-9]+\.[0-9]+[A-Za-z0-9.+-]*)"
_PLATFORM = r"(?P<variant>universal|web|(?:win32|linux|alpine|darwin)-[a-z0-9]+)"
_OF = rf"{_ID}/(?:{_PLATFORM}/)?{_VERSION}"
_GALLERY = r"/(?:vscode|_apis/public/gallery)(?:/gallery)?"
_PARTS = r"(?P<namespace>[A-Za-z0-9_-]+)/{between}(?P<name>[A-Za-z0-9_.-]+)"
_ASSET = (
    rf"/(?:asset|publisher)/{_PARTS.format(between='(?:extension/)?')}/{_VERSION}"
    r"/(?:assetbyname/)?Microsoft\.VisualStudio\."
)
_PACKAGE = rf"/publishers/{_PARTS.format(between='vsextensions/')}/{_VERSION}/vspackage$"


LAYOUT = Layout(
    ecosystem="vscode-extension",
    labels=("open-vsx", "openvsx", "vsx"),
    hints=(".vsix", "/vsextensions/", "Microsoft.VisualStudio.", "/extensionquery", "/file/"),
    rules=(
        Rule("vsix", "artifact", rf"/{_OF}/(?:file/)?[^/]+\.vsix$", type="vsix"),
        Rule("vspackage", "artifact", _PACKAGE, type="vsix"),
        Rule("asset", "artifact", rf"{_ASSET}Services\.VSIXPackage$", type="vsix"),
        Rule("asset-signature", "sidecar", rf"{_ASSET}Services\.VsixSignature$"),
        Rule("asset-manifest", "metadata", rf"{_ASSET}(?:Code\.Manifest|Services\.VsixManifest)$", type="manifest"),
        Rule("asset-page", "other", rf"{_ASSET}[A-Za-z.]+"),
        Rule("signature", "sidecar", rf"/{_OF}/(?:file/)?[^/]+\.(?:vsix\.sha256|sha256|sigzip)$"),
        Rule("manifest", "metadata", rf"/api/{_OF}/file/package\.json$", type="manifest"),
        Rule("file", "other", rf"/api/{_OF}/file/"),
        Rule("query", "index", rf"{_GALLERY}/extensionquery$"),
        Rule("query", "index", r"/api/(?:v2/)?-/(?:query|search)$", named=True),
        Rule("latest", "metadata", rf"{_GALLERY}/(?:vscode/)?{_ID}/latest$", named=True, type="json"),
        Rule("version-json", "metadata", rf"^/api/{_OF}$", named=True, type="json"),
        Rule("extension-json", "metadata", rf"^/api/{_ID}(?:/(?:latest|{_PLATFORM}))?$", named=True, type="json"),
        Rule("service", "other", r"^/(?:api|vscode|extension|namespace|user|admin)(?:/|$)", named=True),
    ),
    package=pl.concat_str("namespace", "name", separator=".").str.to_lowercase(),
    purl_name=pl.concat_str("namespace", "name", separator="/").str.to_lowercase(),
    purl_version=pl.col("version").str.to_lowercase(),
    qualifiers=qualifiers(platform=pl.col("variant")),
)  # fmt: skip
