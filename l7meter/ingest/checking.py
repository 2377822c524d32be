"""What a source is: the format that claims it, why, and the first lines that fail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from l7meter.captures import Capture, Sums, is_capture
from l7meter.captures.containers import Container
from l7meter.errors import SourceError
from l7meter.formats import Claim, Format, claims, detect, parse
from l7meter.ingest.capture import CAPTURES
from l7meter.ingest.source import BLOCK, Said, started
from l7meter.sources import Block, Stream, blocks, open_stream
from l7meter.sources.unfolding import is_folded, unfolded

FAILING = 5
PART = 64 << 20  # octets of a capture that are looked at


@dataclass
class Captured:
    """What was found of a capture: where its octets went, its link types, its records by kind."""

    sums: Sums
    links: list[int]  # https://www.tcpdump.org/linktypes.html
    kinds: dict[str, int]
    whole: bool  # False: only the first 64 MiB were read


@dataclass
class Checked:
    """What was found of a source: its compression, its format, what every format makes of it."""

    name: str
    compression: str
    format: Format | None
    problem: str | None
    claims: list[Claim] = field(default_factory=list)
    folded: bool = False  # JSON, but not one object a line
    lines: int = 0
    records: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    rejects: pl.DataFrame = field(default_factory=pl.DataFrame)
    nearest: list[str | None] = field(default_factory=list)
    captured: Captured | None = None


def check(name: str, said: Said) -> Checked:
    """Read the first blocks of a source with every format, or the first 64 MiB of a capture.

    Raises `SourceError` where it cannot be read at all.
    """
    with open_stream(name) as stream:
        start, pieces = started(stream)
        if kind := is_capture(start):
            return _capture(stream, CAPTURES[kind], pieces)
        folded = is_folded(start)
        cut = blocks(unfolded(pieces) if folded else pieces, BLOCK)
        first = next(cut, Block(b"", 1))
        if not first.data.strip():
            raise SourceError(f"{name}: {stream.problem or 'the source is empty'}")
        given = said.formats()
        format_, made = detect(first, given)
        made = [claim for claim in made if claim.records]
        if given and made:
            format_ = made[0].format
        checked = Checked(name, stream.compression, format_, None, made, folded)
        if format_:
            _read(checked, format_, first, said)
        checked.problem = stream.problem
    return checked


def _capture(stream: Stream, format_: Format, pieces: Iterator[bytes]) -> Checked:
    held: list[bytes] = []
    while sum(map(len, held)) < PART and (piece := next(pieces, None)) is not None:
        held.append(piece)
    whole = next(pieces, None) is None
    capture = Capture(held)
    kinds = Counter[str]()
    for frame in capture.frames():
        kinds.update(dict(frame["exchange_kind"].cast(pl.String).value_counts().iter_rows()))
    broken = (stream.problem, capture.problem if whole else None)
    checked = Checked(
        stream.name, stream.compression, format_, "; ".join(filter(None, broken)) or None
    )
    checked.lines, checked.records = capture.sums.packets, kinds.total()
    checked.skipped = dict(capture.sums.skipped.most_common())
    links = {int(each) for window in Container(held).windows() for each in np.unique(window.link)}
    checked.captured = Captured(capture.sums, sorted(links), dict(kinds.most_common()), whole)
    return checked


def _read(checked: Checked, format_: Format, block: Block, said: Said) -> None:
    segments, _ = format_.reader.cut(block, None)
    parts = [parse(format_, segment, said.options) for segment in segments]
    checked.lines = sum(part.lines for part in parts)
    checked.records = sum(part.records.height for part in parts)
    for part in parts:
        for reason, count in part.skipped.items():
            if count:
                checked.skipped[reason] = checked.skipped.get(reason, 0) + count
    checked.rejects = pl.concat(part.rejects for part in parts)
    checked.nearest = [_nearest(line) for line in checked.rejects["line"].head(FAILING)]


def _nearest(line: str | None) -> str | None:
    """The format that reads this line, if any does."""
    made = claims(Block((line or "").encode(), 1))
    return made[0].format.name if made and made[0].records else None
