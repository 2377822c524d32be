"""Points at which a process can be killed: each call that changes a file, of Python's and of SQLite's statements.

A point is a call (`fsync`, `rename`, `COMMIT`, ...) from a line of l7meter; a process may be killed
before it and behind it.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from l7meter.store import catalog

CALLS = ("fsync", "rename", "replace", "unlink", "open", "ftruncate", "write")
_HOUSE = str(Path(catalog.__file__).parents[1])


class Site(NamedTuple):
    """A call and where in l7meter it is made; `when` is before or behind."""

    call: str
    where: str
    when: str


class Points:
    """Counts the calls of this process; kills it at the one with a number (from 0), if there is one."""

    def __init__(self, kill_at: int | None = None) -> None:
        self.kill_at = kill_at
        self.sites: list[Site] = []
        self._guard = threading.Lock()

    def watch(self) -> None:
        """Put itself between l7meter and the system, for the rest of this process."""
        for name in CALLS:
            setattr(os, name, self._around(name, getattr(os, name)))
        points = self

        class Connection(sqlite3.Connection):
            def execute(self, sql: str, *parameters: Any) -> Any:
                return points.call(_verb(sql), super().execute, sql, *parameters)

            def executemany(self, sql: str, *parameters: Any) -> Any:
                return points.call(_verb(sql), super().executemany, sql, *parameters)

        def connect(*arguments: Any, **options: Any) -> Any:
            return sqlite3.connect(*arguments, factory=Connection, **options)

        catalog.connect = connect  # type: ignore[attr-defined]

    def call(self, name: str, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Call a function, between two points, where l7meter calls it."""
        where = _caller()
        if not where or name == "":
            return function(*arguments, **options)
        self._pass(Site(name, where, "before"))
        made = function(*arguments, **options)
        self._pass(Site(name, where, "behind"))
        return made

    def _around(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def called(*arguments: Any, **options: Any) -> Any:
            if name == "open" and not (arguments[1] if len(arguments) > 1 else 0) & os.O_CREAT:
                return function(*arguments, **options)  # changes nothing
            return self.call(name, function, *arguments, **options)

        return called

    def _pass(self, site: Site) -> None:
        with self._guard:
            number = len(self.sites)
            self.sites.append(site)
            if number == self.kill_at:
                os.kill(os.getpid(), signal.SIGKILL)


def _verb(sql: str) -> str:
    """What a statement changes; nothing for one that only reads."""
    words = sql.split()
    if words[0] in ("SELECT", "PRAGMA"):
        return ""
    return " ".join(words[:4]) if words[0] in ("INSERT", "UPDATE", "DELETE", "CREATE") else words[0]


def _caller() -> str:
    """The line of l7meter that calls, and the one that calls its function."""
    frame = sys._getframe(2)
    found: list[str] = []
    while frame and len(found) < 2:
        name = frame.f_code.co_filename
        if name.startswith(_HOUSE):
            found.append(f"{Path(name).name}:{frame.f_lineno}")
        frame = frame.f_back  # type: ignore[assignment]
    return " < ".join(found)
