"""Files of reference data as frames: decompressed by content, text as columns of strings, JSON, days.

What a file cannot give raises `ValueError` without the file's name, which the caller adds.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl

from l7meter.sources import open_stream

_DAY = re.compile(r"([0-9]{4})[-_.]?([0-9]{2})[-_.]?([0-9]{2})")
_DAY_OF_NAME = re.compile(rf"(?<![0-9])(?=20){_DAY.pattern}(?![0-9])")
_MARK = b"\xef\xbb\xbf"


def content(path: Path) -> bytes:
    """The octets of a file, decompressed; raises ValueError for one that breaks off.

    Half a table is no table: who is missing from it would be taken for unknown.
    """
    with open_stream(str(path)) as stream:
        data = b"".join(stream)
    if stream.problem:
        raise ValueError(f"{stream.problem}; fetch it again")
    return data.removeprefix(_MARK)


def delimited(
    data: bytes, columns: Sequence[str], separator: str, comment: str | None = None
) -> pl.DataFrame:
    """Lines of fields as columns of strings, empty ones null; blank lines and comments are left out.

    A line with fewer fields has null for the others, one with more loses what is over. A quote is a letter
    like any other: one that is never closed would swallow the lines after it.
    """
    try:
        frame = pl.read_csv(
            io.BytesIO(data),
            separator=separator,
            has_header=False,
            schema=dict.fromkeys(columns, pl.String()),
            quote_char=None,
            comment_prefix=comment,
            encoding="utf8-lossy",
            truncate_ragged_lines=True,
            extra_columns="ignore",
            missing_columns="insert",
            raise_if_empty=False,
        )
    except pl.exceptions.PolarsError as error:
        raise ValueError(f"its lines cannot be told apart: {error}") from error
    return frame.filter(~pl.all_horizontal(pl.all().is_null()))


def lines(data: bytes) -> pl.DataFrame:
    """The lines that are not blank, without blanks around them, in a column `line`."""
    text = data.decode("utf-8", "replace")
    line = pl.col("line").str.strip_chars()
    return pl.DataFrame({"line": text.split("\n")}).select(line).filter(pl.col("line") != "")


def document(path: Path) -> Any:
    """The value of a JSON file."""
    return parsed(content(path))


def parsed(data: bytes) -> Any:
    """The value of JSON text."""
    try:
        return json.loads(data)
    except ValueError as error:
        raise ValueError(f"it is no JSON: {error}") from error


def member(value: object, *keys: str) -> Any:
    """What stands in an object under a key, in that under the next; None where it is not there."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def items(value: object, *keys: str) -> list[Any]:
    """The list that stands in an object under a key, in that under the next; empty where none does."""
    found = member(value, *keys)
    return found if isinstance(found, list) else []


def text(value: object) -> str | None:
    """A string of JSON; None for anything else."""
    return value if isinstance(value, str) else None


def number(value: object) -> str | None:
    """A whole number of JSON, or a string, as text; None for anything else."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def day(said: object) -> date | None:
    """The day at the start of a text (`2026-10-01T…`, `20261001`), or of seconds since 1970 (UTC)."""
    if isinstance(said, (int, float)) and not isinstance(said, bool):
        try:
            return datetime.fromtimestamp(said, UTC).date()
        except (OverflowError, OSError, ValueError):
            return None
    return _day(_DAY.match(said)) if isinstance(said, str) else None


def day_of_name(name: str) -> date | None:
    """The first day that a name holds: `rv2-20261001-1200.pfx2as`, `dump_2026_10_01.json`."""
    return next(filter(None, map(_day, _DAY_OF_NAME.finditer(name))), None)


def _day(found: re.Match[str] | None) -> date | None:
    try:
        return date(*map(int, found.groups())) if found else None
    except ValueError:
        return None
