"""Whether a source is in the store already, or is a grown form of one that is."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from l7meter.sources import Identity, open_stream
from l7meter.sources.discover import STDIN
from l7meter.store import Store


class Verdict(NamedTuple):
    """Why a source is left alone."""

    status: str
    problem: str | None
    source_id: str | None


class Known:
    """The heads of the sources in the ledger and of those read in this run."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._fresh: dict[str, list[tuple[str, str, int, str]]] = {}

    def add(self, name: str, identity: Identity) -> None:
        """Remember a source that this run has read."""
        entry = (identity.source_id, identity.content_id, identity.content_bytes, name)
        self._fresh.setdefault(identity.head_id, []).append(entry)

    def verdict(self, name: str, start: Identity) -> Verdict | None:
        """None for a new source; `start` is the identity of its first blocks.

        Only where another source has the same head is the whole source read for its identity.
        """
        candidates = [
            (row.source_id, row.content_id, row.content_bytes, row.name)
            for row in self._store.find_heads(start.head_id)
        ] + self._fresh.get(start.head_id, [])
        if not candidates or name == STDIN or not Path(name).is_file():
            return None  # a pipe gives its octets once: the commit tells whether it is known
        with open_stream(name, [length for _, _, length, _ in candidates if length]) as stream:
            for _ in stream:
                pass
            identifier = stream.identifier
        whole = identifier.identity
        for source_id, content_id, _, _ in candidates:
            if content_id == whole.content_id:
                return Verdict("known", None, source_id)
        for source_id, content_id, length, before in candidates:
            if length and length < whole.content_bytes and identifier.at.get(length) == content_id:
                return Verdict(
                    "failed",
                    f"has grown since it was ingested as {before} ({length:,} bytes then, "
                    f"{whole.content_bytes:,} now): ingest it when it is rotated, so that nothing "
                    "counts twice",
                    source_id,
                )
        return None
