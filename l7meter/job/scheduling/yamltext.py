"""Tables and lists as YAML 1.2: text is quoted, so that none of it means anything else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from l7meter.tomlreference import toml

_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./-]*")
_WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}  # of YAML 1.1, too


def document(value: Mapping[str, Any]) -> str:
    """One document, without its `---`."""
    return "\n".join(_table(value)) + "\n"


def _table(value: Mapping[str, Any]) -> Iterator[str]:
    for key, each in value.items():
        head = f"{scalar(key)}:"
        if isinstance(each, Mapping) and each:
            yield head
            yield from (f"  {line}" for line in _table(each))
        elif isinstance(each, list) and each:
            yield head
            yield from (f"  {line}" for line in _list(each))
        elif isinstance(each, str) and _is_block(each):
            yield f"{head} |2"
            yield from (f"  {line}" if line else "" for line in each[:-1].split("\n"))
        else:
            yield f"{head} {scalar(each)}"


def _list(values: list[Any]) -> Iterator[str]:
    for each in values:
        if isinstance(each, Mapping) and each:
            first, *rest = _table(each)
            yield f"- {first}"
            yield from (f"  {line}" for line in rest)
        else:
            yield f"- {scalar(each)}"


def _is_block(text: str) -> bool:
    """Whether a block of lines gives back this very text."""
    lines = text.split("\n")
    return len(lines) > 2 and not lines[-1] and bool(lines[-2]) and all(line.isprintable() for line in lines)  # fmt: skip


def scalar(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    # TOML's escapes are YAML's; JSON's are not: a surrogate pair is two letters to YAML 1.1.
    return toml(value) if isinstance(value, str) else json.dumps(value)
