"""Python package index: the simple API, files, JSON API.

Simple API: https://packaging.python.org/en/latest/specifications/simple-repository-api/
File names: https://packaging.python.org/en/latest/specifications/binary-distribution-format/ and
https://packaging.python.org/en/latest/specifications/source-distribution-format/
Versions: https://packaging.python.org/en/latest/specifications/version-specifiers/
"""

from __future__ import annotations

import polars as pl

from l7meter.attribution.layouts import CHARACTERS, Layout, Rule

_NAME = r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)"
_SHORTEST_NAME = r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*?)"
_VERSION = (
    r"(?P<version>(?i:v?(?:[0-9]+!)?[0-9]+(?:\.[0-9]+)*"
    r"(?:[-_.]?(?:alpha|beta|preview|pre|rc|a|b|c)[-_.]?[0-9]*)?"
    r"(?:-[0-9]+|[-_.]?(?:post|rev|r)[-_.]?[0-9]*)?"
    r"(?:[-_.]?dev[-_.]?[0-9]*)?"
    r"(?:\+[a-z0-9]+(?:[-_.][a-z0-9]+)*)?))"
)
_TAG = r"[A-Za-z0-9_.]+"
_PLATFORM = r"(?:win32|win-[a-z0-9]+|macosx-[0-9.]+-[a-z0-9_]+|linux-[a-z0-9_]+)"
_ARCHIVE = r"\.(?:tar\.(?:gz|bz2|xz|Z)|tgz|tar|zip|exe|msi|dmg)"
_SIDECARS = r"\.(?:provenance|asc|sig)"
_ENDING = rf"(?:\.metadata|{_SIDECARS})?$"

_FIELD = r"[A-Za-z0-9_.!+]+"
_WHEEL = rf"/{_TAG}-{_FIELD}(?:-[0-9][A-Za-z0-9_.]*)?-{_TAG}-{_TAG}-{_TAG}\.whl{_ENDING}"
_EGG = rf"{_TAG}-{_FIELD}-py[0-9.]+(?:-[A-Za-z0-9_.-]+)?\.egg{_ENDING}"
_FIRST_TWO = r"^(?P<name>[^-]+)-(?P<version>[^-]+)-"
_FILES = (
    ("egg", "egg", _EGG, _FIRST_TWO),
    ("platform", "dumb", rf"{_SHORTEST_NAME}-{_VERSION}\.{_PLATFORM}(?:-py[0-9.]+)?{_ARCHIVE}{_ENDING}", ""),
    ("rpm", "rpm", rf"{_SHORTEST_NAME}-{_VERSION}-[0-9][A-Za-z0-9_.]*\.(?:noarch|src|i[3-6]86|x86_64)\.rpm{_ENDING}", ""),
    # since PEP 625 one dash; before, the shortest name that leaves a version: foo-2-bar-1.0 is foo-2-bar
    ("sdist", "sdist", rf"{_TAG}-{_FIELD}{_ARCHIVE}{_ENDING}", rf"^(?P<name>[^-]+)-(?P<version>[^-]+?){_ARCHIVE}"),
    ("old-sdist", "sdist", rf"{_SHORTEST_NAME}-{_VERSION}{_ARCHIVE}{_ENDING}", ""),
    ("odd-sdist", "sdist", rf"{_SHORTEST_NAME}-(?P<version>v?[0-9]{CHARACTERS}*?){_ARCHIVE}{_ENDING}", ""),
)  # fmt: skip
# by digest (BLAKE2b-256, split 2/2/60), and by Python version, initial and name as before 2016
_PAGE = r"index\.(?:html|v1_json|v1_html)"
FOLDER = (
    r"/packages/(?:[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{60}"
    r"|(?:source|any|(?:py|cp|pp)?[0-9][a-z0-9.]*)/[A-Za-z0-9]/[A-Za-z0-9._-]+)/"
)

LAYOUT = Layout(
    ecosystem="pypi",
    labels=("pypi", "pythonhosted"),
    hints=("/packages/", ".whl", "/simple/", "/+simple/", "/pypi/", "/integrity/"),
    rules=(
        Rule("wheel", "artifact", _WHEEL, type="wheel", take=_FIRST_TWO),
        *(Rule(name, "artifact", FOLDER + file, type=word, take=take) for name, word, file, take in _FILES),
        Rule("file", "artifact", rf"{FOLDER}{CHARACTERS}+?{_ENDING}", type="file"),
        # devpi's have a plus, bandersnatch's are files
        Rule("simple", "index", rf"/\+?simple/{_PAGE}$"),
        Rule("project", "index", rf"/\+?simple/{_NAME}/(?:{_PAGE})?$"),
        Rule("json", "metadata", rf"/pypi/{_NAME}/json/?$", type="json"),
        Rule("version-json", "metadata", rf"/pypi/{_NAME}/(?P<version>{CHARACTERS}+)/json/?$", type="json"),
        Rule("integrity", "sidecar", rf"/integrity/{_NAME}/(?P<version>{CHARACTERS}+)/{CHARACTERS}+/provenance$"),
        Rule("simple", "index", r"/\+?simple/?$", named=True),
        Rule("project", "index", rf"/\+?simple/{_NAME}$", named=True),
        *(Rule(name, "artifact", f"/{file}", named=True, type=word, take=take) for name, word, file, take in _FILES),
        Rule("service", "other", r"^/(?:legacy|pypi|rss|search|stats|project)(?:/|$)", named=True),
    ),
    package=pl.col("name").str.to_lowercase().str.replace_all(r"[-_.]+", "-"),  # PEP 503
    kind=pl.when(pl.col("path").str.ends_with(".metadata"))
    .then(pl.lit("metadata"))
    .when(pl.col("path").str.contains(_SIDECARS + "$"))
    .then(pl.lit("sidecar"))
    .otherwise(pl.col("kind")),
    # installers of one platform: what distutils called bdist_wininst, bdist_msi, bdist_dmg, bdist_dumb
    type=pl.when(pl.col("path").str.ends_with(".metadata"))
    .then(pl.lit("metadata"))
    .when(pl.col("type") == "dumb")
    .then(
        pl.col("path").str.extract(r"\.(exe|msi|dmg)$").replace("exe", "wininst").fill_null("dumb")
    )
    .otherwise("type"),
)  # fmt: skip
