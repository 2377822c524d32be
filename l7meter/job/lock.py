"""One run at a time: a lock that the operating system drops with the process, however it ends."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from l7meter.errors import BUSY, L7MeterError, UsageError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

NAME = "run.lock"


class Busy(L7MeterError):
    """Another run is at work."""

    exit_code = BUSY


@contextmanager
def alone(store: Path, now: datetime) -> Iterator[None]:
    """Hold the lock of a store's runs; `Busy` says who has it.

    The file stays and says who ran last; it is no lock by itself, so a machine that died leaves none.
    """
    if fcntl is None:
        raise UsageError("l7meter run needs a system with flock(2); use 'l7meter ingest' here")
    try:
        descriptor = os.open(store / NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise L7MeterError(f"{store / NAME}: cannot be opened: {error.strerror}; make the store writable") from error  # fmt: skip
    try:
        if not _taken(descriptor):
            who = os.read(descriptor, 1000).decode(errors="replace").strip() or "it says no more"
            raise Busy(f"{store}: another run is at work ({who}); nothing was done")
        said = {"pid": os.getpid(), "host": socket.gethostname(), "since": now.isoformat()}
        with suppress(OSError):  # of a full disk: the lock holds without
            os.ftruncate(descriptor, 0)
            os.write(descriptor, json.dumps(said).encode())
        yield
    finally:
        os.close(descriptor)


def holder(store: Path) -> str | None:
    """Who holds the lock of a store's runs, in the words of the lock; None where nobody does, or it cannot be told."""
    if fcntl is None:
        return None
    try:
        descriptor = os.open(store / NAME, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return os.read(descriptor, 1000).decode(errors="replace").strip() or "it says no more"
    finally:
        os.close(descriptor)
    return None


def _taken(descriptor: int) -> bool:
    """Whether the lock was free; `holder` has it for some microseconds when it looks."""
    for pause in (0.01, 0.05, 0.1, None):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if pause:
                time.sleep(pause)
        else:
            return True
    return False
