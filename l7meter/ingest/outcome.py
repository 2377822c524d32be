"""What an ingest did: its sources one by one, and their sums."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from l7meter.captures import Sums
from l7meter.ingest.capture import added, told


@dataclass
class Source:
    """What became of one source. `status`: `ingested`, `known`, `failed`.

    The `lines` of a capture are its packets, and `capture` says where they went.
    """

    name: str
    status: str = "ingested"
    format: str | None = None
    problem: str | None = None
    lines: int = 0
    records: int = 0
    rejects: int = 0
    skipped: int = 0
    bytes_read: int = 0
    size: int | None = None
    source_id: str | None = None
    rejects_by_reason: Counter[str] = field(default_factory=Counter)
    skipped_by_reason: Counter[str] = field(default_factory=Counter)
    capture: Sums | None = None
    continues: str | None = None  # the source that the file was before it grew
    instead: list[str] = field(default_factory=list)  # sources whose place it took


@dataclass
class Ingested:
    """What an ingest did: its sources one by one, and their sums."""

    sources: list[Source] = field(default_factory=list)
    server_bytes_by_basis: Counter[str] = field(default_factory=Counter)
    unmeasured_records: int = 0
    seconds: float = 0.0
    snapshot: int | None = None
    last_ts: datetime | None = None  # of the records that were ingested

    def total(self, count: str) -> int:
        """The sum of a count (`lines`, `records`, ...) over the sources that were ingested."""
        return sum(getattr(source, count) for source in self.ingested)

    @property
    def ingested(self) -> list[Source]:
        """The sources that this run put into the store."""
        return [source for source in self.sources if source.status == "ingested"]

    @property
    def captures(self) -> Sums | None:
        """The sums of the captures that were ingested; None where there were none."""
        parts = [source.capture for source in self.ingested if source.capture]
        return added(parts) if parts else None

    @property
    def logs(self) -> list[Source]:
        """The sources that were ingested and are no captures."""
        return [source for source in self.ingested if not source.capture]

    @property
    def failed(self) -> list[Source]:
        """The sources that could not be read."""
        return [source for source in self.sources if source.status == "failed"]

    def as_dict(self) -> dict[str, Any]:
        """One object for machines; the names are part of the interface."""
        reasons: Counter[str] = Counter()
        for source in self.ingested:
            reasons.update(source.rejects_by_reason)
        counts = ("lines", "records", "rejects", "skipped", "bytes_read")
        return {
            "sources": len(self.ingested),
            **{count: self.total(count) for count in counts},
            "seconds": round(self.seconds, 3),
            "rejects_by_reason": dict(reasons.most_common()),
            "server_bytes_by_basis": dict(self.server_bytes_by_basis),
            "unmeasured_records": self.unmeasured_records,
            **({"captures": told(self.captures)} if self.captures else {}),
            "known_sources": sum(source.status == "known" for source in self.sources),
            "failed_sources": len(self.failed),
            "snapshot": self.snapshot,
            "files": [_plain(source) for source in self.sources],
        }


def _plain(source: Source) -> dict[str, Any]:
    # not asdict: it makes a Counter of a Counter's items (https://github.com/python/cpython/issues/84110)
    plain = {name: value for name, value in vars(source).items() if value not in (None, [])}
    return plain | ({"capture": told(source.capture)} if source.capture else {})
