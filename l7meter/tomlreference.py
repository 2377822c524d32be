"""The keys of a TOML file in tables for people."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import Field
from typing import Any

from l7meter.tomlkeys import REQUIRED
from l7meter.tomlreading import keys

_HEAD = ("| key | type | default | meaning |", "|---|---|---|---|")


def reference(type_: type, tables: Mapping[str, type], arrays: Mapping[str, type]) -> str:
    """Every key as Markdown: a table for each table of the file."""
    lines = ["Keys that stand before all tables:", "", *_HEAD, *_rows(type_)] if keys(type_) else []
    for name, each in {**{f"[[{name}]]": arrays[name] for name in arrays}, **{f"[{name}]": tables[name] for name in tables}}.items():  # fmt: skip
        sentence = " ".join(inspect.cleandoc(each.__doc__ or "").split())
        lines += ["", f"### `{name}`", "", sentence, "", *_HEAD, *_rows(each)]
    return "\n".join(lines) + "\n"


def _rows(type_: type) -> list[str]:
    return [
        f"| `{name}` | {each.metadata['kind'].word} | {_default(each)} | {each.metadata['sentence'].replace('|', chr(92) + '|')} |"
        for name, each in keys(type_).items()
    ]


def _default(field: Field[Any]) -> str:
    default = field.metadata["default"]
    if default is REQUIRED:
        return "required"
    return "" if default in (None, (), {}) else f"`{toml(default)}`"


def toml(value: Any) -> str:
    """A value as the file has it. Text is a basic string, whatever it holds."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + "".join(_escaped(letter) for letter in value) + '"'
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml, value))}]"
    return str(value)


def _escaped(letter: str) -> str:
    if letter in '"\\':
        return "\\" + letter
    # What steers a terminal or hides text, and what TOML does not allow as it is.
    return letter if letter.isprintable() else f"\\U{ord(letter):08x}"
