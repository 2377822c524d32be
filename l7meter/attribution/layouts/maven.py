"""Maven 2 repositories: group/artifact/version/artifact-version[-classifier].extension.

Maven documentation, "Repository Layout"; snapshots and maven-metadata.xml: "Repository Metadata".
"""

from __future__ import annotations

import polars as pl

from l7meter.attribution.layouts import Layout, Rule, qualifiers

_SEGMENT = r"[A-Za-z0-9_.+~-]+"
_SIDECARS = r"(?:\.(?:asc|md5|sha1|sha256|sha512|sigstore(?:\.json)?))*"
_FILE = rf"(?:/{_SEGMENT}){{3,}}/{_SEGMENT}"
# endings that only a Maven repository serves from a folder of the file's own name and version
_ENDINGS = ("jar", "pom", "module", "aar", "war", "ear", "klib", "hpi", "jpi", "nbm")
_OWN = rf"{_FILE}\.(?:{'|'.join(_ENDINGS)}){_SIDECARS}$"

# the repository's root, as the common servers and repository managers place it
_ROOT = (
    r"^(?:/[^/]+)*?/maven2/"
    r"|^(?:/nexus)?/(?:repository|content/repositories|content/groups)/[^/]+/"
    r"|^/artifactory/(?:api/maven/)?[^/]+/"
    r"|^/(?:maven|m2|repo|releases?|snapshots?)/"
    r"|^/"
)
_REST = (
    r"^(?P<stamp>SNAPSHOT|[0-9]{8}\.[0-9]{6}-[0-9]+)?"
    rf"(?:-(?P<classifier>{_SEGMENT}?))?"
    r"\.(?P<variant>tar\.[a-z0-9]+|[A-Za-z][A-Za-z0-9]*)"
    rf"{_SIDECARS}$"
)


def _located(rows: pl.DataFrame, *below: str) -> pl.DataFrame:
    """The rows of plain segments with `namespace`: the path above `below`, without the root."""
    path = pl.col("path")
    length = pl.sum_horizontal(pl.col(below).str.len_chars() + 1)
    above = path.str.head(path.str.len_chars() - length) + "/"
    namespace = above.str.replace(_ROOT, "").str.strip_suffix("/")
    return rows.filter(path.str.contains(rf"^(?:/{_SEGMENT})+$")).with_columns(namespace=namespace)


def _metadata(rows: pl.DataFrame) -> pl.DataFrame:
    """`maven-metadata.xml` beside the versions of an artifact, or the builds of a snapshot."""
    folders = pl.col("folders").list
    last = folders.get(-2)
    snapshot = last.str.ends_with("-SNAPSHOT") & (folders.len() > 3)
    rows = rows.with_columns(folders=pl.col("path").str.split("/")).with_columns(
        name=pl.when(snapshot).then(folders.get(-3, null_on_oob=True)).otherwise(last),
        version=pl.when(snapshot).then(last),
        file=folders.get(-1),
    )
    return _located(rows, "name", "version", "file").with_columns(file=pl.lit(None, pl.String))


def _file(rows: pl.DataFrame) -> pl.DataFrame:
    """Only files named as their folders say: artifact, version, then classifier and extension.

    A snapshot's version is the time-stamped one where the file has it: each build is an artifact.
    """
    folders = pl.col("folders").list
    version, stamp = pl.col("version"), pl.col("stamp")
    snapshot = version.str.ends_with("-SNAPSHOT")
    base = pl.when(snapshot).then(version.str.strip_suffix("SNAPSHOT")).otherwise(version)
    start = pl.col("name") + "-" + base
    rows = (
        rows.with_columns(folders=pl.col("path").str.split("/"))
        .with_columns(name=folders.get(-3), version=folders.get(-2), file=folders.get(-1))
        .filter(pl.col("file").str.starts_with(start))
    )
    rest = pl.col("file").str.slice(start.str.len_chars())
    return (
        _located(rows, "name", "version", "file")
        .drop("variant")
        .filter(pl.col("namespace") != "")
        .with_columns(rest.str.extract_groups(_REST))
        .unnest("file")
        .filter(pl.col("variant").is_not_null(), stamp.is_not_null() == snapshot)
        .with_columns(
            version=pl.when(snapshot).then(base + stamp).otherwise(version),
            file="classifier",
        )
    )


_TYPE = pl.when(~pl.col("variant").is_in(["jar", "pom", "module"])).then(pl.col("variant"))

LAYOUT = Layout(
    ecosystem="maven",
    labels=("maven", "maven2"),
    hints=("/maven2/", "/maven-metadata", "/archetype-catalog", "/.index/", *(f".{end}" for end in _ENDINGS)),
    rules=(
        Rule("metadata", "index", rf"/{_SEGMENT}/maven-metadata(?:-{_SEGMENT})?\.xml{_SIDECARS}$", refine=_metadata),
        Rule("catalog", "index", rf"/archetype-catalog\.xml{_SIDECARS}$"),
        Rule("index", "index", r"/\.index/nexus-maven-repository-index(?:[.-][a-z0-9]+)*$"),
        Rule("file", "artifact", _OWN, refine=_file),
        Rule("file", "artifact", f"/maven2{_FILE}$", refine=_file),
        Rule("file", "artifact", f"{_FILE}$", named=True, refine=_file),
        Rule("listing", "index", r"/$", named=True),
    ),
    package=pl.when(pl.col("name").is_not_null(), pl.col("namespace") != "").then(
        pl.col("namespace").str.replace_all("/", ".", literal=True) + ":" + pl.col("name")
    ),
    purl_name=pl.col("package_name").str.replace(":", "/", literal=True),
    qualifiers=qualifiers(classifier=pl.col("file"), type=_TYPE),
    kind=pl.when(pl.col("path").str.contains(_SIDECARS[:-1] + "+$"))
    .then(pl.lit("sidecar"))
    .when(pl.col("variant").is_in(["pom", "module"]))
    .then(pl.lit("metadata"))
    .otherwise(pl.col("kind")),
    type=pl.col("variant"),
)  # fmt: skip
