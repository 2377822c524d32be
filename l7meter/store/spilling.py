"""Where large queries put what does not fit in memory: a directory that is ours alone, and goes with us.

It may hold addresses. A process that was killed leaves its directory behind, without the lock that it held;
the next process of the same user removes it.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: nothing is locked, and nothing of others removed
    fcntl = None  # type: ignore[assignment]

PREFIX = "l7meter-spill-"


@cache
def own_directory() -> Path:
    """The directory of this process, for its user alone (0700); removed when it ends."""
    _sweep()
    made = _locked()
    while not made.is_dir():  # swept before it was locked
        made = _locked()
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


def _locked() -> Path:
    made = Path(tempfile.mkdtemp(prefix=PREFIX))
    if fcntl is not None:
        fcntl.flock(os.open(made, os.O_RDONLY | os.O_CLOEXEC), fcntl.LOCK_SH)  # held to the end
    return made


def _sweep() -> None:
    """Remove what processes of this user left that are no more."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            if fcntl is None or path.is_symlink() or path.stat().st_uid != os.getuid():
                continue
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
        except OSError:  # its process is at work
            pass
        finally:
            os.close(descriptor)
