"""Robots from their operator's addresses, from others, and those nobody can check."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l7meter.attribution import verification
from l7meter.attribution.agents import conclude as conclude_agents
from l7meter.attribution.agents_rules import read, shipped
from l7meter.attribution.verification import BOTS, claims, conclude, lists

ELSEWHERE = "8.8.8.8"
PREFIXES = {
    name: part["prefix"].to_list()
    for (name,), part in pl.read_parquet(BOTS).partition_by("list", as_dict=True).items()
}


def first(name: str, version: int = 4) -> str:
    """An address of the first prefix of a list."""
    networks = [ip_network(prefix) for prefix in PREFIXES[name]]
    return str(next(each for each in networks if each.version == version)[0])


def verdicts(*pairs: tuple[str | None, str | None]) -> list[str | None]:
    frame = pl.DataFrame(
        pairs, schema={"agent_name": pl.String, "client_address": pl.String}, orient="row"
    )
    return conclude(frame).to_list()


@pytest.mark.parametrize(
    ("name", "address", "verdict"),
    [
        ("GPTBot", first("openai-gptbot"), "verified"),
        ("GPTBot", ELSEWHERE, "claimed"),
        ("Googlebot", first("google-googlebot"), "verified"),
        ("Googlebot", first("google-googlebot", 6), "verified"),
        ("Googlebot", "2001:4860:4860::8888", "claimed"),
        # The address is in one list of the operator's, and not in that of this robot.
        ("GPTBot", first("openai-chatgpt-user"), "claimed"),
        ("Googlebot", first("google-user-triggered"), "claimed"),
        # Two lists hold the addresses of one robot.
        ("FeedFetcher-Google", first("google-user-triggered"), "verified"),
        ("FeedFetcher-Google", first("google-user-triggered-google"), "verified"),
        # Wrapped in IPv6, as a dual-stack server logs it.
        ("CCBot", f"::ffff:{first('commoncrawl-ccbot')}", "verified"),
        ("ClaudeBot", ELSEWHERE, "unverifiable"),
        ("ClaudeBot", "2001:4860:4860::8888", "unverifiable"),
        ("Barkrowler", ELSEWHERE, "unverifiable"),
        ("pip", ELSEWHERE, None),
        ("pip", first("openai-gptbot"), None),
        ("Chrome", ELSEWHERE, None),
        ("NoSuchAgent", ELSEWHERE, None),
        (None, ELSEWHERE, None),
        ("GPTBot", None, None),
        ("GPTBot", "-", None),
        ("GPTBot", "8.8.8", None),
        ("GPTBot", "unix:", None),
        # An address within says nothing about one on the Internet.
        ("GPTBot", "10.0.0.1", None),
        ("GPTBot", "fe80::1", None),
        ("ClaudeBot", "127.0.0.1", None),
    ],
)
def test_verdicts(name: str | None, address: str | None, verdict: str | None) -> None:
    assert verdicts((name, address)) == [verdict]


def test_many_pairs_are_concluded_like_each_alone() -> None:
    names = ["GPTBot", "Googlebot", "ClaudeBot", "pip", None]
    addresses = [first("openai-gptbot"), first("google-googlebot", 6), ELSEWHERE, "x", None]
    pairs = [(name, address) for name in names for address in addresses]
    assert verdicts(*pairs) == [verdicts(pair)[0] for pair in pairs]
    assert verdicts(*reversed(pairs)) == verdicts(*pairs)[::-1]


def test_no_pairs() -> None:
    found = conclude(pl.DataFrame(schema={"agent_name": pl.String, "client_address": pl.String}))
    assert (found.len(), found.dtype, found.name) == (0, pl.String, "agent_verification")


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["GPTBot", "Googlebot", "FeedFetcher-Google", "DuckDuckBot"]),
            st.one_of(
                st.ip_addresses(v=4),
                st.ip_addresses(v=6),
                st.sampled_from(sorted(PREFIXES)).flatmap(
                    lambda name: st.sampled_from(PREFIXES[name]).map(lambda p: ip_network(p)[-1])
                ),
            ),
        ),
        max_size=20,
    )
)
def test_verified_is_exactly_what_the_lists_hold(pairs: list[tuple[str, object]]) -> None:
    found = verdicts(*((name, str(address)) for name, address in pairs))
    for (name, address), verdict in zip(pairs, found, strict=True):
        held = any(
            ip_address(str(address)) in ip_network(prefix)
            for each in claims()[name].ranges
            for prefix in PREFIXES[each]
        )
        assert (verdict == "verified") is held


def test_rules_and_lists_know_each_other() -> None:
    named = {name for rule in shipped().rules for name in rule.ranges}
    assert named == set(lists()) == set(PREFIXES)
    operators = dict(pl.read_parquet(BOTS).select("list", "operator").unique().iter_rows())
    for rule in shipped().rules:
        assert {operators[name] for name in rule.ranges} <= {rule.operator}, rule.id


def test_one_name_makes_one_claim() -> None:
    found: dict[str, set[object]] = {}
    for rule in shipped().rules:
        claim = verification.of_rules((rule,))
        for product in (*rule.token, *rule.word):
            name = product if rule.name == "*" else rule.name
            found.setdefault(name, set()).add(claim.get(name))
    assert {name for name, made in found.items() if len(made) > 1} == set()


def test_every_operated_robot_is_named_as_its_rule_says() -> None:
    """`claims` goes by the name that `agents.conclude` gives."""
    examples = [
        (rule, example.agent)
        for rule in shipped().rules
        if rule.operator
        for example in rule.examples
    ]
    names = conclude_agents(pl.Series([agent for _, agent in examples]))["agent_name"]
    assert set(names) <= set(claims())


def test_an_operator_of_the_robots_own_name() -> None:
    text = '[all]\nname = "*"\nword = ["FooBot", "BarBot"]\noperator = "*"\nexamples = []'
    made = verification.of_rules(read(text, "ai-crawler"))
    assert {name: claim.operator for name, claim in made.items()} == {
        "FooBot": "FooBot",
        "BarBot": "BarBot",
    }


def test_the_data_say_where_they_are_from() -> None:
    metadata = pl.read_parquet_metadata(BOTS)
    for key in ("origin", "version", "as_of", "licence", "sha256 package", "lists"):
        assert metadata[key], key
    assert verification.as_of() == metadata["as_of"] == "2026-09-02"
    assert BOTS.stat().st_size < 200_000
    assert sum(map(len, PREFIXES.values())) == 3052
