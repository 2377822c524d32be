"""Sources into the store: each once, whole or not at all, several to a commit."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import replace
from threading import Thread
from typing import Any

import polars as pl

from l7meter import __version__
from l7meter.attribution import Attribution
from l7meter.errors import SourceError
from l7meter.formats import REJECTS
from l7meter.ingest.batch import Batch, Written
from l7meter.ingest.capture import CAPTURES, accounted
from l7meter.ingest.coding import Coder
from l7meter.ingest.known import Known
from l7meter.ingest.outcome import Ingested, Source
from l7meter.ingest.rotation import Rotation, rotations
from l7meter.ingest.source import BLOCK, Said, open_source, workers
from l7meter.sources import Identifier, Identity, Stream
from l7meter.store import SourceRow, Store
from l7meter.store.ledger import BASES

LINE = 256  # octets that stand for a record of a capture
BATCH = 80 << 20  # octets of content to a data file: some 300,000 lines
Progress = Callable[[Source], None]


def ingest(
    names: Iterable[str],
    store: Store,
    said: Said | None = None,
    *,
    attribution: Attribution | None = None,
    progress: Progress | None = None,
) -> Ingested:
    """Read sources into a store; `attribution` concludes what is said.

    A source that the store knows is left alone; one that cannot be read is reported and the others
    go on. Raises `UsageError` for a format that is none and `StoreError` where the store refuses.
    """
    started = time.monotonic()
    run = _Run(store, said or Said(), attribution or Attribution(), progress or (lambda _: None))
    given = list(names)
    run.done.sources += map(_named, given)
    place = {name: ordinal for ordinal, name in enumerate(given)}
    for together in rotations(given, run.said):
        run.take({place[name]: name for name in together})
    run.commit()
    run.done.seconds = time.monotonic() - started
    return run.done


class _Run:
    def __init__(
        self, store: Store, said: Said, attribution: Attribution, progress: Progress
    ) -> None:
        self.store = store
        self.said = said
        self.attribution = attribution
        Thread(target=attribution.prepare, daemon=True).start()  # while the first blocks are read
        self.progress = progress
        self.known = Known(store)
        self.done = Ingested()
        self._batch = Batch()
        self._coder = Coder()
        self._content = 0  # octets of content in the batch
        self._written: list[Future[Written]] = []
        self._pending: list[tuple[Source, SourceRow]] = []
        self._ids: dict[int, str] = {}

    def take(self, names: dict[int, str]) -> None:
        """Read one source, or those of a rotation, by ordinal; commit when enough came together."""
        rotation: dict[int, str] = {}
        for ordinal, name in names.items():
            source = self.done.sources[ordinal]
            self.progress(source)
            try:
                if len(names) == 1:
                    self._read(ordinal, name)
                elif self._opened(source, name):
                    rotation[ordinal] = name
                    continue
            except SourceError as error:
                self._fail(ordinal, str(error).removeprefix(f"{name}: "))
            self._rotation(rotation)  # ends where a file is left out
            rotation = {}
            self.progress(source)
        self._rotation(rotation)
        if self._content >= BATCH or self._written:
            self.commit()

    def _read(self, ordinal: int, name: str) -> None:
        source = self.done.sources[ordinal]
        reading = open_source(name, self.said)
        with reading.stream as stream:
            if self._known(source, name, stream, reading.format.name):
                return
            reading.coder = self._coder
            for parsed in reading:
                octets = parsed.records.height * LINE if reading.capture else BLOCK
                self._batch.add(ordinal, parsed.records, parsed.rejects, octets)
                source.lines += parsed.lines
                source.records += parsed.records.height
                source.rejects += parsed.rejects.height
                source.skipped_by_reason.update(parsed.skipped)
                source.rejects_by_reason.update(_reasons(parsed.rejects))
                source.bytes_read = stream.bytes_read
                self.progress(source)
                self._overflow(ordinal, stream.identifier)
            source.problem = reading.problem
            source.capture = reading.capture.sums if reading.capture else None
            self._finish(ordinal, stream, reading.format.size)

    def _opened(self, source: Source, name: str) -> bool:
        """Whether a file of a rotation is to be read: it can be, and is new."""
        reading = open_source(name, self.said)
        with reading.stream as stream:
            return not self._known(source, name, stream, reading.format.name)

    def _rotation(self, names: dict[int, str]) -> None:
        if not names:
            return
        ordinals = list(names)
        rotation = Rotation(list(names.values()), self.said, self._coder)
        nothing, ended = pl.DataFrame(schema=REJECTS), 0
        for place, records in rotation:
            self._batch.add(ordinals[place], records, nothing, records.height * LINE)
            self.done.sources[ordinals[place]].records += records.height
            while ended < rotation.place:
                self._identify(ordinals[ended], rotation.streams.get(ended))
                ended += 1
            current = ordinals[rotation.place]
            self.done.sources[current].lines = rotation.packets
            if stream := rotation.streams.get(rotation.place):
                self.done.sources[current].bytes_read = stream.bytes_read
                self._overflow(current, stream.identifier)
            self.progress(self.done.sources[current])
        for place, sums in enumerate(rotation.sums):
            if place in rotation.missing:
                self._fail(ordinals[place], rotation.missing[place])
                continue
            source = self.done.sources[ordinals[place]]
            source.lines, source.capture = sums.packets, sums
            source.skipped_by_reason.update(sums.skipped)
            source.problem = rotation.problem(place)
            self._finish(
                ordinals[place], rotation.streams[place], CAPTURES[source.format or ""].size
            )
            self.progress(source)

    def _known(self, source: Source, name: str, stream: Stream, format_: str) -> bool:
        """Note what a source is; whether the store has it, so that it is left alone."""
        source.format, source.size = format_, stream.size
        if same := self.known.verdict(name, stream.identifier.identity):
            source.status, source.problem, source.bytes_read = same.status, same.problem, 0
            source.source_id = same.source_id
        return same is not None

    def _finish(self, ordinal: int, stream: Stream, size: str) -> None:
        """Note a source that was read to its end."""
        source = self.done.sources[ordinal]
        source.skipped = source.skipped_by_reason.total()
        source.skipped_by_reason += Counter()  # drops zeros
        source.bytes_read = stream.bytes_read
        identity = stream.identifier.identity
        self._ids[ordinal] = source.source_id = identity.source_id
        self._content += identity.content_bytes
        self.known.add(source.name, identity)
        self._pending.append((source, _row(source, size, identity)))

    def _identify(self, ordinal: int, stream: Stream | None) -> None:
        if stream:
            self._ids[ordinal] = stream.identifier.identity.source_id

    def _fail(self, ordinal: int, problem: str) -> None:
        source = self.done.sources[ordinal]
        source.status, source.problem = "failed", problem
        self._batch.drop(ordinal)

    def _overflow(self, ordinal: int, identifier: Identifier) -> None:
        """Close the batch inside a long source, once its identity is known."""
        if identifier.prefix_known and self._batch.octets >= BATCH:
            self._ids[ordinal] = identifier.identity.source_id
            self._close()

    def _close(self) -> None:
        batch, self._batch, self._content = self._batch, Batch(), 0
        if len(self._written) > 1:  # one is written, one waits: more would need more memory
            self._written[-2].result()
        ids = dict(self._ids)
        self._written.append(
            workers().submit(batch.write, self.store, self.attribution, self._coder, ids)
        )

    def commit(self) -> None:
        """Make what was read count: files first, then one transaction."""
        if not self._pending:
            return
        self._close()
        written = [future.result() for future in self._written]
        sums = pl.concat(part.sums for part in written)
        rows = [_summed(row, sums, self.attribution) for _, row in self._pending]
        files = [file for part in written for file in part.files]
        appended = self.store.append(rows, files, self.attribution.manifests())
        self.done.snapshot = appended.snapshot or self.done.snapshot
        for (source, _), row in zip(self._pending, rows, strict=True):
            if row.source_id in appended.dropped:
                source.status = "known"
                continue
            self.done.unmeasured_records += row.unmeasured_records
            moments = filter(None, (self.done.last_ts, row.last_ts))
            self.done.last_ts = max(moments, default=None)
            for basis in BASES:
                if (octets := getattr(row, f"server_bytes_{basis}")) is not None:
                    self.done.server_bytes_by_basis[basis] += octets
        self._pending, self._written, self._ids = [], [], {}


def _named(name: str) -> Source:
    return Source(os.fsencode(name).decode("utf-8", "backslashreplace"))


def _row(source: Source, size: str, identity: Identity) -> SourceRow:
    return SourceRow(
        name=source.name,
        format=source.format or "",
        size_meaning=size,
        bytes_read=source.bytes_read,
        lines=source.lines,
        records=source.records,
        rejects=source.rejects,
        skipped=source.skipped,
        skipped_by_reason=dict(source.skipped_by_reason),
        rejects_by_reason=dict(source.rejects_by_reason),
        problem=source.problem,
        l7meter_version=__version__,
        **(accounted(source.capture) if source.capture else {}),
        **identity._asdict(),
    )


def _summed(row: SourceRow, sums: pl.DataFrame, attribution: Attribution) -> SourceRow:
    """The ledger row with the sums of its records."""
    mine = sums.filter(pl.col("source_id") == row.source_id)
    octets: dict[str, Any] = {}
    unmeasured = 0
    for _, basis, records, total, _, _ in mine.iter_rows():
        if basis is None:
            unmeasured += records
        else:
            octets[basis] = octets.get(basis, 0) + total
    moments = mine["first_ts"].to_list() + mine["last_ts"].to_list()
    last = max(moments, default=None)
    return replace(
        row,
        first_ts=min(moments, default=None),
        last_ts=last,
        unmeasured_records=unmeasured,
        attribution_id=attribution.id(last.date() if last else None),
        **{f"server_bytes_{basis}": total for basis, total in octets.items()},
    )


def _reasons(rejects: pl.DataFrame) -> dict[str, int]:
    return dict(rejects["reason"].value_counts().iter_rows())
