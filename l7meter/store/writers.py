"""Who is writing: a lock shared by all writers, so that `repair` knows when there is none.

The operating system drops the lock with the process, however it ends.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: no such lock, so young files are always spared
    fcntl = None  # type: ignore[assignment]

NAME = "writers.lock"


class WriterLock:
    """A share in the writers' lock of a store, taken at the first write."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / NAME
        self._descriptor: int | None = None
        self._guard = threading.Lock()

    def acquire(self) -> None:
        """Take the share once; waits while `repair` removes files."""
        with self._guard:
            if self._descriptor is None and fcntl is not None:
                descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
                fcntl.flock(descriptor, fcntl.LOCK_SH)
                self._descriptor = descriptor

    def release(self) -> None:
        """Give the share back."""
        with self._guard:
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None

    __del__ = release


@contextmanager
def nobody_writes(directory: Path) -> Iterator[bool]:
    """Hold writers off; yields False, and holds nobody off, where one is at work."""
    if fcntl is None:
        yield False
        return
    try:
        descriptor = os.open(directory / NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError:  # a read-only disk: who may not write cannot hold writers off
        yield False
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)
