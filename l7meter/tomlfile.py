"""A TOML file that people write: read, and where in it each key and value stands, for errors that say so."""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from hashlib import sha256
from pathlib import Path
from typing import Any

from l7meter.errors import UsageError

Place = tuple[str | int, ...]
"""A way from the top of a file: names of keys, numbers of elements, as in `("source", 0, "paths", 2)`."""

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_NAME = re.compile(r""""(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[A-Za-z0-9_-]+""")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}' r"|'''.*?'{3,5}" r'|"(?:[^"\\\n]|\\.)*"' r"|'[^'\n]*'", re.DOTALL
)  # three to five quotes end a text of several lines: two may be its own
_SCALAR = re.compile(r"[^,\]}\n#]+")


class TomlFile:
    """What a file holds (`data`), its SHA-256 (`digest`), and the lines of its keys and values."""

    def __init__(self, path: Path, octets: bytes, text: str, data: dict[str, Any]) -> None:
        self.path = path
        self.data = data
        self.digest = sha256(octets).hexdigest()
        self._lines = _Scan(text).lines

    def line(self, *place: str | int) -> int:
        """Where a key or an element stands, or what holds it; lines are counted from 1."""
        while place and place not in self._lines:
            place = place[:-1]
        return self._lines.get(place, 1)

    def said(self, place: Place, problem: str) -> str:
        """`FILE: line N: problem`."""
        return f"{self.path}: line {self.line(*place)}: {problem}"

    def error(self, place: Place, problem: str) -> UsageError:
        """The same, to be raised."""
        return UsageError(self.said(place, problem))


def read(path: Path) -> TomlFile:
    """Read a file.

    Raises `UsageError` where it cannot be read, is not UTF-8, or not TOML (https://toml.io/en/v1.0.0).
    """
    try:
        octets = path.read_bytes()
        text = octets.decode("utf-8")
        return TomlFile(path, octets, text, tomllib.loads(text))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 at octet {error.start}") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: not TOML: {error}") from error
    except RecursionError as error:
        raise UsageError(f"{path}: not TOML for people: too many brackets in each other") from error


class _Scan:
    """One walk through text that is known to be TOML; `tomllib` does not tell where things stand."""

    def __init__(self, text: str) -> None:
        self.lines: dict[Place, int] = {}
        self._text = text
        self._ends = [at for at, letter in enumerate(text) if letter == "\n"]
        self._tables: dict[Place, int] = {}  # how many of an array of tables there are so far
        self._at = 0
        table: Place = ()
        self._skip()
        while self._at < len(text):
            table = self._head() if self._next("[") else self._pair(table)
            self._skip()

    def _next(self, letters: str) -> bool:
        return self._text.startswith(letters, self._at)

    def _skip(self, letters: int = 0) -> None:
        """Past so many letters, and the blanks and comments behind them."""
        match = _BLANK.match(self._text, self._at + letters)
        assert match
        self._at = match.end()

    def _put(self, place: Place, at: int) -> None:
        self.lines.setdefault(place, bisect_right(self._ends, at - 1) + 1)

    def _names(self) -> list[str]:
        names = []
        while match := _NAME.match(self._text, self._at):
            name = match[0]
            names.append(str(tomllib.loads(f"x = {name}")["x"]) if name[0] in "\"'" else name)
            self._at = match.end()
            self._skip()
            if not self._next("."):
                break
            self._skip(1)
        return names

    def _head(self) -> Place:
        """`[table]` or `[[table]]`."""
        at, array = self._at, self._next("[[")
        self._skip(1 + array)
        names = self._names()
        self._at += 1 + array
        place: Place = ()
        for left, name in zip(range(len(names) - 1, -1, -1), names, strict=True):
            place += (name,)
            self._put(place, at)
            if array and not left:
                self._tables[place] = self._tables.get(place, 0) + 1
            if place in self._tables:
                place += (self._tables[place] - 1,)
                self._put(place, at)
        return place

    def _pair(self, table: Place) -> Place:
        """`key = value`; gives back the table it is in."""
        at, place = self._at, table
        for name in self._names():
            place += (name,)
            self._put(place, at)
        self._skip(1)
        self._value(place)
        return table

    def _value(self, place: Place) -> None:
        if match := _STRING.match(self._text, self._at):
            self._at = match.end()
        elif self._next("[") or self._next("{"):
            inline, count = self._next("{"), 0
            self._skip(1)
            while not self._next("}" if inline else "]"):
                if inline:
                    self._pair(place)
                else:
                    self._put((*place, count), self._at)
                    self._value((*place, count))
                count += 1
                self._skip(self._next_comma())
            self._at += 1
        elif match := _SCALAR.match(self._text, self._at):
            self._at = match.end()

    def _next_comma(self) -> int:
        self._skip()
        return 1 if self._next(",") else 0
