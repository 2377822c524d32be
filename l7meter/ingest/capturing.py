"""An interface metered continuously: a program captures into files, each is ingested when finished.

A file is finished when the next one has begun or the program has ended.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from l7meter.attribution import Attribution
from l7meter.captures import Sums
from l7meter.errors import UsageError
from l7meter.ingest.capture import added
from l7meter.ingest.capturer import Capturer, dropped
from l7meter.ingest.outcome import Ingested
from l7meter.ingest.run import ingest
from l7meter.ingest.source import Said
from l7meter.privacy import Privacy
from l7meter.store import Store

POLL = 1.0  # seconds between two looks into the directory
Pause = Callable[[Capturer, float], None]


@dataclass
class Metered:
    """What was metered, in sums: a run may last for months.

    `files` are in the store, `missed` were deleted unread (`files` of `Metering`); `dropped` is the
    capturer's own count of packets it did not get, None where it said none. `problem` says why the
    capturer ended, where nobody had asked it to.
    """

    files: int = 0
    failed: int = 0
    missed: int = 0
    records: int = 0
    sums: Sums = field(default_factory=Sums)
    server_bytes_by_basis: Counter[str] = field(default_factory=Counter)
    unmeasured_records: int = 0
    dropped: int | None = None
    seconds: float = 0.0
    problem: str | None = None

    def add(self, done: Ingested) -> None:
        """Count what another round has ingested."""
        self.files += len(done.ingested)
        self.failed += len(done.failed)
        self.records += done.total("records")
        self.sums = added([self.sums, done.captures or Sums()])
        self.server_bytes_by_basis += done.server_bytes_by_basis
        self.unmeasured_records += done.unmeasured_records


def run_name() -> str:
    """What the names of one run's files begin with."""
    return f"l7meter-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{os.getpid()}"


def private_directory(path: Path) -> Path:
    """The directory, made for us alone (mode 0700) where there is none."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}: name a directory for captures") from error
    return path.absolute()


class Metering:
    """One run of a capturing program, its files ingested in order as they are finished.

    `arguments` make files in `directory` that begin with `name`. With `delete` a file goes once it
    is in the store. With `files` there are at most so many finished ones: the oldest go first, and
    one that goes unread is counted. `reported` gets what each round has ingested.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        directory: Path,
        name: str,
        store: Store,
        said: Said | None = None,
        *,
        attribution: Attribution | None = None,
        privacy: Privacy | None = None,
        files: int | None = None,
        delete: bool = False,
        reported: Callable[[Ingested], None] = lambda _: None,
    ) -> None:
        self.arguments = arguments
        self.directory = directory
        self.name = name
        self.store = store
        self.said = said
        self.attribution = attribution
        self.privacy = privacy
        self.files = files
        self.delete = delete
        self.reported = reported
        self.metered = Metered()
        self._capturer: Capturer | None = None
        self._stopped = False
        self._taken: dict[str, None] = {}  # names on disc that had their round, oldest first

    def stop(self) -> None:
        """End the capture; what it has written is ingested. May be called in a signal handler."""
        self._stopped = True
        if self._capturer:
            self._capturer.ask()

    def run(
        self,
        interface: str,
        duration: float | None = None,
        *,
        pause: Pause = Capturer.pause,
        clock: Callable[[], float] = time.monotonic,
    ) -> Metered:
        """Meter until `stop`, for `duration` seconds, or until the capturer ends by itself.

        Raises `SourceError` where it does not start, and what `ingest` raises; the capturer has
        ended by then and its files are left.
        """
        started = clock()
        end = float("inf") if duration is None else started + duration
        with Capturer(self.arguments, self.directory) as capturer:
            self._capturer = capturer
            while capturer.running and not self._stopped and (left := end - clock()) > 0:
                pause(capturer, min(POLL, left))
                self._round(self._waiting()[:-1])
            capturer.end()
            self._round(self._waiting())
            self.metered.dropped = dropped(capturer.said())
            self.metered.problem = capturer.problem(interface)
        self.metered.seconds = clock() - started
        return self.metered

    def _waiting(self) -> list[Path]:
        """Files that had no round yet, in the order in which they were written.

        The last write to one is before the next one is begun.
        """
        with os.scandir(self.directory) as entries:
            new = [e for e in entries if e.name.startswith(self.name) and e.name not in self._taken]
            new.sort(key=lambda e: (e.stat().st_mtime_ns, *_by_name(e.name)))
        return [self.directory / e.name for e in new]

    def _round(self, finished: list[Path]) -> None:
        """Ingest files in one call; make room before, and delete after the commit."""
        for path in (empty := [path for path in finished if not path.stat().st_size]):
            self._remove(path)  # a program that ended early
        waiting = self._make_room([path for path in finished if path not in empty])
        if not waiting:
            return
        self._taken.update(dict.fromkeys(path.name for path in waiting))
        done = ingest(map(str, waiting), self.store, self.said, attribution=self.attribution, privacy=self.privacy)  # fmt: skip
        self.metered.add(done)
        if self.delete:
            for source, path in zip(done.sources, waiting, strict=True):
                if source.status != "failed":
                    self._remove(path)
        self.reported(done)

    def _make_room(self, finished: list[Path]) -> list[Path]:
        """What is left to ingest, once there are no more than `files`."""
        excess = len(self._taken) + len(finished) - self.files if self.files else 0
        if excess <= 0:
            return finished
        for name in list(self._taken)[:excess]:
            self._remove(self.directory / name)
            excess -= 1
        for path in finished[:excess]:
            self._remove(path)
        self.metered.missed += excess
        return finished[excess:]

    def _remove(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        self._taken.pop(path.name, None)


def _by_name(name: str) -> tuple[str, int, str]:
    """The order of names that tell a time, and then a number: x.pcap, x.pcap9, x.pcap10."""
    return name.partition(".")[0], len(name), name
