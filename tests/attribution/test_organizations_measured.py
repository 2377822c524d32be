"""What the docs say of name rules and of names is what is measured today."""

from __future__ import annotations

import runpy
from pathlib import Path

import polars as pl
import pytest

from l7meter.attribution.organization_names import is_told, rule_of
from l7meter.attribution.organization_table import NameRule, table

MEASURE = runpy.run_path(
    str(Path(__file__).parents[2] / "scripts" / "measure_organizations.py"), run_name="measure"
)
RULES = table().name_rules


def test_the_page_holds_the_figures_of_today():
    text = MEASURE["PAGE"].read_text(encoding="utf-8")
    assert text == MEASURE["page"](), "run 'python scripts/measure_organizations.py'"


def test_no_name_rule_stays_that_is_wrong_too_often():
    verdicts = MEASURE["judged"](MEASURE["systems"]())
    wrong = verdicts.filter(pl.col("right") < MEASURE["LEAST"] * pl.col("names"))
    assert wrong.is_empty()
    # Every rule that makes a holder attributable is judged.
    told = {row for row, rule in enumerate(RULES) if rule.kind in table().attributable_kinds and not rule.provider}  # fmt: skip
    assert told <= set(verdicts["rule"])


def spoken_by(names: tuple[str, ...]) -> list[int | None]:
    return (
        pl.DataFrame({"name": names}).select(rule_of(pl.col("name"), RULES)).to_series().to_list()
    )


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.examples[0])
def test_a_rule_speaks_of_its_examples_and_not_of_its_counter_examples(rule: NameRule):
    row = RULES.index(rule)
    assert spoken_by(rule.examples) == [row] * len(rule.examples)
    assert row not in spoken_by(rule.counter_examples or ("",))
    assert rule.why.endswith(".")


def test_no_name_that_a_rule_speaks_of_is_left_out_before():
    names = MEASURE["systems"]().filter(pl.col("rule").is_not_null())["name"]
    assert names.len() > 1000
    assert names.to_frame().select(is_told(pl.col("name"), RULES).all()).item()


def test_half_of_the_organisations_are_held_back():
    names = {organization.name for organization in table().organizations}
    share = sum(map(MEASURE["held_back"], names)) / len(names)
    assert 0.4 < share < 0.6


def test_names_are_joined_and_parted_as_counted():
    frame = pl.DataFrame(
        [("A", "One"), ("A", "One"), ("A", "Two"), ("B", "two"), ("B", "Two"), ("C", "Three")],
        schema=["organization", "plain"],
        orient="row",
    )
    assert MEASURE["_joins"](frame) == {
        "pairs of siblings whose names agree": "25.0 %",
        "the same, each organisation counting once": "16.7 %",
        "names that two organisations share": "1",
        "pairs of systems joined falsely, of all joined": "1 of 2",
    }
