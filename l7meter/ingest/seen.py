"""Files that need not be opened again: they are as they were when they were read.

A hint beside the identity by content, so that a nightly run does not read a year of logs to find that
it knows them. A file counts as seen by path, size, inode and time of modification; one that was
written to within two seconds before it was read is not remembered, as the clock of file times ticks
in milliseconds.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Collection
from pathlib import Path

from l7meter.store import Store
from l7meter.store.entries import see, seen

QUIET_NS = 2_000_000_000
State = tuple[int, int, int]  # size, time of modification in ns, inode


class Seen:
    """The files that earlier runs read, and those of this one."""

    def __init__(self, store: Store, anew: Collection[str] = (), reread: bool = False) -> None:
        self._store = store
        self._seen = {} if reread else seen(store)
        self._anew = set(anew)
        self._looked: dict[str, tuple[State, int]] = {}
        self._fresh: list[tuple[str, int, int, int, str]] = []

    def before(self, name: str) -> str | None:
        """The source that a file is known to be; else it is looked at, before it is opened."""
        state = _state(name)
        if state is None:
            return None
        path = str(Path(name).absolute())
        size, modified, inode, source_id = self._seen.get(path, (-1, 0, 0, ""))
        if (size, modified, inode) == state and source_id not in self._anew:
            return source_id
        self._looked[path] = (state, time.time_ns())
        return None

    def after(self, name: str, source_id: str) -> None:
        """Remember a file whose records are in the store, unless it changed while it was read."""
        path = str(Path(name).absolute())
        state, at = self._looked.get(path, (None, 0))
        if state and state == _state(name) and state[1] + QUIET_NS < at:
            self._fresh.append((path, *state, source_id))

    def keep(self) -> None:
        """Write down what was seen."""
        if self._fresh:
            see(self._store, self._fresh)


def _state(name: str) -> State | None:
    try:
        status = os.stat(name)  # noqa: PTH116 (a name may be no UTF-8)
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return status.st_size, status.st_mtime_ns, status.st_ino
