"""Records of one or several sources on their way into one data file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import polars as pl

from l7meter.attribution import Attribution
from l7meter.ingest.coding import Coder, concat
from l7meter.privacy import Privacy
from l7meter.store import DataFile, Store


class Written(NamedTuple):
    """What was written of a batch: its files, and sums a source and basis.

    `sums` has `source_id`, `server_bytes_basis`, `records`, `server_bytes`, `first_ts`, `last_ts`.
    """

    files: list[DataFile]
    sums: pl.DataFrame


@dataclass
class Batch:
    """Parsed records, their text kept as codes, until they are concluded, sorted and written."""

    records: list[tuple[int, pl.DataFrame]] = field(default_factory=list)
    rejects: list[tuple[int, pl.DataFrame]] = field(default_factory=list)
    octets: int = 0  # of content taken, that of rejects alone included

    def add(self, source: int, records: pl.DataFrame, rejects: pl.DataFrame, octets: int) -> None:
        """Take the records and rejects of so many octets of the source with this ordinal."""
        self.octets += octets
        if records.height:
            self.records.append((source, records))
        if rejects.height:
            self.rejects.append((source, rejects))

    def drop(self, source: int) -> None:
        """Take nothing of this source after all."""
        self.records = [each for each in self.records if each[0] != source]
        self.rejects = [each for each in self.rejects if each[0] != source]

    def write(
        self,
        store: Store,
        attribution: Attribution,
        coder: Coder,
        ids: dict[int, str],
        privacy: Privacy | None,
    ) -> Written:
        """Conclude, take out what is not kept, sort by time, make durable; `ids` are the sources' identities."""
        files = []
        sums = pl.DataFrame(schema=_SUMS)
        source_id = pl.Enum(sorted(set(ids.values())))
        frames = [frame.with_columns(source_id=pl.lit(ids[n], source_id)) for n, frame in self.records]  # fmt: skip
        self.records.clear()
        if frames:
            together = concat(frames)
            frame = attribution.conclude(together, coder.memo(together))
            del together
            del frames
            if privacy:
                frame = privacy.records(frame)
            if not frame["ts"].is_sorted():
                frame = frame.sort("ts", maintain_order=True)
            sums = _sums(frame)
            files.append(store.write("records", frame))
            del frame
        if self.rejects:
            rejected = [frame.with_columns(source_id=pl.lit(ids[n])) for n, frame in self.rejects]
            together = pl.concat(rejected)
            files.append(store.write("rejects", privacy.rejects(together) if privacy else together))
            self.rejects.clear()
        return Written(files, sums)


_SUMS = pl.Schema(
    {
        "source_id": pl.String(),
        "server_bytes_basis": pl.String(),
        "records": pl.UInt32(),
        "server_bytes": pl.Int64(),
        "first_ts": pl.Datetime("us", "UTC"),
        "last_ts": pl.Datetime("us", "UTC"),
    }
)


def _sums(frame: pl.DataFrame) -> pl.DataFrame:
    return (
        frame.group_by("source_id", "server_bytes_basis")
        .agg(
            records=pl.len(),
            server_bytes=pl.col("server_bytes").sum(),
            first_ts=pl.col("ts").min(),
            last_ts=pl.col("ts").max(),
        )
        .with_columns(pl.col("source_id", "server_bytes_basis").cast(pl.String))
        .cast(_SUMS)
    )
