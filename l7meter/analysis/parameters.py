"""Parameters of a query: declared in its header, converted from what the user typed."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from l7meter.errors import UsageError
from l7meter.units import octets

Value = int | float | str | date | datetime | timedelta | None
NULL = "null"

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_LINE = re.compile(r"(\w+)\s*=\s*(.*?)\s+:\s+(\w+)\s+:\s+(.+)")


def _duration(text: str) -> timedelta:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhdw])", text.strip())
    if match is None:
        raise ValueError(text)
    return timedelta(seconds=float(match[1]) * _SECONDS[match[2]])


def _timestamp(text: str) -> datetime:
    return _utc(datetime.fromisoformat(text.strip()))


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _date(text: str) -> date:
    return date.fromisoformat(text.strip())


class _Type(NamedTuple):
    parse: Callable[[str], Value]
    accepts: tuple[type, ...]  # what a Python caller may pass instead of text
    example: str


TYPES: dict[str, _Type] = {
    "int": _Type(int, (int,), "20"),
    "float": _Type(float, (int, float), "0.5"),
    "date": _Type(_date, (date,), "2026-11-01"),
    "timestamp": _Type(_timestamp, (datetime,), "2026-11-01 or 2026-11-01T12:00:00Z"),
    "duration": _Type(_duration, (timedelta,), "90s, 24h or 30d"),
    "string": _Type(str, (str,), "text"),
    "bytes": _Type(octets, (int,), "10GB or 10GiB"),
}


class Parameter(NamedTuple):
    """One parameter of a query: `default` is as written in the header, `null` means no value."""

    name: str
    default: str
    type: str
    meaning: str

    @classmethod
    def parse(cls, line: str, place: str) -> Parameter:
        """Read `name = default : type : meaning`; a line that is not so is a UsageError."""
        match = _LINE.fullmatch(line)
        if match is None:
            raise UsageError(f"{place}: '{line}' is not 'name = default : type : meaning'")
        parameter = cls(*match.groups())
        if parameter.type not in TYPES:
            known = ", ".join(TYPES)
            raise UsageError(f"{place}: '{parameter.type}' is no parameter type; known: {known}")
        parameter.convert(parameter.default)
        return parameter

    def convert(self, value: object) -> Value:
        """Return the value to bind: text is parsed, `null` and None are null.

        A timestamp without a zone is UTC; bytes take SI (`10GB`) and binary units (`10GiB`).
        Raises UsageError naming the parameter and an example of its type.
        """
        if value is None or value == NULL:
            return None
        type_ = TYPES[self.type]
        if isinstance(value, str):
            try:
                return type_.parse(value)
            except (ValueError, OverflowError):
                pass
        elif isinstance(value, datetime) and datetime in type_.accepts:
            return _utc(value)
        elif isinstance(value, type_.accepts) and not isinstance(value, (bool, datetime)):
            return value  # type: ignore[return-value]
        raise UsageError(
            f"parameter '{self.name}': {value!r} is not a {self.type}, such as {type_.example}"
        )
