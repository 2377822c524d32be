"""What this user may see: `Path.is_file` raises where a directory on the way may not be entered."""

from __future__ import annotations

import os
from pathlib import Path

ABSENT = "no such file or directory"


def is_file(path: Path) -> bool:
    """Whether it is a file that can be seen."""
    try:
        return path.is_file()
    except OSError:
        return False


def is_dir(path: Path) -> bool:
    """Whether it is a directory that can be seen."""
    try:
        return path.is_dir()
    except OSError:
        return False


def hindrance(path: Path) -> str | None:
    """Why a file or directory cannot be read; None if it can."""
    try:
        mode = os.R_OK | (os.X_OK if path.is_dir() else 0)
        if not path.exists():
            return ABSENT
    except OSError as error:
        return f"{who()} may not see it: {error.strerror}"
    return None if os.access(path, mode) else f"{who()} may not read it"


def who() -> str:
    """This user, by number where it has no name."""
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"
