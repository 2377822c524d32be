"""One source read as records, block by block, on all cores, in order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from pathlib import Path

from l7meter.captures import Capture, Keyed, is_capture
from l7meter.errors import SourceError, UsageError
from l7meter.formats import (
    REJECTS,
    Claim,
    Format,
    Options,
    ParquetReader,
    Parsed,
    Segment,
    assemble,
    by_name,
    detect,
    from_log_format,
    from_mapping,
    from_pairs,
    parse,
    shipped,
)
from l7meter.ingest import capture
from l7meter.ingest.coding import Coder, Coding
from l7meter.ingest.known import After
from l7meter.sources import Block, Identifier, Stream, blocks, open_stream
from l7meter.sources.ahead import ahead
from l7meter.sources.identity import HEAD_BYTES
from l7meter.sources.unfolding import is_folded, unfolded

BLOCK = 16 << 20


@dataclass(frozen=True)
class Said:
    """What the operator says of the sources: their format if it shall not be told, and options."""

    format: str | None = None
    log_format: str | None = None
    map: tuple[str, ...] = ()
    options: Options = field(default_factory=Options)
    engine: str | None = None  # that reads captures; None for the columnar one
    tls_keys: Path | None = None  # key log that opens TLS and QUIC in captures

    def formats(self) -> list[Format] | None:
        """The formats to choose from; None for all that are shipped.

        Raises `UsageError` where what was given is no format, or no engine.
        """
        if self.engine not in (None, *capture.ENGINES):
            raise UsageError(f"--engine {self.engine}: there are {', '.join(capture.ENGINES)}")
        if self.tls_keys:
            _check_keys(self.tls_keys)
        if self.format:
            return [capture.CAPTURES.get(self.format) or by_name(self.format)]
        if self.log_format:
            return from_log_format(self.log_format)
        if len(self.map) == 1 and "=" not in self.map[0]:
            return [from_mapping(Path(self.map[0]))]
        return from_pairs(list(self.map)) if self.map else None


def _check_keys(path: Path) -> None:
    try:
        there = path.is_file()
    except OSError as error:
        raise UsageError(
            f"--tls-keys {path}: {error.strerror}; ask its owner, or name another"
        ) from error
    if not there:
        raise UsageError(f"--tls-keys {path}: no such file; name a key log")


class Reading:
    """An open source whose format is known: iterate for its blocks as records and rejects."""

    def __init__(self, stream: Stream, format_: Format, options: Options, first: Iterator[Block]) -> None:  # fmt: skip
        self.stream = stream
        self.identifier = stream.identifier
        self.lines_before = 0  # that were read at another time
        self.format = format_
        self.options = options
        self.coder: Coder | None = None  # codes the text of the records, if there is one
        self.capture: Capture | Keyed | None = None  # where the source is one
        self._blocks = first

    @property
    def problem(self) -> str | None:
        """Where the source broke, once it is read; None if it did not."""
        broken = (self.stream.problem, self.capture.problem if self.capture else None)
        return "; ".join(filter(None, broken)) or None

    def __iter__(self) -> Iterator[Parsed]:
        if self.capture:
            yield from capture.read(self.capture, self.coder, self.options.trusted_hops)
            return
        if isinstance(self.format.reader, ParquetReader):
            yield from self._parquet(self.format.reader)
            return
        pending: deque[Future[Parsed]] = deque()
        context = None
        for block in ahead(self._blocks):
            segments, context = self.format.reader.cut(block, context)
            if block.first_line <= self.lines_before:
                continue  # it was cut for its headers
            for segment in segments:
                coding = self.coder.coding(len(block.data)) if self.coder else None
                pending.append(workers().submit(self._parse, segment, coding))
            while len(pending) >= cores():
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()

    def _parse(self, segment: Segment, coding: Coding | None) -> Parsed:
        if coding is None:
            return parse(self.format, segment, self.options)
        parsed = parse(self.format, segment, self.options, coding.type)
        return parsed._replace(records=coding.code(parsed.records))

    def _parquet(self, reader: ParquetReader) -> Iterator[Parsed]:
        for _ in self._blocks:
            pass  # read for its identity
        for raw in reader.frames(self.stream.name):
            records, unread = assemble(raw, self.format, self.options)
            rejects = unread.with_columns(line=None, line_bytes=None).cast(REJECTS)
            records = self.coder.code(records) if self.coder else records
            yield Parsed(records, rejects, {}, raw.frame.height)


def open_source(
    name: str, said: Said, marks: Collection[int] = (), after: After | None = None
) -> Reading:
    """Open a source and tell its format; of one that has grown, what is new is read: `after` is known.

    Raises `SourceError` where it cannot be read, is empty of lines, or no format claims it.
    """
    formats = said.formats()
    stream = open_stream(name, marks)
    if stream.start.startswith(b"PAR1"):
        return _open_parquet(stream, said, formats)
    start, pieces = started(stream)
    if kind := is_capture(start):
        reading = Reading(stream, capture.CAPTURES[kind], said.options, iter(()))
        reading.capture = capture.opened(ahead(pieces), name, said.engine, said.tls_keys)
        return reading
    if formats and formats[0].family == "capture":
        raise SourceError(f"{name}: not a packet capture")
    rest = None
    cut: Iterator[Block]
    if after:
        rest = _Rest(pieces, after)
        cut = chain(blocks(rest.before(), BLOCK), blocks(rest, BLOCK, after.lines + 1))
    else:
        cut = blocks(unfolded(pieces) if is_folded(start) else pieces, BLOCK)
    first = next(cut, Block(b"", 1))
    format_, made = _told(first, formats)
    if format_ is None:
        raise SourceError(f"{name}: {_unclaimed(first, made, stream.problem)}")
    reading = Reading(stream, format_, said.options, chain([first], cut))
    if rest and after:
        reading.identifier, reading.lines_before = rest.identifier, after.lines
    return reading


class _Rest:
    """What follows the octets of a source that are known; it has an identity of its own."""

    def __init__(self, pieces: Iterable[bytes], after: After) -> None:
        self.identifier = Identifier(seed=after.content_id)
        self._pieces = iter(pieces)
        self._octets = after.octets
        self._left = b""

    def before(self) -> Iterator[bytes]:
        """The known octets; they come first."""
        passed = 0
        while passed < self._octets and (piece := next(self._pieces, None)) is not None:
            passed += len(piece)
            over = max(passed - self._octets, 0)
            self._left = piece[len(piece) - over :]
            yield piece[: len(piece) - over]

    def __iter__(self) -> Iterator[bytes]:
        for piece in chain([self._left] if self._left else [], self._pieces):
            self.identifier.update(piece)
            yield piece


def started(pieces: Iterable[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """The first octets, enough for the identity of the head, and all pieces."""
    rest = iter(pieces)
    held: list[bytes] = []
    while sum(map(len, held)) < HEAD_BYTES and (piece := next(rest, None)) is not None:
        held.append(piece)
    return b"".join(held)[:HEAD_BYTES], chain(held, rest)


def _told(first: Block, formats: list[Format] | None) -> tuple[Format | None, list[Claim]]:
    format_, made = detect(first, formats)
    if format_ is None and formats and len({each.name for each in formats}) == 1:
        format_ = made[0].format if made and made[0].records else formats[0]  # as was said
    return format_, made


def _unclaimed(first: Block, made: list[Claim], problem: str | None) -> str:
    if problem and not first.data:
        return problem
    if not first.data.strip():
        return "the source is empty"
    nearest = f"the nearest is {made[0].format.name}, " if made and made[0].records else ""
    return f"no format claims it: {nearest}try 'l7meter check', --format or --log-format"


def _open_parquet(stream: Stream, said: Said, formats: list[Format] | None) -> Reading:
    for format_ in formats or shipped().values():
        if isinstance(format_.reader, ParquetReader) and format_.reader.claims(stream.name):
            return Reading(stream, format_, said.options, (Block(b"", 1) for _ in stream))
    raise SourceError(
        f"{stream.name}: a Parquet file whose columns are of no format l7meter knows; "
        "'l7meter formats' lists them"
    )


def cores() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def workers() -> Executor:
    """The threads that parse, conclude and write."""
    return ThreadPoolExecutor(cores(), thread_name_prefix="l7meter")
