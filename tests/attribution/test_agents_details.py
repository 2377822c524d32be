"""What structured agents tell besides, from agents as they are really sent and as nobody should.

`tests/data/agents/user_agents.details.jsonl` holds what the captured agents tell, read over by hand.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from l7meter.attribution import agents_json
from l7meter.attribution.agents import conclude
from l7meter.attribution.agents_details import DETAILS, FIELDS, dialects
from l7meter.attribution.agents_rules import shipped

DATA = Path(__file__).parents[1] / "data" / "agents"
PIP = (
    'pip/26.3 {"ci":null,"cpu":"x86_64","distro":{"id":"bookworm","libc":{"lib":"glibc",'
    '"version":"2.36"},"name":"Debian GNU/Linux","version":"12"},"implementation":{"name":"PyPy",'
    '"version":"7.3.17"},"installer":{"name":"pip","version":"26.3"},"openssl_version":"OpenSSL '
    '3.0.19 27 Jan 2026","python":"3.10.14","rustc_version":"1.75.0","system":{"name":"Linux",'
    '"release":"6.1.0-31-amd64"}}'
)
TOLD = {
    "installer_name": "pip",
    "installer_version": "26.3",
    "language_name": "Python",
    "language_version": "3.10.14",
    "runtime_name": "PyPy",
    "runtime_version": "7.3.17",
    "os_name": "Linux",
    "os_version": "6.1.0-31-amd64",
    "distribution_name": "Debian GNU/Linux",
    "distribution_version": "12",
    "cpu_architecture": "x86_64",
    "libc_name": "glibc",
    "libc_version": "2.36",
    "tls_library": "OpenSSL 3.0.19 27 Jan 2026",
    "compiler": "rustc 1.75.0",
}


def told(*agents: str | None) -> list[dict[str, Any] | None]:
    """The details of each agent without those that are null."""
    found = conclude(pl.Series(agents, dtype=pl.String))["agent_details"].to_list()
    return [
        row and {name: value for name, value in row.items() if value is not None} for row in found
    ]


def one(agent: str) -> dict[str, Any] | None:
    return told(agent)[0]


def lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / name).read_text("utf-8").splitlines()]


def test_captured_agents_tell_what_is_expected() -> None:
    rows = lines("user_agents.jsonl")
    found = told(*(row["user_agent"] for row in rows))
    pairs = [
        {"tool": row["tool"], "details": details} for row, details in zip(rows, found, strict=True)
    ]
    assert pairs == lines("user_agents.details.jsonl")


def test_all_that_pip_tells() -> None:
    assert one(PIP) == TOLD


def test_each_dialect_is_spoken_and_finds_known_fields() -> None:
    spoken = {rule.details for rule in shipped().rules if rule.details}
    assert spoken == {*dialects(), "json"}
    for name, dialect in dialects().items():
        frame = pl.DataFrame({"x": [""]}).select(
            pl.col("x").str.extract_groups(pattern).alias(str(at))
            for at, pattern in enumerate(dialect.patterns)
        )
        fields = {field.name for dtype in frame.dtypes for field in dtype.fields}  # type: ignore[attr-defined]
        assert fields | {*dialect.names} <= {*FIELDS}, name
        assert all(key.endswith("_name") for key in dialect.names), name


@pytest.mark.parametrize(
    ("agent", "details"),
    [
        # JRuby speaks Ruby 3.1; without an engine the runtime is Ruby itself.
        (
            "bundler/2.5.23 rubygems/3.3.26 ruby/3.1.4 (universal-java-17) command/install jruby/9.4.9.0 options/path ab",
            {
                "command": "install",
                "language_name": "Ruby",
                "language_version": "3.1.4",
                "runtime_name": "jruby",
                "runtime_version": "9.4.9.0",
                "os_name": "java",
                "cpu_architecture": "universal",
            },
        ),
        ("npm/9.8.1 node/v18.18.2 darwin arm64 workspaces/true", {"workspaces": True}),
        # Another client's dialect says nothing.
        ("cargo/1.95.0 node/v18.18.2 linux x64", None),
        ('curl/8.4.0 {"cpu":"x86_64"}', None),
        ("npm (hidden)", None),
        ("Mozilla/5.0 (X11; Linux x86_64)", None),
    ],
)
def test_dialects(agent: str, details: dict[str, Any] | None) -> None:
    found = one(agent)
    assert (found and found.items() >= details.items()) if details else found is details


@pytest.mark.parametrize("agent", [None, "", "-", "pip/26.3", "pip/26.3 {}", "uv/0.1.5 { }"])
def test_nothing_told_is_null_and_not_an_empty_struct(agent: str | None) -> None:
    assert told(agent) == [None]


def test_agents_cut_short_tell_what_stood_before_the_cut() -> None:
    start = len("pip/26.3 ")
    cuts = told(*(PIP[:end] for end in range(start, len(PIP) + 1)))
    sizes = [len(details or {}) for details in cuts]
    assert sizes == sorted(sizes)
    assert all((details or {}).items() <= TOLD.items() for details in cuts)
    assert cuts[-1] == TOLD
    # The last byte lost is a bracket, and with it goes only what it might have changed.
    assert cuts[-2] == {name: value for name, value in TOLD.items() if name != "os_version"}
    assert cuts[PIP.index(',"distro"') + 1 - start] == {"cpu_architecture": "x86_64"}


HOSTILE = [
    '{"cpu":"a"},{"cpu":"b"}',
    '{"cpu":"a"}{"cpu":"b"}',
    '{"cpu":"a"}\n{"cpu":"b"}',
    '{"cpu":"a"}]',
    '{"cpu":{"cpu":"a"},"python":["3"],"distro":"x","installer":{"subcommand":[{},1,"run"]}}',
    '{"cpu":NaN,"distro":1e999}',
    '{"cpu":' + "9" * 4000 + "}",
    "[" * 4000,
    '{"a":' * 800,
    '{"cpu":"' + "x" * 5000,
    '{"cpu":"\\u0000\\u001b[2J\\ud800\\u202e"}',
    '{"cpu":"\x1b[2J"}',
    '{"cpu":"a",,}',
    "{'cpu':'a'}",
    '{"cpu":"a"',
    '{"x":"\\"',
    "{",
    "}{",
    "null",
]


def test_hostile_objects_neither_fail_nor_move_their_neighbours() -> None:
    agents = [part for hostile in HOSTILE for part in (f"pip/1.0 {hostile}", PIP)]
    found = told(*agents)
    assert found[1::2] == [TOLD] * len(HOSTILE)
    said = dict(zip(HOSTILE, found[::2], strict=True))
    assert said[HOSTILE[0]] == said[HOSTILE[1]] == {"cpu_architecture": "a"}
    assert said[HOSTILE[4]] == {"command": "run"}
    assert said['{"cpu":"a",,}'] is None  # broken, not cut short
    clean = one('pip/1.0 {"cpu":"\\u0000\\u001b[2J\\ud800\\u202e"}')
    assert clean == {"cpu_architecture": "��[2J��"}
    assert one(f'pip/1.0 {{"cpu":"{"x" * 500}"}}') == {"cpu_architecture": "x" * 64}
    wide = '{"ci":null,"user_data":"' + "é" * 3000 + '","system":{"name":"Linux"}}'
    assert one(f"pip/1.0 {wide}") == {"os_name": "Linux"}


def test_a_cut_inside_a_string_or_an_inner_object_is_no_cut() -> None:
    inner = '{"user_data":{"a":1,"implementation":{"name":"No"},"system":{"name":"No"}},"cpu":"x"}'
    text = r'{"cpu":"x,\"implementation\":{},\"system\":{}"}'
    twice = '{"user_data":{"a":1,"implementation":1},"implementation":{"name":"Yes"},"system":{}}'
    assert told(f"pip/1 {inner}", f"pip/1 {twice}") == [
        {"cpu_architecture": "x"},
        {"runtime_name": "Yes"},
    ]
    assert one(f"pip/1 {text}") == {"cpu_architecture": 'x,"implementation":{},"system":{}'}


WORDS = st.text(st.characters(codec="utf-8"), max_size=8)
NAMED = st.dictionaries(st.sampled_from(["name", "version", "release", "system"]), WORDS)
OBJECTS = st.permutations(
    ["cpu", "distro", "implementation", "installer", "python", "system", "user_data"]
).flatmap(
    lambda keys: st.fixed_dictionaries(
        {key: WORDS if key in ("cpu", "python") else st.one_of(NAMED, WORDS) for key in keys}
    )
)


@settings(deadline=None)
@given(st.lists(OBJECTS, min_size=1, max_size=5), st.booleans(), st.integers(-1, 60))
def test_objects_in_parts_tell_what_they_tell_whole(
    objects: list[dict[str, Any]], ascii_only: bool, end: int
) -> None:
    texts = [
        json.dumps(each, ensure_ascii=ascii_only, separators=(",", ":"))[: None if end < 0 else end]
        for each in objects
    ]
    agents = pl.DataFrame({"agent": [f"pip/1 {text}" for text in texts]}).with_row_index("row")
    found = {row.pop("row"): row for row in agents_json.conclude(agents).to_dicts()}
    for at, text in enumerate(texts):
        whole = agents_json._broken(text[1:]) or {}
        row = found.get(at, {})
        assert {k: v for k, v in row.items() if v} == {k: v for k, v in whole.items() if v}


@settings(deadline=None)
@given(*[st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=70)] * 2)
def test_the_usual_end_of_an_object_tells_what_it_tells_otherwise_written(
    name: str, release: str
) -> None:
    usual = json.dumps({"system": {"name": name, "release": release}}, separators=(",", ":"))
    other = json.dumps({"system": {"release": release, "name": name}}, separators=(",", ":"))
    assert one(f"pip/1 {usual}") == one(f"pip/1 {other}")


def test_order_and_company_of_agents_do_not_matter() -> None:
    agents = pl.Series([row["user_agent"] for row in lines("user_agents.jsonl")] + [PIP, "pip/1 {"])
    together = conclude(agents).select("agent_details")
    assert_frame_equal(conclude(agents.reverse()).select("agent_details").reverse(), together)
    alone = pl.concat([conclude(agents.slice(at, 1)) for at in range(len(agents))])
    assert_frame_equal(alone.select("agent_details"), together)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(sorted(t for r in shipped().rules if r.details for t in r.token)),
            st.sampled_from(["/1.0", "/1.0 (", "/1.0 {", ", RubyGems/3 ", ""]),
            st.one_of(
                st.text(max_size=60),
                st.from_regex(r"(?:[ (]?[A-Za-z]{1,9}/v?[0-9.]{1,9}[;) ]){1,5}", fullmatch=True),
            ),
        ).map("".join),
        max_size=20,
    )
)
def test_any_text_tells_short_clean_words(agents: list[str]) -> None:
    found = conclude(pl.Series(agents, dtype=pl.String))["agent_details"]
    assert found.dtype == DETAILS
    for column in found.struct.unnest():
        if column.dtype == pl.String:
            words = column.drop_nulls()
            assert words.str.len_chars().is_between(1, 64).all()
            assert not words.str.contains(r"\p{C}|^ | $").any()
    empty = pl.all_horizontal(pl.all().is_null())
    assert not found.drop_nulls().struct.unnest().select(empty.any()).item()
