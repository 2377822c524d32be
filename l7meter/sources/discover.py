"""From what the user typed to the files that are meant."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

STDIN = "-"


class Missing(NamedTuple):
    """An argument that names nothing."""

    name: str
    problem: str


def discover(arguments: Iterable[str]) -> tuple[list[str], list[Missing]]:
    """The files behind files, directories (searched in depth), globs and `-`, each once, in order.

    Hidden files inside directories are passed over; a file that is named is always taken.
    """
    found: dict[str, None] = {}
    missing: list[Missing] = []
    for argument in arguments:
        files, problem = _files(argument)
        found.update(dict.fromkeys(files))
        if not files:
            missing.append(Missing(argument, problem))
    return list(found), missing


def _files(argument: str) -> tuple[list[str], str]:
    """The files that an argument means; if none, why."""
    path = Path(argument)
    try:
        if argument == STDIN or path.is_file() or path.is_fifo() or path.is_char_device():
            return [argument], ""
        if path.is_dir():
            return _inside(path), "the directory holds no file"
        if glob.has_magic(argument):
            return [
                n for n in sorted(set(_matching(argument))) if Path(n).is_file()
            ], "no file matches"
    except OSError as error:  # a name that is too long, a directory that may not be entered
        return [], error.strerror or str(error)
    return [], "no such file or directory"


def _matching(pattern: str) -> Iterator[str]:
    """What a pattern matches; `**` enters neither hidden nor linked directories.

    `glob.glob` follows links: with two that lead upwards it goes on for hours.
    """
    before, deep, after = pattern.partition("**")
    if not deep or before[-1:] not in ("", "/") or after[:1] not in ("", "/"):
        yield from glob.iglob(pattern)  # noqa: PTH207 (of any root)
        return
    below = after.strip("/") or "*"
    for root in glob.iglob(before) if before else ["."]:  # noqa: PTH207
        for place, folders, _ in os.walk(root):
            folders[:] = [name for name in folders if not name.startswith(".")]
            found = _matching(f"{glob.escape(place.rstrip('/'))}/{below}")
            yield from (name if before else name.removeprefix("./") for name in found)


def _inside(directory: Path) -> list[str]:
    return sorted(
        str(path)
        for path in directory.rglob("*")
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(directory).parts)
    )
