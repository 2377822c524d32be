"""A capture as records: the columnar path where it can, the exact path for the rest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, NamedTuple

import polars as pl

from l7meter.captures.base import Moment
from l7meter.captures.columnar import Columnar
from l7meter.captures.containers import Container, begins
from l7meter.captures.exact import Exact
from l7meter.captures.lane import Lane
from l7meter.captures.records import NOTHING, Rows
from l7meter.captures.sums import Sums
from l7meter.captures.untimed import UNTIMED, timed
from l7meter.captures.window import NO_TIME, Window
from l7meter.sources.ahead import ahead

ENOUGH = 1 << 14  # rows of a frame: what is done to each takes calls, whether it has many or few
BACK = 10**9  # ns by which packets of one capture may be out of order


class File(NamedTuple):
    """One file of a capture: how it was read, and the sums of the files before it."""

    container: Container
    before: Sums


class _Part(NamedTuple):
    """A window of a file, and what the columns make of it; of a file that has none, none."""

    container: Container
    packets: int = 0  # read, with those that have no time
    anew: bool = False  # it is of another capture than the file before
    window: Window | None = None
    lane: Lane | None = None


class Capture:
    """One capture: iterate `frames` for its records; then `sums` and `problem` are final.

    `pieces` are its decompressed octets in order; `engine` is `columnar` (with the exact path for
    what does not fit) or `exact`; both give the same records.
    A packet without a time takes that of the packet before it; ahead of the first it is skipped.

    `following` are the files in which the capture goes on: packets are numbered on, and connections
    cross. A file that begins before the one ahead of it has ended is a capture of its own.
    """

    def __init__(
        self,
        pieces: Iterable[bytes],
        *,
        engine: str = "columnar",
        following: Iterable[Iterable[bytes]] = (),
    ) -> None:
        self.engine = engine
        self.sums = Sums()
        self.files: list[File] = []  # as far as they are read
        self._files = chain([pieces], following)

    @property
    def problem(self) -> str | None:
        """How the capture was cut short or is broken; None while all is well."""
        return "; ".join(filter(None, (file.container.problem for file in self.files))) or None

    def frames(self) -> Iterator[pl.DataFrame]:
        """Frames of the said columns that captures fill (`records.SCHEMA`), as exchanges end."""
        rows = Rows()
        exact = Exact(self.sums)
        columnar = Columnar(exact)
        for part in ahead(self._parts(columnar if self.engine == "columnar" else None)):
            if not self.files or self.files[-1].container is not part.container:
                if part.anew:
                    for row in columnar.end():
                        rows.add(row)
                self.files.append(File(part.container, self.sums + Sums()))
            self.sums.packets += part.packets
            if part.window is None:
                continue
            if left_out := part.packets - len(part.window.start):
                self.sums.skipped[UNTIMED] += left_out
            if not len(part.window.start):
                continue
            made = columnar.take(part.lane) if part.lane else _exactly(part.window, exact)
            for row in made:
                rows.add(row)
            for frame in columnar.frames:
                rows.extend(frame)
            columnar.frames.clear()
            # empty as well: it says that the reading goes on
            yield rows.take() if len(rows) >= ENOUGH else NOTHING
        for row in columnar.end():
            rows.add(row)
        for frame in columnar.frames:
            rows.extend(frame)
        if len(rows):
            yield rows.take()

    def _parts(self, columnar: Columnar | None) -> Iterator[_Part]:
        """The windows of all files, as far as they can be read without what came before."""
        packets, last, of = 0, NO_TIME, None
        for container, window in ahead(self._windows()):
            if window is None:
                yield _Part(container)
                continue
            if container is not of:
                of, before, anew = container, packets, _anew(window, last)
            packets += len(window.start)
            ready = timed(window._replace(number=before + window.number), last)
            lane = None
            if len(ready.start):
                last = int(ready.time[-1])
                lane = columnar.lane(ready) if columnar else None
            yield _Part(container, len(window.start), anew, ready, lane)

    def _windows(self) -> Iterator[tuple[Container, Window | None]]:
        """The windows of all files, each with its own; None for a file that has none."""
        for pieces in self._files:
            container = Container(pieces)
            windows = container.windows()
            yield container, next(windows, None)
            for window in windows:
                yield container, window


def _anew(window: Window, last: int) -> bool:
    """Whether a file begins before the one ahead of it has ended: they are not of one capture."""
    first = begins(window)
    return last != NO_TIME and first is not None and first < last - BACK


def _exactly(window: Window, exact: Exact) -> Iterator[dict[str, Any]]:
    columns = (window.link, window.start, window.captured, window.length, window.time)
    at = Moment(0, 0)
    for number, (link, start, captured, length, time) in enumerate(
        zip(*(column.tolist() for column in columns), strict=True), window.number
    ):
        at = Moment(time, number)
        yield from exact.packet(link, window.octets(start, captured), length, at)
    yield from exact.sweep(at)
