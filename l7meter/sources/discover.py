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
        path = Path(argument)
        if argument == STDIN or path.is_file() or path.is_fifo() or path.is_char_device():
            found[argument] = None
        elif path.is_dir():
            files = _inside(path)
            found.update(dict.fromkeys(files))
            if not files:
                missing.append(Missing(argument, "the directory holds no file"))
        elif glob.has_magic(argument):
            names = sorted(glob.glob(argument, recursive=True))
            files = [name for name in names if Path(name).is_file()]
            found.update(dict.fromkeys(files))
            if not files:
                missing.append(Missing(argument, "no file matches"))
        else:
            missing.append(Missing(argument, "no such file or directory"))
    return list(found), missing


def _inside(directory: Path) -> list[str]:
    return sorted(
        str(path)
        for path in directory.rglob("*")
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(directory).parts)
    )
