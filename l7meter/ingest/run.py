"""Sources into the store: each once, whole or not at all, several to a commit."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import Future
from dataclasses import replace
from threading import Thread

import polars as pl

from l7meter.attribution import Attribution
from l7meter.errors import SourceError
from l7meter.formats import REJECTS
from l7meter.ingest.batch import Batch, Written
from l7meter.ingest.capture import CAPTURES
from l7meter.ingest.coding import Coder
from l7meter.ingest.entry import committed, ledger_row, named, reasons, summed
from l7meter.ingest.known import After, Known, Verdict
from l7meter.ingest.outcome import Ingested, Source
from l7meter.ingest.rotation import Rotation, rotations
from l7meter.ingest.seen import Seen
from l7meter.ingest.source import BLOCK, Reading, Said, open_source, workers
from l7meter.privacy import Privacy
from l7meter.sources import Identifier, Identity, Stream
from l7meter.store import SourceRow, Store
from l7meter.store.entries import together
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
    privacy: Privacy | None = None,
    anew: Collection[str] = (),
    reread: bool = False,
    progress: Progress | None = None,
) -> Ingested:
    """Read sources into a store; `attribution` concludes what is said, `privacy` says what is kept.

    A source that the store knows is left alone; of a log that has grown, what is new is read; one that
    cannot be read is reported. Those of the sources `anew` (their ids) that come
    are read again, and take the place of what was read before. A file that has the size and the time of
    modification it had when it was read is not opened, but with `reread`. Raises `UsageError` for a format that is none and `StoreError` where the store refuses.
    """
    started = time.monotonic()
    run = _Run(store, said or Said(), attribution or Attribution(), privacy, progress or (lambda _: None), anew)  # fmt: skip
    run.seen = Seen(store, anew, reread)
    given = list(names)
    run.done.sources += map(named, given)
    place = {name: ordinal for ordinal, name in enumerate(given)}
    for rotation in rotations(given, run.said, run.seen.before):
        run.take({place[name]: name for name in rotation})
    run.commit()
    run.seen.keep()
    run.done.seconds = time.monotonic() - started
    return run.done


class _Run:
    seen: Seen

    def __init__(
        self,
        store: Store,
        said: Said,
        attribution: Attribution,
        privacy: Privacy | None,
        progress: Progress,
        anew: Collection[str],
    ) -> None:
        self.store = store
        self.privacy = privacy
        self.said = said
        self.attribution = attribution
        Thread(target=attribution.prepare, daemon=True).start()  # while the first blocks are read
        self.progress = progress
        self.known = Known(store, anew)
        self.done = Ingested()
        self._batch = Batch()
        self._coder = Coder()
        self._content = 0  # octets of content in the batch
        self._written: list[Future[Written]] = []
        self._pending: list[tuple[Source, SourceRow]] = []
        self._ids: dict[int, str] = {}
        self._instead: tuple[str, ...] = ()  # sources whose place the next commit takes

    def take(self, names: dict[int, str]) -> None:
        """Read one source, or those of a rotation, by ordinal; commit when enough came together."""
        rotation: dict[int, str] = {}
        for ordinal, name in names.items():
            source = self.done.sources[ordinal]
            self.progress(source)
            try:
                if source_id := self.seen.before(name):
                    source.status, source.source_id = "known", source_id
                elif len(names) == 1:
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
            verdict = self._known(source, name, stream, reading.format.name)
            if verdict is None:
                self._take_all(ordinal, reading)
        if verdict is None or verdict.known:
            return
        if verdict.instead and together(self.store, verdict.row) > 1:
            raise SourceError("has grown since it was ingested with other files of its rotation; 'l7meter source forget' takes them out, to be read together")  # fmt: skip
        self.commit()  # what takes the place of something is a commit of its own
        source.instead, self._instead = list(verdict.instead), verdict.instead
        with (reading := open_source(name, self.said, after=verdict.after)).stream:
            self._take_all(ordinal, reading, verdict.after)
        self.commit()

    def _take_all(self, ordinal: int, reading: Reading, after: After | None = None) -> None:
        """Read an open source to its end."""
        source = self.done.sources[ordinal]
        stream, reading.coder = reading.stream, self._coder
        for parsed in reading:
            octets = parsed.records.height * LINE if reading.capture else BLOCK
            self._batch.add(ordinal, parsed.records, parsed.rejects, octets)
            source.lines += parsed.lines
            source.records += parsed.records.height
            source.rejects += parsed.rejects.height
            source.skipped_by_reason.update(parsed.skipped)
            source.rejects_by_reason.update(reasons(parsed.rejects))
            source.bytes_read = stream.bytes_read
            self.progress(source)
            self._overflow(ordinal, reading.identifier)
        source.problem = reading.problem
        source.capture = reading.capture.sums if reading.capture else None
        identity = stream.identifier.identity
        if after:
            identity = identity._replace(source_id=reading.identifier.identity.source_id)
        self._finish(ordinal, stream, identity, reading.format.size, after)

    def _opened(self, source: Source, name: str) -> bool:
        """Whether a file of a rotation is to be read: it can be, and is new."""
        reading = open_source(name, self.said)
        with reading.stream as stream:
            verdict = self._known(source, name, stream, reading.format.name)
            if verdict and not verdict.known:
                before = f"{verdict.row.name} ({verdict.row.content_bytes or 0:,} bytes then)"
                raise SourceError(
                    f"has grown since it was ingested as {before}; ingest it by itself"
                )
            return verdict is None

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
            stream = rotation.streams[place]
            size = CAPTURES[source.format or ""].size
            self._finish(ordinals[place], stream, stream.identifier.identity, size)
            self.progress(source)

    def _known(self, source: Source, name: str, stream: Stream, format_: str) -> Verdict | None:
        """Note what a source is; a verdict where the store has it, or what it was before it grew."""
        source.format, source.size = format_, stream.size
        verdict = self.known.verdict(name, stream)
        if verdict and verdict.known:
            source.status, source.bytes_read = "known", 0
            source.source_id = verdict.row.source_id
            self.seen.after(name, verdict.row.source_id)
        return verdict

    def _finish(
        self,
        ordinal: int,
        stream: Stream,
        identity: Identity,
        size: str,
        after: After | None = None,
    ) -> None:
        """Note a source that was read to its end."""
        source = self.done.sources[ordinal]
        source.skipped = source.skipped_by_reason.total()
        source.skipped_by_reason += Counter()  # drops zeros
        source.bytes_read = stream.bytes_read
        self._ids[ordinal] = source.source_id = identity.source_id
        self._content += identity.content_bytes
        row = ledger_row(source, size, identity)
        if after:
            source.continues = after.source_id
            row = replace(row, continues=after.source_id, begins_at=after.octets, lines_before=after.lines)  # fmt: skip
        if self.privacy and not self.privacy.policy.keeps_rejected_text:
            row = replace(row, privacy=json.dumps(self.privacy.manifest(), sort_keys=True))
        self.known.add(row)
        self._pending.append((source, row))

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
            workers().submit(
                batch.write, self.store, self.attribution, self._coder, ids, self.privacy
            )
        )

    def commit(self) -> None:
        """Make what was read count: files first, then one transaction."""
        if not self._pending:
            return
        self._close()
        written = [future.result() for future in self._written]
        sums = pl.concat(part.sums for part in written)
        rows = [summed(row, sums, self.attribution) for _, row in self._pending]
        files = [file for part in written for file in part.files]
        appended = committed(self.store, rows, files, self.attribution.manifests(), self._instead)
        self.done.snapshot = appended.snapshot or self.done.snapshot
        for (source, _), row in zip(self._pending, rows, strict=True):
            self.seen.after(row.name, row.source_id)
            if row.source_id in appended.dropped:
                source.status = "known"
                continue
            self.done.unmeasured_records += row.unmeasured_records
            moments = filter(None, (self.done.last_ts, row.last_ts))
            self.done.last_ts = max(moments, default=None)
            for basis in BASES:
                if (octets := getattr(row, f"server_bytes_{basis}")) is not None:
                    self.done.server_bytes_by_basis[basis] += octets
        self._pending, self._written, self._ids, self._instead = [], [], {}, ()
