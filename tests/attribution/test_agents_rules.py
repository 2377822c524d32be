"""The rules themselves: each claims its own examples, none claims another's, order is nothing."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from l7meter.attribution.agents import conclude
from l7meter.attribution.agents_ci import DIALECTS
from l7meter.attribution.agents_rules import Example, Rule, Rules, read, shipped

RULES = shipped().rules
EXAMPLES = [(rule, example) for rule in RULES for example in rule.examples]
DATA = Path(__file__).parents[1] / "data" / "agents"


def agents() -> pl.Series:
    return pl.Series([example.agent for _, example in EXAMPLES], dtype=pl.String)


def captured() -> pl.Series:
    lines = (DATA / "user_agents.jsonl").read_text("utf-8").splitlines()
    return pl.Series([json.loads(line)["user_agent"] for line in lines], dtype=pl.String)


def test_each_rule_claims_its_own_examples() -> None:
    found = conclude(agents()).to_dicts()
    wrong = [
        (rule.id, example, row)
        for (rule, example), row in zip(EXAMPLES, found, strict=True)
        if (row["agent_rule"], row["agent_kind"]) != (rule.id, rule.kind)
        or row["agent_version"] != (example.version or None)
        or row["agent_ci"] is not example.ci
        or told(row["agent_details"]) != example.details
        or row["agent_name"]
        not in ((*rule.token, *rule.word) if rule.name == "*" else (rule.name,))
    ]
    assert wrong == []


def told(details: dict[str, str | bool | None] | None) -> dict[str, str | bool] | None:
    return details and {name: value for name, value in details.items() if value is not None}


def test_each_rule_has_an_example_for_its_version_and_its_dialects() -> None:
    for rule in RULES:
        assert rule.examples, rule.id
        if rule.version:
            assert any(example.version for example in rule.examples), rule.id
        if rule.ci:
            assert any(example.ci is not None for example in rule.examples), rule.id
            assert rule.ci in DIALECTS
        if rule.details:
            assert any(example.details for example in rule.examples), rule.id


def test_no_example_stands_twice() -> None:
    assert agents().unique_counts().max() == 1


def test_no_product_is_claimed_twice() -> None:
    plain = [token.lower() for rule in RULES if rule.match is None for token in rule.token]
    words = [word.lower() for rule in RULES for word in rule.word]
    twice = [product for product, times in Counter(plain + words).items() if times > 1]
    assert twice == []


def test_no_two_narrowed_rules_claim_one_agent() -> None:
    for agent in pl.concat([agents(), captured().drop_nulls()]):
        leading = re.match(r"[^\s/:(,]*", agent)
        assert leading
        claims = [
            rule.id
            for rule in RULES
            if rule.match
            and leading[0].lower() in map(str.lower, rule.token)
            and re.search(rule.match, agent)
        ]
        assert len(claims) < 2, (agent, claims)


def test_a_narrowed_rule_narrows() -> None:
    """Its expression fits its own examples and no other example of the tokens it shares."""
    narrowed = [rule for rule in RULES if rule.match]
    for rule in narrowed:
        own = {example.agent for example in rule.examples}
        fits = {
            example.agent
            for other, example in EXAMPLES
            if {*map(str.lower, other.token)} & {*map(str.lower, rule.token)}
            and rule.match
            and re.search(rule.match, example.agent)
        }
        assert fits == own, rule.id


@pytest.mark.parametrize("seed", range(5))
def test_shuffled_rules_conclude_the_same(seed: int) -> None:
    shuffled = list(RULES)
    random.Random(seed).shuffle(shuffled)
    rules = Rules(tuple(shuffled))
    every = pl.concat([agents(), captured()])
    assert_frame_equal(conclude(every, rules), conclude(every))
    assert rules.digest == shipped().digest


def test_digest_follows_what_rules_say_and_not_their_examples() -> None:
    rule = RULES[0]
    base = Rules((rule,)).digest
    assert Rules((rule._replace(examples=()),)).digest == base
    assert Rules((rule._replace(name="Other"),)).digest != base


def test_a_hunk_needs_no_more_than_its_name_and_an_example() -> None:
    (rule,) = read('[Foo]\nexamples = [["foo/1.2", "1.2"]]', "monitor")
    assert rule == Rule(
        id="monitor/Foo",
        kind="monitor",
        name="Foo",
        token=("Foo",),
        word=(),
        match=None,
        version=None,
        ci=None,
        details=None,
        operator=None,
        ranges=(),
        examples=(Example("foo/1.2", "1.2"),),
    )
    row = conclude(pl.Series(["FOO/1.2 (x)", "bar"]), Rules((rule,))).row(0)
    assert row == ("Foo", "1.2", "monitor", None, None, "monitor/Foo")


def test_a_narrowed_rule_goes_before_a_plain_one() -> None:
    text = """
        [plain]
        token = "Foo"
        examples = []
        [narrow]
        token = "Foo"
        match = "beta$"
        examples = []
    """
    rules = Rules(read(text, "ci"))
    found = conclude(pl.Series(["Foo/1", "Foo/1 beta"]), rules)
    assert found["agent_name"].to_list() == ["plain", "narrow"]


def test_a_misspelt_key_is_refused() -> None:
    with pytest.raises(TypeError, match="tokn"):
        read('[Foo]\ntokn = "foo"\nexamples = []', "monitor")
