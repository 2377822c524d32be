"""From what the user typed to the files that are meant."""

from __future__ import annotations

import glob
from collections.abc import Iterable
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
            names = sorted(glob.glob(argument, recursive=True))  # noqa: PTH207 (of any root)
            return [name for name in names if Path(name).is_file()], "no file matches"
    except OSError as error:  # a name that is too long, a directory that may not be entered
        return [], error.strerror or str(error)
    return [], "no such file or directory"


def _inside(directory: Path) -> list[str]:
    return sorted(
        str(path)
        for path in directory.rglob("*")
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(directory).parts)
    )
