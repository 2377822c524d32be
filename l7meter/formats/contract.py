"""What a format is: the narrow contract between lines and records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import polars as pl

from l7meter.formats.lines import Lines
from l7meter.sources import Block

REJECTS = pl.Schema({"source_line": pl.Int64, "reason": pl.String, "line": pl.String, "line_bytes": pl.Int64})  # fmt: skip


@dataclass(frozen=True)
class Options:
    """What the operator states of a source that the source does not say.

    `trusted_hops` counts the proxies of our own in front of the logging server: so many entries of
    the forwarded-for list, from its end, are theirs. `timezone` is the zone of times logged without
    one.
    """

    trusted_hops: int = 0
    timezone: str = "UTC"


class Segment(NamedTuple):
    """Whole lines that are read alike, and what the format has to remember for them."""

    block: Block
    context: Any = None


class Raw(NamedTuple):
    """What a format took from a segment, still as text.

    `frame` has `source_line` and String columns named `READING<tab>ANYTHING` (see `readings`; of two
    columns for one reading the first that has a value counts); `unread` has
    `source_line` and `reason` of lines that are no records; `skipped` counts by reason the lines
    that are no requests by the format's own definition.
    """

    frame: pl.DataFrame
    unread: pl.DataFrame
    skipped: dict[str, int]


class Parsed(NamedTuple):
    """Records (the said columns the format knows), rejects, and counts: nothing else is in a block.

    `lines == records.height + rejects.height + sum(skipped.values())`; of a capture, lines are packets.
    """

    records: pl.DataFrame
    rejects: pl.DataFrame
    skipped: dict[str, int]
    lines: int


class Reader(Protocol):
    """A format's own part: how lines become readings."""

    def cut(self, block: Block, context: Any) -> tuple[list[Segment], Any]:
        """Cut a block where the format changes, in order, with what was remembered so far."""
        ...

    def might(self, line: str) -> bool:
        """Whether this could be a line of the format; cheap, and false only where it is none."""
        ...

    def read(self, segment: Segment, lines: Lines) -> Raw:
        """Take the readings of a segment's lines; pure, and called from several threads."""
        ...


@dataclass(frozen=True)
class Format:
    """A format of access logs: its name, its words, and its reader."""

    name: str
    title: str
    specification: str
    size: str  # what its size means, in a sentence
    moment: str  # which moment it logs: "start", "end" or a sentence
    reader: Reader
    family: str
    escapes: str = "none"  # how text is escaped: "none", "clf", "percent", "hash"
    rank: int = 0  # of two formats that read the same lines, the higher is more particular
    detect: bool = True  # False where its lines look like another format's
    lenient: bool = False  # reads over what it does not know: only where no other format reads more
    note: str = ""  # what its user should know, in a sentence or two
    samples: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
