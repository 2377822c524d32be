"""From what the user typed to the files that are meant."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable, Iterator
from errno import EACCES
from pathlib import Path
from typing import NamedTuple

STDIN = "-"
UNMATCHED = "no file matches"


class Missing(NamedTuple):
    """An argument that names nothing, or a directory on the way that may not be read."""

    name: str
    problem: str


def discover(arguments: Iterable[str]) -> tuple[list[str], list[Missing]]:
    """The files behind files, directories (searched in depth), globs and `-`, each once, in order.

    Hidden files inside directories are passed over; a file that is named is always taken. Directories
    that may not be read are among what is missing, though others gave files.
    """
    found: dict[str, None] = {}
    missing: dict[Missing, None] = {}
    for argument in arguments:
        closed: dict[str, str] = {}
        files, problem = _files(argument, closed)
        found.update(dict.fromkeys(files))
        missing.update(dict.fromkeys(map(Missing, closed, closed.values())))
        if not files and not closed:
            missing[Missing(argument, problem)] = None
    return list(found), list(missing)


def _files(argument: str, closed: dict[str, str]) -> tuple[list[str], str]:
    """The files that an argument means; if none, why. `closed` gets what may not be read, and why."""
    path, pattern = Path(argument), glob.has_magic(argument)
    try:
        if argument == STDIN or path.is_file() or path.is_fifo() or path.is_char_device():
            return [argument], ""
        if path.is_dir():
            return _inside(path, closed), "the directory holds no file"
    except OSError as error:  # a name that is too long, a directory that may not be entered
        if not pattern:
            return [], error.strerror or str(error)
    if pattern:
        names = sorted(set(_matching(argument, closed)))
        return [name for name in names if _is_file(name, closed)], UNMATCHED
    return [], "no such file or directory"


def _matching(pattern: str, closed: dict[str, str]) -> Iterator[str]:
    """What a pattern matches; `**` enters neither hidden nor linked directories.

    `glob.glob` follows links: with two that lead upwards it goes on for hours.
    """
    before, deep, after = pattern.partition("**")
    if not deep or before[-1:] not in ("", "/") or after[:1] not in ("", "/"):
        closed.update(_closed(pattern))
        yield from glob.iglob(pattern)  # noqa: PTH207 (of any root)
        return
    below = after.strip("/") or "*"
    for root in glob.iglob(before) if before else ["."]:  # noqa: PTH207
        for place, folders, _ in os.walk(root, onerror=_note(closed)):
            folders[:] = [name for name in folders if not name.startswith(".")]
            found = _matching(f"{glob.escape(place.rstrip('/'))}/{below}", closed)
            yield from (name if before else name.removeprefix("./") for name in found)


def _inside(directory: Path, closed: dict[str, str]) -> list[str]:
    found: list[str] = []
    for place, folders, names in os.walk(directory, onerror=_note(closed)):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += (str(Path(place, name)) for name in names if not name.startswith("."))
    return sorted(name for name in found if _is_file(name, closed))


def _closed(pattern: str) -> Iterator[tuple[str, str]]:
    """The directories that a pattern looks into and that may not be read: `glob` passes them over."""
    before, last = os.path.split(pattern)
    if before not in ("", pattern):
        yield from _closed(before)
    mode = os.X_OK | (os.R_OK if glob.has_magic(last) else 0)
    for folder in glob.iglob(before) if before else ():  # noqa: PTH207
        if os.path.isdir(folder) and not os.access(folder, mode):  # noqa: PTH112 (never raises)
            yield folder, os.strerror(EACCES)


def _note(closed: dict[str, str]) -> Callable[[OSError], None]:
    def note(error: OSError) -> None:
        closed[str(error.filename)] = error.strerror or str(error)

    return note


def _is_file(name: str, closed: dict[str, str]) -> bool:
    """Whether it is a file; of a link into a directory that may not be entered that is not known."""
    try:
        return Path(name).is_file()
    except OSError as error:
        _note(closed)(error)
        return False
