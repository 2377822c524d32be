"""Whether a source is in the store already, or is a grown form of one that is."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from l7meter.sources import Identifier, Stream, open_stream
from l7meter.sources.discover import STDIN
from l7meter.sources.unfolding import is_folded
from l7meter.store import SourceRow, Store
from l7meter.store.entries import small_heads


class After(NamedTuple):
    """Where what is new of a source begins: octets and lines before it, and the identity of those."""

    octets: int
    lines: int
    content_id: str
    source_id: str


@dataclass(frozen=True)
class Verdict:
    """What a source is to the store.

    `known`: it is there already, as `row`. Else it has grown since it was `row`: the rest is to be read, from
    `after` on, or all of it where that is None, in the place of the sources `instead`.
    """

    row: SourceRow
    known: bool
    after: After | None = None
    instead: tuple[str, ...] = ()


class Known:
    """The heads of the sources in the ledger and of those read in this run.

    `anew` are sources that are to be read again, and then take the place of what was read before.
    """

    def __init__(self, store: Store, anew: Collection[str] = ()) -> None:
        self._store = store
        self._anew = set(anew)
        self._fresh: dict[str, list[SourceRow]] = {}
        self._small = small_heads(store)

    def add(self, row: SourceRow) -> None:
        """Remember a source that this run has read."""
        self._fresh.setdefault(row.head_id or "", []).append(row)
        self._small.append((row.head_bytes or 0, row.head_id or ""))

    def verdict(self, name: str, stream: Stream) -> Verdict | None:
        """None for a new source; `stream` has given its first octets.

        Only where another source has the same head is the whole source read for its identity.
        """
        rows = self._candidates(stream.identifier)
        if not rows or name == STDIN or not Path(name).is_file():
            return None  # a pipe gives its octets once: the commit tells whether it is known
        with open_stream(name, [row.content_bytes for row in rows if row.content_bytes]) as whole:
            last = b""
            ends: dict[int, bytes] = {}  # the octet before each length that a source had
            wanted = sorted({row.content_bytes for row in rows if row.content_bytes})
            for piece in whole:
                begin = whole.identifier.length - len(piece)
                while wanted and wanted[0] <= whole.identifier.length:
                    at = wanted.pop(0) - begin
                    ends[begin + at] = piece[at - 1 : at] if at else last
                last = piece[-1:]
            identifier = whole.identifier
        identity = identifier.identity
        for row in rows:
            if row.content_id == identity.content_id:
                if row.source_id in self._anew:
                    return Verdict(row, known=False, instead=self._chain(row, rows))
                return Verdict(row, known=True)
        grown = [
            row
            for row in rows
            if row.content_bytes and identifier.at.get(row.content_bytes) == row.content_id
        ]
        if not grown:
            return None
        row = max(grown, key=lambda each: each.content_bytes or 0)
        length = row.content_bytes or 0
        by_lines = row.packets_carried is None and not is_folded(identifier.head)
        if ends.get(length) == b"\n" and by_lines and not row.problem:
            lines = (row.lines_before or 0) + row.lines
            after = After(length, lines, row.content_id or "", row.source_id)
            return Verdict(row, known=False, after=after)
        return Verdict(row, known=False, after=_before(row, rows), instead=(row.source_id,))

    def _candidates(self, identifier: Identifier) -> list[SourceRow]:
        """The sources that begin with the same octets."""
        heads = {identifier.identity.head_id}
        heads |= {
            head
            for length, head in set(self._small)
            if length < identifier.length and identifier.begins(length, head)
        }
        found = [row for head in heads for row in self._store.find_heads(head)]
        return found + [row for head in heads for row in self._fresh.get(head, [])]

    def _chain(self, row: SourceRow, rows: list[SourceRow]) -> tuple[str, ...]:
        """A source and those that it continues."""
        by_id = {each.source_id: each for each in rows}
        found = [row.source_id]
        while (before := by_id.get(found[-1])) and before.continues:
            found.append(before.continues)
        return tuple(found)


def _before(row: SourceRow, rows: list[SourceRow]) -> After | None:
    """Where a source that continues another began; None for one that begins its file."""
    first = next((each for each in rows if each.source_id == row.continues), None)
    if first is None:
        return None
    return After(row.begins_at or 0, row.lines_before or 0, first.content_id or "", first.source_id)
