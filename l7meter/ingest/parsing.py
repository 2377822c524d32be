"""The records of one source, said and concluded, in its own order; no store is touched."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future

import polars as pl

from l7meter.attribution import Attribution
from l7meter.formats import Parsed
from l7meter.ingest.source import Reading, Said, cores, open_source, workers
from l7meter.schema import POLARS
from l7meter.schema import opened as structured


def parse(
    name: str,
    said: Said | None = None,
    *,
    attribution: Attribution | None = None,
    rejected: Callable[[Parsed], None] | None = None,
    opened: Callable[[Reading], None] | None = None,
) -> Iterator[pl.DataFrame]:
    """Frames of records in all columns of the schema, in the source's order.

    `rejected` is handed each block with its rejects; `opened` the source once its format is known.
    Raises `SourceError` and `UsageError` as `open_source` does.
    """
    reading = open_source(name, said or Said())
    concluding = attribution or Attribution()
    with reading.stream:
        if opened:
            opened(reading)
        pending: deque[Future[pl.DataFrame]] = deque()
        for parsed in reading:
            if rejected:
                rejected(parsed)
            pending.append(workers().submit(_concluded, concluding, parsed.records))
            while len(pending) > cores():
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def _concluded(attribution: Attribution, records: pl.DataFrame) -> pl.DataFrame:
    return structured(attribution.conclude(records).cast(POLARS))
