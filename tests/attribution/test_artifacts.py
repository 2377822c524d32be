"""Golden rows: what each real shape of path is concluded to be."""

from pathlib import Path

import polars as pl
import pytest
from packageurl import PackageURL
from polars.testing import assert_frame_equal

from l7meter.attribution import artifacts
from l7meter.attribution.layouts import load

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


def test_no_shape_is_claimed_by_two_layouts() -> None:
    path, host = artifacts._path_and_host(ALL)
    rows = pl.DataFrame({"path": artifacts._cleaned(path), "host": host}).drop_nulls("path")
    rows = rows.with_row_index("row").with_columns(said=pl.lit(None, pl.String))
    claims = [artifacts._claims(rows, {e: layout}, None) for e, layout in load().items()]
    twice = pl.concat(claims).filter(pl.col("row").is_duplicated()).join(rows, on="row")
    assert twice.select("path", "artifact_rule").rows() == []


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
    purls = set(ALL.get_column("purl").drop_nulls())
    other = {purl for purl in purls if PackageURL.from_string(purl).to_string() != purl}
    # npm names keep their case (npm's type definition of ECMA-427); packageurl-python lowers it
    assert other == {"pkg:npm/JSONStream@1.3.5"}


def test_a_purl_says_what_the_columns_say() -> None:
    for row in ALL.filter(pl.col("purl").is_not_null()).rows(named=True):
        purl = PackageURL.from_string(row["purl"])
        glue = ":" if purl.type == "maven" else "/"
        name = (
            purl.name
            if purl.type == "deb"
            else glue.join(filter(None, [purl.namespace, purl.name]))
        )
        assert purl.type == row["package_ecosystem"]
        assert name.lower() == row["package_name"].lower()
        assert purl.version == row["package_version"]


def rules_table() -> str:
    """The table of `docs/artifacts.md`: the first golden row of each rule."""
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
    page = (ROOT / "docs/artifacts.md").read_text(encoding="utf-8")
    documented = page.partition("<!-- rules -->\n")[2].partition("\n<!-- end -->")[0]
    assert documented == rules_table(), "put what rules_table() returns between the marks"
