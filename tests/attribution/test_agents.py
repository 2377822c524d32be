"""Agents as clients really send them, and agents nobody should send.

`tests/data/agents/user_agents.jsonl` holds 105 agents, 101 of them captured from the tool itself
run against a local server for this project (`how` says which). The expectations beside them were
read over by hand, line by line.
"""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from l7meter.attribution.agents import LIMIT, SCHEMA, conclude
from l7meter.attribution.agents_rules import shipped
from l7meter.schema import COLUMNS

DATA = Path(__file__).parents[1] / "data" / "agents"
PIP = (
    'pip/26.3 {"ci":true,"cpu":"x86_64","distro":{"name":"Debian GNU/Linux","version":"12"},'
    '"installer":{"name":"pip","version":"26.3"},"python":"3.11.7"}'
)
CHROME = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/131.0.0.0 Safari/537.36"
)


def one(agent: str | None) -> dict[str, object]:
    return conclude(pl.Series([agent], dtype=pl.String)).row(0, named=True)


def captured() -> list[dict[str, str | None]]:
    lines = (DATA / "user_agents.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_captured_agents_are_concluded_as_expected() -> None:
    rows = captured()
    agents = pl.Series([row["user_agent"] for row in rows], dtype=pl.String)
    found = conclude(agents).with_columns(tool=pl.Series([row["tool"] for row in rows]))
    with (DATA / "user_agents.expected.csv").open(encoding="utf-8", newline="") as file:
        expected = [{k: v or None for k, v in row.items()} for row in csv.DictReader(file)]
    ci = pl.col("agent_ci").cast(pl.String)
    assert found.with_columns(ci).select(*expected[0]).to_dicts() == expected


def test_order_and_company_of_agents_do_not_matter() -> None:
    agents = pl.Series([row["user_agent"] for row in captured()] + [CHROME, "Foo/1"])
    together = conclude(agents)
    backwards = conclude(agents.reverse()).reverse()
    alone = pl.concat([conclude(agents.slice(i, 1)) for i in range(0, len(agents), 10)])
    assert_frame_equal(backwards, together)
    assert_frame_equal(alone, together[::10])


@pytest.mark.parametrize("agent", [None, "", "-", " ", '""'])
def test_no_agent_has_no_name(agent: str | None) -> None:
    assert one(agent) == {
        "agent_name": None,
        "agent_version": None,
        "agent_kind": "unknown",
        "agent_ci": None,
        "agent_details": None,
        "agent_rule": None,
    }


def test_no_rows() -> None:
    assert conclude(pl.Series([], dtype=pl.String)).schema == SCHEMA


def test_bundlers_random_id_reaches_neither_name_nor_version() -> None:
    agents = [
        f"bundler/2.3.27 rubygems/3.3.15 ruby/3.1.7 (x86_64-pc-linux-gnu) command/install {n:016x}"
        for n in range(1000)
    ]
    found = conclude(pl.Series(agents))
    assert found.unique().height == 1


@pytest.mark.parametrize(
    ("agent", "name", "version"),
    [
        ("InHouse/4.2", "InHouse", "4.2"),
        ("InHouse/v4.2 (team)", "InHouse", "4.2"),
        ("InHouse python-requests/2.31", "InHouse", None),
        ("InHouse/8f3a9c1e", "InHouse", None),
        ("InHouse/1700000000000", "InHouse", None),
        ("(InHouse)", None, None),
        ("浏览器/1.0", None, None),
        ("In\x1b[31mHouse", "In", None),
        ("x" * 1000 + "/1", "x" * 64, None),
    ],
)
def test_unknown_agents_are_named_by_their_leading_token(
    agent: str, name: str | None, version: str | None
) -> None:
    found = one(agent)
    assert (found["agent_name"], found["agent_version"]) == (name, version)
    assert (found["agent_kind"], found["agent_rule"]) == ("unknown", None)


@pytest.mark.parametrize(
    ("agent", "name", "version", "kind"),
    [
        (CHROME, "Chrome", "131.0.0", "browser"),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:133.0) Gecko/20100101 Firefox/133.0",
            "Firefox",
            "133.0",
            "browser",
        ),
        ("Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1)", "IE", "8.0", "browser"),
        ("Opera/9.80 (Windows NT 6.0) Presto/2.12.388 Version/12.14", "Opera", "12.14", "browser"),
        # A make of phone, not a robot.
        (
            "Mozilla/5.0 (Linux; Android 9; CUBOT NOTE 20) AppleWebKit/537.36 (KHTML, like Gecko) "
            "Chrome/99.0.4844.73 Mobile Safari/537.36",
            "Chrome Mobile",
            "99.0.4844",
            "browser",
        ),
        ("Mozilla/5.0 (compatible; Nobot/1.5; +http://example.org/)", "Nobot", "1.5", "unknown"),
        ("Mozilla/5.0 (compatible; Fetch; +http://example.org/)", "Fetch", None, "unknown"),
        (CHROME + " (research; fetch@example.org)", "Mozilla", None, "unknown"),
        ("Mozilla/5.0", "Mozilla", None, "unknown"),
    ],
)
def test_mozilla_is_a_browser_only_where_it_is_no_robot(
    agent: str, name: str, version: str | None, kind: str
) -> None:
    found = one(agent)
    assert (found["agent_name"], found["agent_version"], found["agent_kind"]) == (
        name,
        version,
        kind,
    )


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        # The first word counts, and a leading token a rule claims counts before any word.
        ("Mozilla/5.0 (compatible; GPTBot/1.2; like Googlebot/2.1)", "GPTBot"),
        ("Mozilla/5.0 (compatible; Googlebot/2.1; like GPTBot/1.2)", "Googlebot"),
        ("curl/8.4.0 (GPTBot/1.2)", "curl"),
        ("Mozilla/5.0+(compatible;+GPTBot/1.2)", "GPTBot"),
        # A word is claimed whole.
        ("Mozilla/5.0 (compatible; NotGPTBot/1.2)", "NotGPTBot"),
        ("Mozilla/5.0 (compatible; GPTBot-Lab/1.2)", "GPTBot-Lab"),
    ],
)
def test_one_name_where_several_are_written(agent: str, name: str) -> None:
    assert one(agent)["agent_name"] == name


@pytest.mark.parametrize(
    ("agent", "ci"),
    [
        ('pip/26.3 {"ci":true}', True),
        ('pip/26.3 { "ci" : true }', True),
        ('pip/26.3 {"ci":false}', False),
        ('pip/26.3 {"ci":null}', None),
        ('pip/26.3 {"ci":null,"user_data":"{\\"ci\\":true}"}', None),
        ('pip/26.3 {"user_data":",\\"ci\\":true"}', None),
        ('uv/0.13.9 {"python":"3.11.7","ci":true}', True),
        ("npm/11.0.0 node/v20.0.0 linux x64 workspaces/false ci/github-actions", True),
        ("npm/11.0.0 node/v20.0.0 linux x64 workspaces/false", None),
        ("pnpm/9.1.0 npm/? node/v20.0.0 linux x64 ci/x", True),
        ("bundler/2.3.27 rubygems/3.3.15 command/install ci/github,ci 57e055835b5a0a15", True),
        ("NuGet .NET Core MSBuild Task/7.3.0 (Linux) CI/GitHub Actions", True),
        ("NuGet .NET Core MSBuild Task/7.3.0 (Linux)", None),
        ("Composer/2.5.5 (Linux; 6.1.0; PHP 8.2.36; streams; CI)", True),
        ("Composer/2.5.5 (Linux; CI-kernel; PHP 8.2.36; streams)", None),
        # Another client's dialect says nothing.
        ("cargo/1.95.0 ci/github", None),
        ('curl/8.4.0 {"ci":true}', None),
    ],
)
def test_ci_dialects(agent: str, ci: bool | None) -> None:
    assert one(agent)["agent_ci"] is ci


def test_json_cut_short_keeps_what_is_sure() -> None:
    cuts = [PIP[:end] for end in range(len("pip/26.3"), len(PIP) + 1)]
    found = conclude(pl.Series(cuts))
    assert set(found["agent_name"]) == {"pip"}
    assert set(found["agent_version"]) == {"26.3"}
    said = len('pip/26.3 {"ci":true') - len("pip/26.3")
    assert found["agent_ci"].to_list() == [None] * said + [True] * (len(cuts) - said)


def test_blanks_and_quotes_around_an_agent_are_not_part_of_it() -> None:
    assert one(f'  "{PIP}" ') == one(PIP)


def test_agents_of_64_kilobytes_are_read_to_a_limit() -> None:
    tail = "; GPTBot/1.2"
    assert one(CHROME + "x" * 65536)["agent_name"] == "Chrome"
    assert one("Foo" + " " * (LIMIT - 20) + tail)["agent_name"] == "GPTBot"
    assert one("Foo" + " " * 65536 + tail)["agent_name"] == "Foo"


@given(
    st.lists(
        st.one_of(
            st.none(),
            st.text(max_size=80),
            st.tuples(
                st.sampled_from(sorted(shipped().tokens) + sorted(shipped().words) + ["Mozilla"]),
                st.sampled_from(["", "/", " ", "/1.0", " (", "/v2 {", ": "]),
                st.text(max_size=40),
            ).map("".join),
        ),
        max_size=20,
    )
)
def test_any_text_gives_short_clean_names(agents: list[str | None]) -> None:
    found = conclude(pl.Series(agents, dtype=pl.String))
    assert found.schema == SCHEMA
    assert found.height == len(agents)
    assert found["agent_kind"].null_count() == 0
    for column in ("agent_name", "agent_version"):
        text = found[column].drop_nulls()
        assert text.str.len_chars().max() in range(1, 65) or text.is_empty()
        assert not text.str.contains(r"\p{Cc}").any()


def test_kinds_are_those_of_the_schema() -> None:
    kinds = {rule.kind for rule in shipped().rules} | {"browser", "unknown"}
    meaning = COLUMNS["agent_kind"].meaning
    assert kinds == {kind for kind in meaning.split("`") if kind.strip(", .")}


def test_agents_that_iis_logged_are_concluded_as_they_were_sent() -> None:
    sent = [agent for line in captured() if (agent := line["user_agent"]) and "+" not in agent]
    logged = [agent.replace(" ", "+") for agent in sent]
    pairs = zip(sent, map(one, sent), map(one, logged), strict=True)
    unlike = [agent for agent, said, as_logged in pairs if said != as_logged]
    assert len(sent) > 90
    assert not [agent for agent in unlike if re.search(r"[({;]|/.*/", agent)]


@pytest.mark.parametrize(
    ("agent", "version"),
    [("pip/26.3+local", "26.3+local"), ("docker/20.10.5+dfsg1 go/go1.15 (x)", "20.10.5+dfsg1")],
)
def test_plus_of_a_version_is_no_blank(agent: str, version: str) -> None:
    assert one(agent)["agent_version"] == version
