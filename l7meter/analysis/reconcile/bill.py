"""What a provider's file is read into, and the contract of those who read one."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

import polars as pl

from l7meter.errors import SourceError, UsageError

SCHEMA = pl.Schema(
    {
        "day": pl.Date(),
        "region": pl.String(),
        "billed_bytes": pl.Float64(),
        "billed_requests": pl.Float64(),
        "shield_bytes": pl.Float64(),
        "shield_requests": pl.Float64(),
        "origin_bytes": pl.Float64(),
    }
)


_BETWEEN = re.compile(r"[\s,]*")  # elements of an array


class Line(NamedTuple):
    """What one line or element says: octets in the file's unit, requests; None is "it does not say".

    `shield_*` is what of it went between the provider's own caches, `origin_bytes` what went to the
    origin: both are part of `bytes`, and `shield_requests` of `requests`.
    """

    number: int
    day: date
    region: str | None = None
    bytes: float | None = None
    requests: float | None = None
    shield_bytes: float | None = None
    shield_requests: float | None = None
    origin_bytes: float | None = None
    unit: str | None = None  # that the line itself says


class Refused(NamedTuple):
    """A line that cannot be read, and why."""

    number: int
    problem: str


class Left(NamedTuple):
    """A line that is readable and about something else: `what` names it (an invalidation, a fee)."""

    number: int
    what: str


@dataclass(frozen=True)
class File:
    """A bill's text and name, with the columns that the user named."""

    name: str
    text: str
    columns: Mapping[str, str] = field(default_factory=dict)  # column: meaning
    regions: bool = False  # whether the metered side knows regions

    @property
    def is_json(self) -> bool:
        """Whether it is a JSON object."""
        return self.text.lstrip("\ufeff \t\r\n").startswith("{")

    def header(self) -> list[str]:
        """The names of a CSV file's columns; none for JSON."""
        if self.is_json:
            return []
        return [
            name.strip().lstrip("\ufeff") for name in next(csv.reader(io.StringIO(self.text)), [])
        ]

    def rows(self) -> Iterator[tuple[int, dict[str, str]]]:
        """The lines of a CSV file with their numbers; cells that are missing are empty."""
        reader = csv.reader(io.StringIO(self.text))
        names = [name.strip().lstrip("\ufeff") for name in next(reader, [])]
        for cells in reader:
            if any(cell.strip() for cell in cells):
                padded = [cell.strip() for cell in cells] + [""] * (len(names) - len(cells))
                yield reader.line_num, dict(zip(names, padded, strict=False))

    def elements(self, key: str) -> Iterator[tuple[int, Any]]:
        """The elements of the array under `key` of a JSON file, each with the line it begins in.

        Raises `SourceError` with file and line where the array is not JSON.
        """
        start = re.search(rf'"{re.escape(key)}"\s*:\s*\[', self.text)
        at, decoder = start.end() if start else len(self.text), json.JSONDecoder()
        line, counted = 1, 0
        while at < len(self.text):
            between = _BETWEEN.match(self.text, at)
            at = between.end() if between else at
            if self.text[at : at + 1] == "]":
                return
            line, counted = line + self.text.count("\n", counted, at), at
            try:
                value, at = decoder.raw_decode(self.text, at)
            except json.JSONDecodeError as error:
                raise SourceError(
                    f"{self.name}:{line}: no JSON: {error.msg}; fetch the file again"
                ) from error
            yield line, value


@dataclass(frozen=True)
class Provider:
    """Who writes such files, what their bytes mean, and how they are told and read.

    `counts_fields`: whether response header fields are in the bytes. `zone` is that of its days. `unit`
    is the unit of its bytes where the documentation says it; None where the file or the user has to.
    """

    name: str
    title: str
    documentation: str
    meaning: str
    counts_fields: bool
    counts_hops: bool
    tells: Callable[[File], bool]
    read: Callable[[File], Iterator[Line | Refused | Left]]
    unit: str | None = None
    zone: str = "UTC"


def number_of(text: object) -> float:
    """A number as bills write it (`1,234.5`). Raises ValueError for what is none, or is negative."""
    try:
        value = float(str(text).replace(",", "").strip())
    except ValueError:
        value = -1
    if not 0 <= value < 2**70:
        raise ValueError(f"{text!r} is no quantity")
    return value


_DAYS = ("%m/%d/%Y %H:%M:%S", "%m/%d/%y %H:%M:%S", "%m/%d/%Y", "%m/%d/%y")  # AWS: month first


def day_of(text: str, *, month_first: bool = False) -> date:
    """The day of a date or an instant (ISO 8601; month first where the provider writes so).

    Raises ValueError for another: of 01/02/2026 nobody can say which month it is.
    """
    for shape in _DAYS if month_first and "/" in text else ():
        with suppress(ValueError):
            return datetime.strptime(text, shape).date()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no day; it would be as in 2026-01-31") from None
    return (moment.astimezone(UTC) if moment.tzinfo else moment).date()


def meanings(file: File, known: Mapping[str, str]) -> dict[str, str]:
    """The column of each meaning: those the user named, else those of these names.

    Raises `UsageError` for a column that the file does not have.
    """
    header = file.header()
    for column in file.columns:
        if column not in header:
            raise UsageError(
                f"--map {column}=...: {file.name} has no such column; it has: {', '.join(header)}"
            )
    told = {known[name.lower()]: name for name in header if name.lower() in known}
    return told | {meaning: column for column, meaning in file.columns.items()}
