"""Agents that begin with `Mozilla/` or `Opera/` and that no rule claims: robots and browsers."""

from __future__ import annotations

from functools import lru_cache
from operator import attrgetter

import polars as pl
import ua_parser_rs
from ua_parser.loaders import load_lazy_builtins

from l7meter.attribution.agents_rules import PLAIN, TCHAR

# Only these are looked at twice: 0.1 µs an agent, where the expressions below take 1 µs.
_HINT = r"(?i-u)bot|crawler|spider|compatible|http|www\.|@"
# A browser leaves no address to write to: "+https://...", "www.", "bot@example.org"; nor is it
# "compatible" with anything, Internet Explorer and those that posed as it apart.
_ADDRESS = r"https?:/|\bwww\.|@[\w-]+\.\w"
_ROBOT = rf"(?i)\b({TCHAR}{{0,58}}(?:bot|crawler|spider))(?:/{PLAIN}|[/;)])"
_COMPATIBLE = rf"(?i)\bcompatible[;,][ +]*({TCHAR}{{1,64}})(?:/{PLAIN})?"
_POSED = ["msie", "konqueror", "opera", "googletoolbar"]


def conclude_mozilla(agents: pl.DataFrame) -> pl.DataFrame:
    """Name, version, kind and rule of agents that begin with `Mozilla/` or `Opera/`.

    Takes columns row and agent, among others. An agent that names itself as a robot keeps that
    name and the kind `unknown`; for the rest ua-parser names the browser.
    """
    agent = pl.col("agent")
    hint = agent.str.contains(_HINT)
    compatible = agent.str.extract(_COMPATIBLE, 1)
    posed = compatible.str.to_lowercase().is_in(_POSED)
    hinted = agents.filter(hint).with_columns(
        agent_name=pl.coalesce(
            agent.str.extract(_ROBOT, 1),
            pl.when(~posed).then(compatible),
            pl.when(agent.str.contains(_ADDRESS)).then(pl.lit("Mozilla")),
        ),
        agent_version=pl.coalesce(agent.str.extract(_ROBOT, 2), agent.str.extract(_COMPATIBLE, 2)),
    )
    robot = pl.col("agent_name").is_not_null()
    robots = hinted.filter(robot).select(
        "row", "agent_name", "agent_version", agent_kind=pl.lit("unknown")
    )
    others = pl.concat([agents.filter(~hint), hinted.filter(~robot).select(agents.columns)])
    return pl.concat([robots, _browsers(others)], how="diagonal")


def _browsers(agents: pl.DataFrame) -> pl.DataFrame:
    """One row for each agent; a Python loop, because ua-parser takes one agent at a time."""
    names: list[str | None] = []
    versions: list[str | None] = []
    for text in agents["agent"].to_list():
        result = _extractor().extract(text)
        names.append(result.family if result else None)
        numbers = (result.major, result.minor, result.patch) if result else ()
        versions.append(".".join(filter(None, numbers)) or None)
    known = pl.col("agent_name").is_not_null()
    return agents.select(
        "row",
        # A family may hold text of the agent itself.
        agent_name=pl.Series(names, dtype=pl.String)
        .str.replace_all(r"\p{C}", "�")
        .str.slice(0, 64),
        agent_version=pl.Series(versions, dtype=pl.String).str.slice(0, 64),
    ).with_columns(
        agent_name=pl.col("agent_name").fill_null("Mozilla"),
        agent_kind=pl.when(known).then(pl.lit("browser")).otherwise(pl.lit("unknown")),
        agent_rule=pl.when(known).then(pl.lit("browser/ua-parser")),
    )


@lru_cache(maxsize=1)
def _extractor() -> ua_parser_rs.UserAgentExtractor:
    """ua-parser's Rust matcher for browsers alone: 0.2 s to build, so only when one turns up."""
    fields = attrgetter("regex", "family", "major", "minor", "patch", "patch_minor")
    return ua_parser_rs.UserAgentExtractor(map(fields, load_lazy_builtins()[0]))
