"""The files of one rotation (`tcpdump -C`, `-G`, `dumpcap -b`): a capture that goes on from one to the next."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl

from l7meter.captures import Capture, Sums, first_time, is_capture
from l7meter.errors import SourceError
from l7meter.ingest.capture import COLUMNAR, TSHARK, coded
from l7meter.ingest.coding import Coder
from l7meter.ingest.source import Said
from l7meter.sources import Stream, open_stream

START = 16  # octets that tell what a source is
ENOUGH = 512 << 10  # octets that hold a first packet, however long it is
_DIGITS = re.compile(r"[0-9]+")


def rotations(
    names: Iterable[str], said: Said, known: Callable[[str], object] = lambda _: None
) -> Iterator[list[str]]:
    """The sources, those together that may be of one rotation, in the order of their packets.

    These are captures in one folder whose names differ in digits alone. With keys each is read for
    itself: tshark opens files. Those that are `known` are not opened unless a new one goes on with them.
    """
    groups: dict[tuple[Path, str], list[str]] = {}
    for name in names:
        groups.setdefault((Path(name).parent, _DIGITS.sub("", Path(name).name)), []).append(name)
    for group in groups.values():
        if len(group) == 1 or said.tls_keys or said.engine == TSHARK:
            yield from ([name] for name in group)
            continue
        times = {name: _begins(name) for name in group if not known(name)}
        if not any(times.values()):  # a year of logs: none of them a capture
            yield from ([name] for name in group)
            continue
        times = {name: times.get(name) or _begins(name) for name in group}
        seen = Counter(times.values())  # two that begin together are copies, or two views of it
        alone = [name for name, time in times.items() if time is None or seen[time] > 1]
        together = {name: time for name, time in times.items() if name not in alone and time}
        if together:
            yield sorted(together, key=lambda name: (together[name], _natural(name)))
        yield from ([name] for name in alone)


def _begins(name: str) -> int | None:
    """The time of a capture's first packet, in ns; None for what is none, or says none."""
    start = b""
    try:
        with open_stream(name) as stream:
            for piece in stream:
                start += piece
                if len(start) > ENOUGH or (len(start) > START and not is_capture(start)):
                    break
    except SourceError:
        return None
    return first_time(start[: 2 * ENOUGH]) if is_capture(start) else None


def _natural(name: str) -> list[int]:
    return [int(digits) for digits in _DIGITS.findall(Path(name).name)]


class Rotation:
    """The files of a rotation, read as one capture: iterate for records and the file they are of.

    A record is of the file with its first packet, and its `source_line` counts from there. What
    became of each file stands in `sums` once the iteration is over; connections count for the file
    in which they end, and wire octets for that of their record.
    """

    def __init__(self, names: list[str], said: Said, coder: Coder | None = None) -> None:
        self.streams: dict[int, Stream] = {}  # by place, as far as they were opened
        self.missing: dict[int, str] = {}  # files that cannot be opened any more, and why
        self._coder = coder
        self._hops = said.options.trusted_hops
        files = [self._pieces(place, name) for place, name in enumerate(names)]
        self._capture = Capture(files[0], engine=said.engine or COLUMNAR, following=files[1:])
        self._wire = [0] * len(names)

    @property
    def place(self) -> int:
        """The file that is being read; those before it have been."""
        return max(len(self._capture.files) - 1, 0)

    @property
    def packets(self) -> int:
        """Packets that were read of that file so far."""
        return self._capture.sums.packets - self._capture.files[-1].before.packets

    def problem(self, place: int) -> str | None:
        """Where a file broke, once it is read; None if it did not."""
        broken = (self.streams[place].problem, self._capture.files[place].container.problem)
        return "; ".join(filter(None, broken)) or None

    def __iter__(self) -> Iterator[tuple[int, pl.DataFrame]]:
        for frame in self._capture.frames():
            for place, records in self._by_file(frame):
                yield place, coded(records, self._coder, self._hops)

    def _by_file(self, frame: pl.DataFrame) -> Iterator[tuple[int, pl.DataFrame]]:
        before = np.array([file.before.packets for file in self._capture.files])
        places = np.searchsorted(before, frame["source_line"].to_numpy()) - 1
        of = frame.with_columns(source_line=pl.col("source_line") - pl.Series(before[places]))
        for place in np.unique(places).tolist() or [self.place]:
            records = of.filter(places == place) if len(places) else of
            wire = records.select(pl.col("client_wire_bytes", "server_wire_bytes").sum())
            self._wire[place] += sum(wire.row(0))
            yield place, records

    @property
    def sums(self) -> list[Sums]:
        """What became of each file's packets and octets; final after the iteration.

        A fragment whose rest never came is of the file before the one in which it was given up, if
        that one has fewer packets.
        """
        parts = self._sums()
        for place in range(len(parts) - 1, 0, -1):
            part, earlier = parts[place], parts[place - 1]
            for reason in list(part.skipped):
                excess = min(part.skipped.total() - part.packets, part.skipped[reason])
                if excess > 0:
                    part.skipped[reason] -= excess
                    earlier.skipped[reason] += excess
        return [
            replace(part, carried=part.packets - part.skipped.total(), wire_bytes=wire)
            for part, wire in zip(parts, self._wire, strict=True)
        ]

    def _sums(self) -> list[Sums]:
        marks = [file.before for file in self._capture.files] + [self._capture.sums]
        return [after - before for before, after in pairwise(marks)]

    def _pieces(self, place: int, name: str) -> Iterator[bytes]:
        try:
            stream = open_stream(name)
        except SourceError as error:
            self.missing[place] = str(error)
            return
        self.streams[place] = stream
        with stream:
            yield from stream
