"""The configuration shown: every key in a table for people, and with its defaults filled in for programs."""

from __future__ import annotations

from dataclasses import Field
from datetime import timedelta
from pathlib import Path
from typing import Any

from l7meter.job.config import ARRAYS, TABLES, Config
from l7meter.job.keys import FOREVER, KEEPING
from l7meter.tomlreading import keys
from l7meter.tomlreference import reference

_UNITS = {"d": 86_400, "h": 3600, "m": 60, "s": 1}


def table() -> str:
    """Every key as Markdown: a table for each table of the file."""
    return reference(Config, TABLES, ARRAYS)


def written(duration: timedelta) -> str:
    """A duration as the file has it, in the largest unit that it is whole in."""
    seconds = duration.total_seconds()
    unit = next((unit for unit, size in _UNITS.items() if seconds and seconds % size == 0), "s")
    return f"{seconds / _UNITS[unit]:.15g}{unit}"


def as_dict(config: Config) -> dict[str, Any]:
    """A configuration in the shape of its file, all defaults filled in, for JSON; None is not given."""
    made = _plain(Config, config)
    made |= {name: [_plain(type_, each) for each in getattr(config, f"{name}s")] for name, type_ in ARRAYS.items()}  # fmt: skip
    made |= {name: _plain(type_, getattr(config, name)) for name, type_ in TABLES.items()}
    return {"path": str(config.path), "sha256": config.digest, **made}


def _plain(type_: type, value: Any) -> dict[str, Any]:
    return {name: _value(each, getattr(value, each.name)) for name, each in keys(type_).items()}


def _value(field: Field[Any], value: Any) -> Any:
    if value is None:
        return FOREVER if field.metadata["kind"] is KEEPING else None
    if isinstance(value, timedelta):
        return written(value)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple):
        return [str(each) for each in value]
    if isinstance(value, dict):  # of a question: TOML's dates and times are text in JSON
        return {name: each if isinstance(each, str | int | float) else str(each) for name, each in value.items()}  # fmt: skip
    return value
