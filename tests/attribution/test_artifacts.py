"""Golden rows: what each real shape of path is concluded to be."""

from pathlib import Path
from random import Random

import polars as pl
import pytest
from packageurl import PackageURL
from polars.testing import assert_frame_equal, assert_series_equal

from l7meter.attribution import artifacts
from l7meter.attribution.claims import claims
from l7meter.attribution.layouts import Layout, load

ROOT = Path(__file__).parents[2]
GOLDEN = {
    path.stem: pl.read_csv(path, infer_schema=False).with_columns(
        package_ecosystem=pl.when(pl.col("artifact_kind").is_not_null()).then(pl.lit(path.stem))
    )
    for path in sorted((ROOT / "tests/data/artifacts").glob("*.csv"))
}
ALL = pl.concat(GOLDEN.values())
PATH_AND_HOST = ["url_original", "server_address"]


@pytest.mark.parametrize("name", GOLDEN)
def test_each_shape_is_what_it_is(name: str) -> None:
    golden = GOLDEN[name]
    got = artifacts.conclude(golden.select(PATH_AND_HOST)).drop("url_path")
    assert_frame_equal(
        pl.concat([golden.select(PATH_AND_HOST), got], how="horizontal"),
        golden.select(*PATH_AND_HOST, *got.columns),
    )


def test_every_layout_has_golden_rows_and_every_rule_claims_one() -> None:
    told = set(ALL.get_column("artifact_rule").drop_nulls().str.replace(" by .*", ""))
    rules = {f"{e}/{rule.name}" for e, layout in load().items() for rule in layout.rules}
    assert told == rules


def claimed_by_path(layouts: dict[str, Layout]) -> pl.DataFrame:
    """What these layouts claim of all golden paths, were their hosts not known."""
    path, _ = artifacts._path_and_host(ALL)
    rows = pl.DataFrame({"path": artifacts._cleaned(path)}).with_row_index("row")
    null = pl.lit(None, pl.String)
    rows = rows.with_columns(pl.col("row").cast(pl.Int64), host=null, said=null)
    return claims(rows, layouts, None).sort("row")


def test_no_shape_is_claimed_by_two_layouts() -> None:
    alone = pl.concat([claimed_by_path({e: layout}) for e, layout in load().items()])
    twice = alone.filter(pl.col("row").is_duplicated())
    paths = ALL.get_column("url_original").gather(twice.get_column("row"))
    assert twice.with_columns(path=paths).select("path", "artifact_rule").rows() == []


def test_without_a_host_the_right_layout_claims_or_none() -> None:
    right = ALL.get_column("package_ecosystem")
    told = claimed_by_path(load())
    own = right.gather(told.get_column("row"))
    assert_series_equal(told.get_column("package_ecosystem"), own, check_names=False)


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_layouts_does_not_matter(seed: int) -> None:
    shuffled = list(load().items())
    Random(seed).shuffle(shuffled)
    assert_frame_equal(claimed_by_path(dict(shuffled)), claimed_by_path(load()))


def test_what_the_host_tells_the_operator_can_tell() -> None:
    by_host = ALL.filter(
        pl.col("artifact_rule").str.ends_with("by host"),
        pl.col("url_original").str.starts_with("/"),
    ).with_columns(server_address=pl.lit(None, pl.String))
    for (ecosystem,), golden in by_host.group_by("package_ecosystem"):
        nobody = artifacts.conclude(golden.select(PATH_AND_HOST))
        operator = artifacts.conclude(golden.select(PATH_AND_HOST), registry=str(ecosystem))
        assert nobody.get_column("artifact_kind").null_count() == len(golden)
        same = ["package_ecosystem", "package_name", "package_version", "artifact_kind", "purl"]
        assert_frame_equal(operator.select(same), golden.select(same))
        assert operator.get_column("artifact_rule").str.ends_with("by registry").all()


def test_purls_are_canonical() -> None:
    # packageurl-python leaves slashes in versions and qualifiers, which purl encodes (ECMA-427, 5.4)
    purls = {purl: purl.replace("%2F", "/") for purl in ALL.get_column("purl").drop_nulls()}
    other = {
        purl for purl, text in purls.items() if PackageURL.from_string(purl).to_string() != text
    }
    # npm names keep their case (npm's type definition); packageurl-python lowers them, and in names
    # of apk also the digits of %2B
    assert other == {
        "pkg:npm/JSONStream@1.3.5",
        "pkg:apk/alpine/gtk%2B3.0@3.24.38-r1?arch=x86",
        "pkg:apk/alpine/g%2B%2B@13.2.1_git20231014-r0?arch=armv7",
    }


# how a package's own name joins what a purl has as namespace and name
GLUE = {"maven": ":", "vscode-extension": "."}
# the namespace of a purl is a vendor or an author, and no part of the name
BARE = {"alpm", "apk", "brew", "cpan", "deb", "rpm"}


def test_a_purl_says_what_the_columns_say() -> None:
    for row in ALL.filter(pl.col("purl").is_not_null()).rows(named=True):
        purl = PackageURL.from_string(row["purl"])
        glue = GLUE.get(purl.type, "/")
        name = row["package_name"].lower()
        assert purl.type == row["package_ecosystem"]
        if purl.type == "oci":
            assert purl.name == name.split("/")[-1]
        elif purl.type in BARE:
            assert purl.name.lower() == name
        else:
            assert glue.join(filter(None, [purl.namespace, purl.name])).lower() == name
        if purl.version is not None:
            assert purl.version.lower() == row["package_version"].lower()
        else:
            # a tag, a branch and a layer's digest are no versions of the package
            assert row["package_version"] is None or purl.type in {"huggingface", "oci"}


@pytest.mark.parametrize(("ecosystem", "rule"), [
    ("alpm", "namespace"), ("apk", "namespace"), ("composer", "namespace"), ("cpan", "namespace"),
    ("deb", "namespace"), ("github", "namespace"), ("golang", "namespace"),
    ("maven", "namespace"), ("vscode-extension", "namespace"),
    ("conda", "none"), ("cran", "none"), ("gem", "none"), ("hackage", "none"), ("nuget", "none"),
    ("oci", "none"), ("pub", "none"), ("pypi", "none"), ("cargo", "none"), ("cocoapods", "none"),
])  # fmt: skip
def test_purls_have_a_namespace_where_their_type_requires_or_forbids_it(
    ecosystem: str, rule: str
) -> None:
    """As https://github.com/package-url/purl-spec/tree/main/types says."""
    purls = [PackageURL.from_string(purl) for purl in GOLDEN[ecosystem]["purl"].drop_nulls()]
    assert purls
    assert all(bool(purl.namespace) is (rule == "namespace") for purl in purls)


def test_artifacts_and_metadata_have_a_type_and_nothing_else_has() -> None:
    typed = pl.col("artifact_type").is_not_null()
    described = pl.col("artifact_kind").is_in(["artifact", "metadata"]).fill_null(False)
    assert ALL.filter(typed != described).rows() == []


def rules_table() -> str:
    """The table of `docs/layouts.md`: the first golden row of each rule."""
    rules = ALL.filter(pl.col("artifact_rule").is_not_null()).unique(
        "artifact_rule", keep="first", maintain_order=True
    )
    lines = ["| rule | kind | package | version | example |", "|---|---|---|---|---|"]
    for row in rules.rows(named=True):
        name, version = row["package_name"] or "", row["package_version"] or ""
        lines.append(
            f"| {row['artifact_rule']} | {row['artifact_kind']} | {name} | {version} | `{row['url_original']}` |"
        )
    return "\n".join(lines)


def test_the_documented_rules_are_the_rules() -> None:
    page = (ROOT / "docs/layouts.md").read_text(encoding="utf-8")
    documented = page.partition("<!-- rules -->\n")[2].partition("\n<!-- end -->")[0]
    assert documented == rules_table(), "put what rules_table() returns between the marks"
