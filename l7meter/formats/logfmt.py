"""logfmt (`key=value key="quoted value"`), with the mapping of JSON lines: most loggers write both."""

from __future__ import annotations

import json
import re

import numpy as np
import polars as pl

from l7meter.formats.jsonlines import JsonReader
from l7meter.formats.lines import Lines

_STARTS = re.compile(r'[^\s="{]+=')
_PAIR = re.compile(r'([^\s="]+)=("(?:[^"\\]|\\.)*"|[^\s"]*)')


class LogfmtReader(JsonReader):
    """Reads pairs, one object a line; a line that is a JSON object is read as that."""

    nothing = "line holds neither pairs nor a JSON object"

    def might(self, line: str) -> bool:
        """Whether the line names every key that one of the format must have."""
        pairs = bool(_STARTS.match(line)) and all(f"{key}=" in line for key in self.required)
        return pairs or super().might(line)

    def _objects(self, lines: Lines, rows: np.ndarray) -> tuple[pl.Series, bytes | None]:
        """Each line as a JSON object."""
        texts, whole = super()._objects(lines, rows)
        if whole is not None:
            return texts, whole
        return pl.Series("line", map(_object, lines.text[rows], texts), dtype=pl.String), None


def _object(line: str, json_: str | None) -> str | None:
    if not _STARTS.match(line):
        return json_
    pairs = (f"{json.dumps(key)}:{_text(value)}" for key, value in _PAIR.findall(line))
    return "{" + ",".join(pairs) + "}\n"


def _text(value: str) -> str:
    return value if value.startswith('"') else json.dumps(value) if value else "null"
