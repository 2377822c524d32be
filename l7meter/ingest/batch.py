"""Records of one or several sources on their way into one data file."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import NamedTuple

import polars as pl

from l7meter.attribution import Attribution
from l7meter.ingest.source import workers
from l7meter.schema import COLUMNS
from l7meter.store import DataFile, Store

_TEXT = [name for name, column in COLUMNS.items() if column.type == "string"]


class Written(NamedTuple):
    """What was written of a batch: its files, and sums a source and basis.

    `sums` has `source_id`, `server_bytes_basis`, `records`, `server_bytes`, `first_ts`, `last_ts`.
    """

    files: list[DataFile]
    sums: pl.DataFrame


@dataclass
class Batch:
    """Parsed records, their text kept as codes, until they are concluded, sorted and written."""

    records: list[tuple[int, Future[pl.DataFrame]]] = field(default_factory=list)
    rejects: list[tuple[int, pl.DataFrame]] = field(default_factory=list)
    _categories: dict[str, pl.Categories] = field(
        default_factory=lambda: {name: pl.Categories.random() for name in _TEXT}
    )

    def add(self, source: int, records: pl.DataFrame, rejects: pl.DataFrame) -> None:
        """Take a block's records and rejects of the source with this ordinal."""
        if records.height:
            self.records.append((source, workers().submit(self._coded, records)))
        if rejects.height:
            self.rejects.append((source, rejects))

    def write(self, store: Store, attribution: Attribution, ids: dict[int, str]) -> Written:
        """Conclude, sort by time and make durable; `ids` are the sources' identities."""
        files = []
        sums = pl.DataFrame(schema=_SUMS)
        frames = [_tagged(future.result(), source, ids) for source, future in self.records]
        self.records.clear()
        if frames:
            frame = pl.concat(frames, how="diagonal")
            del frames
            frame = attribution.conclude(frame)
            if not frame["ts"].is_sorted():
                frame = frame.sort("ts", maintain_order=True)
            sums = _sums(frame)
            files.append(store.write("records", frame))
            del frame
        if self.rejects:
            rejected = pl.concat(_tagged(frame, source, ids) for source, frame in self.rejects)
            files.append(store.write("rejects", rejected))
            self.rejects.clear()
        return Written(files, sums)

    def _coded(self, records: pl.DataFrame) -> pl.DataFrame:
        return records.with_columns(
            pl.col(name).cast(pl.Categorical(self._categories[name]))
            for name in records.columns
            if name in self._categories and records.schema[name] == pl.String
        )


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


def _tagged(frame: pl.DataFrame, source: int, ids: dict[int, str]) -> pl.DataFrame:
    return frame.with_columns(source_id=pl.lit(ids[source]))


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
