"""RubyGems: gems, specifications, the compact index and the API.

RubyGems Guides, "Compact Index API" and "API"; platforms: `Gem::Platform` of
https://github.com/rubygems/rubygems
"""

from __future__ import annotations

import polars as pl

from l7meter.attribution.layouts import Layout, Rule, qualifiers

_NAME = r"(?P<name>[A-Za-z0-9_.-]+)"
_VERSION = r"(?P<version>[0-9]+(?:\.[0-9A-Za-z]+)*)"
# a list, for foo-2-bar-1.0 is version 1.0 of foo-2-bar, and not version 2 for the platform bar
_PLATFORM = (
    r"(?P<variant>(?:x86_64|x86|x64|i[3-6]86|amd64|universal|arm|arm64|armv[0-9]+[a-z]*|aarch64|powerpc|ppc|ppc64|ppc64le"
    r"|s390x|sparc|mips|mips64|riscv64|loongarch64|wasm32|java|jruby|dalvik|dotnet|mswin[0-9]*|mingw[0-9]*|linux|darwin)"
    r"(?:[-_.][A-Za-z0-9]+)*)"
)
_FULL = rf"(?P<name>[A-Za-z0-9_.-]+?)-{_VERSION}(?:-{_PLATFORM})?"

LAYOUT = Layout(
    ecosystem="gem",
    labels=("gem", "gems", "rubygems"),
    hints=(".gem", "specs."),
    rules=(
        Rule("gem", "artifact", rf"/{_FULL}\.gem$", type="gem"),
        Rule("gemspec", "metadata", rf"/quick/Marshal\.[0-9.]+/{_FULL}\.gemspec\.rz$", type="gemspec"),
        Rule("specs", "index", r"/(?:latest_|prerelease_)?specs\.[0-9.]+(?:\.gz)?$"),
        Rule("info", "index", rf"/info/{_NAME}$", named=True),
        Rule("compact-index", "index", r"/(?:versions|names)$", named=True),
        Rule("dependencies", "index", r"/api/v1/dependencies(?:\.json)?$", named=True),
        Rule("marshal", "index", r"^/(?:Marshal\.[0-9.]+|yaml)(?:\.Z)?$", named=True),
        Rule("gem-json", "metadata", r"/api/v1/(?:gems|versions)/(?P<name>[A-Za-z0-9_.-]+?)\.(?:json|yaml)$", named=True, type="json"),
        Rule("version-json", "metadata", rf"/api/v2/rubygems/{_NAME}/versions/{_VERSION}\.(?:json|yaml)$", named=True, type="json"),
        Rule("service", "other", r"^/(?:api|gems|downloads|search|stats|profiles)(?:/|$)", named=True),
    ),
    qualifiers=qualifiers(platform=pl.col("variant")),
)  # fmt: skip
