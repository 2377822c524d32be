"""The rules themselves: each claims its own examples, none claims another's, order is nothing."""

from __future__ import annotations

import random
import re
from collections import Counter

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from l7meter.attribution.agents import conclude
from l7meter.attribution.agents_ci import DIALECTS
from l7meter.attribution.agents_rules import Rule, Rules, read, shipped

RULES = shipped().rules
EXAMPLES = [(rule, *(*example, None, None)[:3]) for rule in RULES for example in rule.examples]


def agents() -> pl.Series:
    return pl.Series([agent for _, agent, _, _ in EXAMPLES], dtype=pl.String)


def test_each_rule_claims_its_own_examples() -> None:
    found = conclude(agents()).to_dicts()
    wrong = [
        (rule.id, agent, row)
        for (rule, agent, version, ci), row in zip(EXAMPLES, found, strict=True)
        if (row["agent_rule"], row["agent_kind"]) != (rule.id, rule.kind)
        or row["agent_version"] != (version or None)
        or row["agent_ci"] is not ci
        or row["agent_name"]
        not in ((*rule.token, *rule.word) if rule.name == "*" else (rule.name,))
    ]
    assert wrong == []


def test_each_rule_has_an_example_for_its_version_and_its_dialect() -> None:
    for rule in RULES:
        assert rule.examples, rule.id
        if rule.version:
            assert any(len(e) > 1 and e[1] for e in rule.examples), rule.id
        if rule.ci:
            assert any(len(e) > 2 for e in rule.examples), rule.id
            assert rule.ci in DIALECTS


def test_no_product_is_claimed_twice() -> None:
    plain = [token.lower() for rule in RULES if rule.match is None for token in rule.token]
    words = [word.lower() for rule in RULES for word in rule.word]
    twice = [product for product, times in Counter(plain + words).items() if times > 1]
    assert twice == []


def test_no_two_narrowed_rules_claim_one_example() -> None:
    for _, agent, _, _ in EXAMPLES:
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


@pytest.mark.parametrize("seed", range(5))
def test_shuffled_rules_conclude_the_same(seed: int) -> None:
    shuffled = list(RULES)
    random.Random(seed).shuffle(shuffled)
    rules = Rules(tuple(shuffled))
    assert_frame_equal(conclude(agents(), rules), conclude(agents()))
    assert rules.digest == shipped().digest


def test_digest_follows_what_rules_say_and_not_their_examples() -> None:
    rule = RULES[0]
    base = Rules((rule,)).digest
    assert Rules((rule._replace(examples=()),)).digest == base
    assert Rules((rule._replace(name="Other"),)).digest != base


def test_a_hunk_needs_no_more_than_its_name_and_an_example() -> None:
    (rule,) = read('[Foo]\nexamples = [["foo/1.2", "1.2"]]', "monitor")
    assert rule == Rule(
        "monitor/Foo", "monitor", "Foo", ("Foo",), (), None, None, None, (("foo/1.2", "1.2"),)
    )
    row = conclude(pl.Series(["FOO/1.2 (x)", "bar"]), Rules((rule,))).row(0)
    assert row == ("Foo", "1.2", "monitor", None, "monitor/Foo")


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
