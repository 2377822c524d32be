"""The lines that set clients up for a private cache: one file for each ecosystem in `setup/`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "setup"
KEYS = ("title", "cache", "file", "config", "check", "link")


@cache
def ecosystems() -> dict[str, list[dict[str, Any]]]:
    """The clients that are known, by ecosystem; the first stands for those that are not."""
    return {path.stem: tomllib.loads(path.read_text(encoding="utf-8"))["client"] for path in sorted(FOLDER.glob("*.toml"))}  # fmt: skip


def steps(tools: Sequence[Mapping[str, Any]], limit: int = 5) -> list[dict[str, Any]]:
    """For the clients of most octets how they are set up: `ecosystem`, `clients` seen, their `bytes`, and `KEYS`.

    `tools` have `ecosystem`, `agent_name` and `bytes`. Ecosystems that are not known are left out.
    """
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for tool in tools:
        known = ecosystems().get(tool["ecosystem"] or "")
        if not known or not tool["bytes"]:
            continue
        client = next((each for each in known if tool["agent_name"] in each["agents"]), known[0])
        step = found.setdefault(
            (tool["ecosystem"], client["title"]),
            {"ecosystem": tool["ecosystem"], "clients": [], "bytes": 0, **{key: client[key].strip() for key in KEYS}},
        )  # fmt: skip
        step["bytes"] += tool["bytes"]
        if tool["agent_name"] and tool["agent_name"] not in step["clients"]:
            step["clients"].append(tool["agent_name"])
    ordered = sorted(found.values(), key=lambda each: (-each["bytes"], each["ecosystem"], each["title"]))  # fmt: skip
    return ordered[:limit]
