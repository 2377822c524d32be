"""What structured agents tell beside name and version: runtime, operating system, installer, CI.

An agent rule names its dialect (`details = "npm"`). A dialect is a table of
`data/agent-details.toml`, or `json`, the object that pip, uv and Hatch send (`agents_json`):

- `patterns`: regular expressions whose named groups are names of `FIELDS`; where several find a
  field, the first one counts;
- `names`: what to call in `x_name` that whose `x_version` was found, where no pattern gives a name.
"""

from __future__ import annotations

import tomllib
from functools import lru_cache
from importlib import resources
from typing import NamedTuple

import polars as pl

from l7meter.attribution import agents_json
from l7meter.attribution.agents_json import LIMIT
from l7meter.schema import opened_type

FIELDS = opened_type("agent_details").to_schema()
"""All text as the agent writes it: `linux` and `Linux`, `x64` and `x86_64` are kept apart."""
DETAILS = pl.Struct(FIELDS)

_AGENT = pl.col("agent")


class Dialect(NamedTuple):
    """How one family of agents writes its details; the module's text says what the fields mean."""

    patterns: tuple[str, ...]
    names: dict[str, str]


def conclude(agents: pl.DataFrame) -> pl.DataFrame:
    """Columns row and agent_details (`DETAILS`), a row for each agent that tells anything.

    Takes columns row, agent and details (its dialect, null for none), among others. Text is at
    most 64 characters and holds no control characters. Never raises over what agents hold.
    """
    parts = [_empty()]
    spoken = agents.select("row", "agent", "details").drop_nulls("details")
    for (key,), part in spoken.partition_by("details", as_dict=True).items():
        if key == "json":
            parts.append(_told(agents_json.conclude(part)))
        else:
            parts.append(_told(_by_patterns(part, dialects()[str(key)])))
    return pl.concat(parts)


@lru_cache(maxsize=1)
def dialects() -> dict[str, Dialect]:
    """The dialects that come with l7meter, read once; `json` is not among them."""
    file = resources.files("l7meter.attribution") / "data" / "agent-details.toml"
    hunks = tomllib.loads(file.read_text("utf-8"))
    return {
        name: Dialect(tuple(hunk["patterns"]), hunk.get("names", {}))
        for name, hunk in hunks.items()
    }


def _by_patterns(frame: pl.DataFrame, dialect: Dialect) -> pl.DataFrame:
    """Column row and the fields that one dialect knows."""
    rows, agents = frame["row"], frame["agent"]
    if agents.str.contains("[^ -~]").any():
        agents = agents.str.replace_all(r"\p{C}", "�")
    frame = agents.to_frame("agent").select(
        _AGENT.str.extract_groups(pattern).alias(str(at))
        for at, pattern in enumerate(dialect.patterns)
    )
    found: dict[str, list[pl.Expr]] = {}
    for column, dtype in frame.schema.items():
        assert isinstance(dtype, pl.Struct)
        for field in dtype.fields:
            found.setdefault(field.name, []).append(pl.col(column).struct.field(field.name))
    frame = frame.select(
        pl.coalesce(options).str.slice(0, LIMIT).str.strip_chars(" ").replace("", None).alias(name)
        for name, options in found.items()
    )
    for name, text in dialect.names.items():
        said = pl.col(name.removesuffix("_name") + "_version").is_not_null()
        given = pl.col(name) if name in frame.columns else pl.lit(None, pl.String)
        frame = frame.with_columns(pl.coalesce(given, pl.when(said).then(pl.lit(text))).alias(name))
    flags = [name for name in frame.columns if FIELDS[name] == pl.Boolean]
    return frame.with_columns(rows, *(pl.col(name) == "true" for name in flags))


def _told(found: pl.DataFrame) -> pl.DataFrame:
    """The rows that tell something, with all fields as one struct."""
    told = pl.any_horizontal(pl.lit(False), pl.exclude("row").is_not_null())
    fields = [
        pl.col(name) if name in found.columns else pl.lit(None, dtype).alias(name)
        for name, dtype in FIELDS.items()
    ]
    return found.filter(told).select("row", agent_details=pl.struct(fields))


def _empty() -> pl.DataFrame:
    return pl.DataFrame(schema={"row": pl.UInt32, "agent_details": DETAILS})
