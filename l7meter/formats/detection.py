"""Which format a source is of: told by reading a sample with every format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from typing import NamedTuple

import polars as pl

from l7meter.formats.assembly import parse
from l7meter.formats.catalog import shipped
from l7meter.formats.contract import Format, Options, Parsed
from l7meter.formats.envelopes import ENVELOPES, Envelope, around
from l7meter.sources import Block

SAMPLE = 64 << 10  # octets
LINES = 200
FEW = 24  # lines of a sample by which formats are left out early
ENOUGH = 0.5  # share of a sample's lines that must be records


class Claim(NamedTuple):
    """What a format makes of a sample: lines that are records, rejects and skips.

    `addressed` are records whose client is an IP address.
    """

    format: Format
    records: int
    rejects: int
    skipped: int
    addressed: int = 0

    @property
    def share(self) -> float:
        """Records among the lines that are records or rejects."""
        return self.records / max(self.records + self.rejects, 1)


def sample(block: Block) -> Block:
    """The first lines of a block."""
    head = block.data[:SAMPLE]
    if len(head) < len(block.data):
        head = head[: head.rfind(b"\n") + 1] or block.data
    return Block(b"".join(head.splitlines(keepends=True)[:LINES]), block.first_line)


def claims(block: Block, formats: Iterable[Format] | None = None) -> list[Claim]:
    """What each format makes of a sample, the best first.

    Of formats that read equally many lines the one stands first whose clients are addresses more
    often, then the one that reads more of each.
    """
    if formats is None:
        formats = [format_ for format_ in shipped().values() if format_.detect]
    few = _spread(block)
    likely = [format_ for format_ in formats if any(map(format_.reader.might, few))]
    made = _best_first(_claim(format_, block) for format_ in likely if not format_.lenient)
    if _holds(made):
        return made
    lenient = [_claim(format_, block) for format_ in likely if format_.lenient]
    # what stands first must be a client, at least
    return _best_first(
        [*made, *(claim for claim in lenient if claim.addressed > claim.records / 2)]
    )


def _best_first(made: Iterable[Claim]) -> list[Claim]:
    return sorted(
        made,
        key=lambda claim: (claim.share, claim.records, claim.addressed, claim.format.rank),
        reverse=True,
    )


def detect(
    block: Block, formats: Iterable[Format] | None = None
) -> tuple[Format | None, list[Claim]]:
    """The format of a sample, None where none reads half of its lines, and all claims.

    An envelope of a logging system is taken off where clients are addresses only then: else a
    lenient format would take what is in front for the client.
    """
    lines = sample(block)
    made = claims(lines, formats)
    addressed = made[0].addressed if _holds(made) else -1
    for envelopes, inside in _opened(lines):
        if made and addressed == made[0].records:
            break
        found = claims(inside, formats)
        if _holds(found) and found[0].addressed > addressed:
            for envelope in reversed(envelopes):
                found = [claim._replace(format=around(claim.format, envelope)) for claim in found]
            made, addressed = found, found[0].addressed
    return (made[0].format if _holds(made) else None), made


def _opened(lines: Block) -> Iterator[tuple[list[Envelope], Block]]:
    """The lines out of each envelope they may be in, then out of two."""
    once = [
        ([envelope], lines._replace(data=data))
        for envelope in ENVELOPES
        if (data := envelope.opened(lines.data)) != lines.data
    ]
    yield from once
    for (outer,), inside in once:
        for inner in ENVELOPES:
            if (data := inner.opened(inside.data)) != inside.data:
                yield [outer, inner], inside._replace(data=data)


def _holds(made: list[Claim]) -> bool:
    return bool(made) and made[0].records > 0 and made[0].share >= ENOUGH


def _spread(block: Block) -> list[str]:
    """A few lines of a sample, the first among them, the others at even distances."""
    lines = [line for line in block.data.decode("utf-8", "replace").split("\n") if line.strip()]
    step = max(len(lines) // FEW, 1)
    return [line.rstrip("\r") for line in lines[::step]]


def _claim(format_: Format, block: Block) -> Claim:
    context = None
    parts: list[Parsed] = []
    segments, context = format_.reader.cut(block, context)
    parts = [parse(format_, segment, Options()) for segment in segments]
    return Claim(
        format_,
        sum(part.records.height for part in parts),
        sum(part.rejects.height for part in parts),
        sum(sum(part.skipped.values()) for part in parts),
        sum(_addressed(part.records) for part in parts),
    )


def _addressed(records: pl.DataFrame) -> int:
    if "client_address" not in records.columns:
        return 0
    clients = records["client_address"].cast(pl.String).drop_nulls()
    return sum(map(_is_address, clients.to_list()))


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
