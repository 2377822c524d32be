"""Kinds of keys that the configuration of the job has beside those of `tomlkeys`."""

from __future__ import annotations

import glob
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from l7meter.analysis.parameters import TYPES
from l7meter.formats.times import is_zone
from l7meter.tomlkeys import HERE, Kind, many, path_of

FOREVER = "forever"


def _duration(value: Any, _: Path) -> timedelta:
    try:
        made = TYPES["duration"].parse(value)
    except (ValueError, OverflowError, TypeError, AttributeError):
        raise ValueError('is no duration; write "90s", "30m", "6h", "35d" or "5w"') from None
    assert isinstance(made, timedelta)
    return made


def _period(value: Any, folder: Path) -> timedelta:
    if (made := _duration(value, folder)) <= timedelta():
        raise ValueError('is no period; write "1h" or "1d", or leave it out')
    return made


def _keeping(value: Any, folder: Path) -> timedelta | None:
    if value == FOREVER:
        return None
    try:
        return _period(value, folder)
    except ValueError:
        raise ValueError(f'is no time to keep; write "90d", "5w" or "{FOREVER}"') from None


def _pattern(value: Any, folder: Path) -> str:
    """A file, a directory or a glob; the directory it is relative to is no part of the glob."""
    text = str(path_of(value, HERE)) if isinstance(value, str) and "://" not in value else ""
    if not text or value == "-":
        raise ValueError('is no file, directory or glob; write it as in "/var/log/cdn/*.gz"')
    start = glob.escape(str(folder)) if glob.has_magic(text) else str(folder)
    return str(Path(start) / text)


def _zone(value: Any, _: Path) -> str:
    if not isinstance(value, str) or not is_zone(value):
        raise ValueError('is no time zone; write one such as "Europe/Paris", or "UTC"')
    return value


def _parameters(value: Any, _: Path) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("is no table; write it as in parameters = {limit = 20}")
    return dict(value)


def _pairs(value: Any, folder: Path) -> tuple[str, ...]:
    """`field=column` pairs, or the one path of a mapping file."""
    if isinstance(value, str):
        return (str(path_of(value, folder)),)
    if not isinstance(value, list | tuple) or not all(isinstance(each, str) and "=" in each for each in value):  # fmt: skip
        raise ValueError('maps nothing; write ["field=column", ...] or the path of a mapping file')
    return tuple(value)


DURATION = Kind("duration", _duration)
PERIOD = Kind("duration", _period)
KEEPING = Kind(f"duration or `{FOREVER}`", _keeping)
PATHS = many(Kind("path", _pattern), 'paths = ["/var/log/cdn/*.gz"]')
ZONE = Kind("time zone", _zone)
PAIRS = Kind("list of pairs, or path", _pairs, ())
PARAMETERS = Kind("table", _parameters)
