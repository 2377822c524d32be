"""The rules for user agents: read from `data/agents/*.toml`, laid out for lookup by column.

A file is a kind (`package-manager.toml`), a table in it is one rule, and its keys are:

- `token`: leading product tokens (RFC 9110 section 10.1.5) it claims, letter case ignored; the
  table's own name where neither `token` nor `word` is given;
- `match`: a regular expression that narrows `token`; a narrowed rule goes before a plain one;
- `word`: products it claims anywhere in an agent whose leading token no rule claims;
- `name`: the name it gives; the table's own by default, `*` for the token or word that was found;
- `version`: a regular expression whose group is the version, `""` for none; by default the number
  behind the token's slash;
- `ci`: the dialect in which the agent speaks of CI, a key of `agents_ci.DIALECTS`;
- `details`: the dialect in which it tells more, a key of `agents_details.dialects()` or `json`;
- `operator`: the company that runs it from addresses of its own, where it is such a robot; `*` for
  one of the name it gives;
- `ranges`: which of the operator's lists in `data/bots.parquet` hold those addresses;
- `examples`: `[agent, version, ci, details]`, each left out where the agent does not say; details
  are a table.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from functools import cached_property, lru_cache
from importlib import resources
from typing import Any, NamedTuple

import polars as pl

TCHAR = r"[!#$%&'*+.^_`|~0-9A-Za-z-]"  # RFC 9110 section 5.6.2
NUMBER = r"v?(\d[0-9A-Za-z.+~_-]{0,63})"
# Where no rule vouches for the number: no build ids, no epoch seconds, or versions would not group.
PLAIN = r"v?(\d{1,9}(?:\.\d{1,9}){0,3})(?:[\s;,)]|$)"

_AGENT = pl.col("agent")


class Example(NamedTuple):
    """An agent and what is concluded of it."""

    agent: str
    version: str | None = None
    ci: bool | None = None
    details: dict[str, str | bool] | None = None


class Rule(NamedTuple):
    """One rule; the module's text says what the fields mean."""

    id: str
    kind: str
    name: str
    token: tuple[str, ...]
    word: tuple[str, ...]
    match: str | None
    version: str | None
    ci: str | None
    details: str | None
    operator: str | None
    ranges: tuple[str, ...]
    examples: tuple[Example, ...]


class Rules:
    """A set of rules, laid out for lookup; the order in which they are given does not matter.

    `claims` holds one row for each token or word of each rule: claim (its number), rule_number,
    agent_name, agent_kind, agent_rule, ci, details.
    """

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        self.rules = tuple(sorted(rules, key=lambda rule: rule.id))
        self.tokens: dict[str, int] = {}
        self.words: dict[str, int] = {}
        self.narrowed: dict[str, list[tuple[str, int]]] = {}
        rows: list[tuple[int | str | None, ...]] = []
        for number, rule in enumerate(self.rules):
            for product in (*rule.token, *rule.word):
                claim = len(rows)
                name = product if rule.name == "*" else rule.name
                rows.append((claim, number, name, rule.kind, rule.id, rule.ci, rule.details))
                if product in rule.word:
                    self.words[product.lower()] = claim
                elif rule.match is None:
                    self.tokens[product.lower()] = claim
                else:
                    group = self.narrowed.setdefault(product.lower(), [])
                    group.append((rule.match, claim))
        self.claims = pl.DataFrame(
            rows,
            schema={
                "claim": pl.UInt32,
                "rule_number": pl.UInt32,
                "agent_name": pl.String,
                "agent_kind": pl.String,
                "agent_rule": pl.String,
                "ci": pl.String,
                "details": pl.String,
            },
            orient="row",
        )

    @cached_property
    def narrowing(self) -> dict[str, pl.Expr]:
        """For a leading token, the claim of the narrowed rule that fits the column agent."""
        return {
            token: pl.coalesce(
                pl.when(_AGENT.str.contains(match)).then(pl.lit(claim, pl.UInt32))
                for match, claim in options
            )
            for token, options in self.narrowed.items()
        }

    @cached_property
    def versions(self) -> dict[int, pl.Expr]:
        """For the number of a rule that finds its version itself, how, in the column agent."""
        return {
            number: _AGENT.str.extract(rule.version) if rule.version else pl.lit(None, pl.String)
            for number, rule in enumerate(self.rules)
            if rule.version is not None
        }

    @cached_property
    def word_pattern(self) -> str:
        """Finds the first word any rule claims (group 1) and the number behind it (group 2)."""
        longest_first = sorted(self.words, key=lambda word: (-len(word), word))
        words = "|".join(re.escape(word) for word in longest_first)
        return rf"(?i)(?:^|[\s;(,+])({words})(?:/{NUMBER}|[\s;:),+/]|$)"

    @cached_property
    def digest(self) -> str:
        """Twelve hexadecimal digits over what the rules say, their examples left out."""
        said = json.dumps([rule[:-1] for rule in self.rules])
        return hashlib.sha256(said.encode()).hexdigest()[:12]


def read(text: str, kind: str) -> tuple[Rule, ...]:
    """The rules of one file's text."""
    return tuple(_rule(kind, key, hunk) for key, hunk in tomllib.loads(text).items())


@lru_cache(maxsize=1)
def shipped() -> Rules:
    """The rules that come with l7meter, read once."""
    folder = resources.files("l7meter.attribution") / "data" / "agents"
    files = [file for file in folder.iterdir() if file.name.endswith(".toml")]
    return Rules(
        tuple(
            rule
            for file in files
            for rule in read(file.read_text("utf-8"), file.name.removesuffix(".toml"))
        )
    )


def _rule(kind: str, key: str, hunk: dict[str, Any]) -> Rule:
    token, word = _several(hunk.pop("token", ())), _several(hunk.pop("word", ()))
    if not token and not word:
        token = (key,)
    return Rule(
        id=f"{kind}/{key}",
        kind=kind,
        name=hunk.pop("name", key),
        token=token,
        word=word,
        match=hunk.pop("match", None),
        version=hunk.pop("version", None),
        ci=hunk.pop("ci", None),
        details=hunk.pop("details", None),
        operator=hunk.pop("operator", None),
        ranges=_several(hunk.pop("ranges", ())),
        examples=tuple(_example(*example) for example in hunk.pop("examples")),
        **hunk,
    )


def _example(agent: str, *said: Any) -> Example:
    known = {{str: "version", bool: "ci", dict: "details"}[type(value)]: value for value in said}
    return Example(agent, **known)


def _several(value: str | list[str] | tuple[str, ...]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)
