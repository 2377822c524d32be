"""The requests of a what-if in order: frames of whole scopes, however many requests there are."""

from __future__ import annotations

import os
import shutil
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import polars as pl

from l7meter.analysis.whatif.scope import Selection, dimension
from l7meter.store import Connection
from l7meter.store.spilling import own_directory

T = TypeVar("T")
OBJECT = "hash(server_address, url_path)"  # what a cache keeps, as SQL
FRAME_ROWS = 8_000_000  # of scopes put together; 25 to 33 octets a row
AT_ONCE_ROWS = 12_000_000  # some 3 GB of arrays
BATCH_ROWS = 1_000_000
_LISTED = 1000  # scopes that are named in the question; of more, all are read


class Sample(NamedTuple):
    """A part of all objects, each with all of its requests, drawn by the hash of its name.

    As in Waldspurger et al., "Efficient MRC Construction with SHARDS" (FAST '15), each with the chance
    `rate`; but a response with a chance that grows with its octets, to 1 for `surely` and more. Few
    large objects have most octets, and fill most of a cache: whether they are drawn would decide what
    comes out.
    """

    rate: float
    surely: float

    def where(self) -> str:
        """The SQL that holds for requests of the sample."""
        return f"{OBJECT}::DOUBLE / {2.0**64} < {self.chance()}"

    def chance(self) -> str:
        """The SQL of the chance that a request had to be in it."""
        size = f"server_bytes / {max(self.surely, 1.0)}"
        return f"least(1, greatest({self.rate}, {size}))::DOUBLE"


def scopes(con: Connection, selection: Selection, by: str, **more: str) -> pl.DataFrame:
    """A row for each scope: `scope` (UInt64), the dimension's columns, `requests`, `bytes` (octets sent),
    `unmeasured` (requests without a byte count), and `more` columns, which are sums as SQL; most octets first.
    """
    where, values = selection.where()
    named = dimension(by).columns
    raw = ", ".join(dimension(by).raw)
    sums = {
        "requests": "count(*)",
        "bytes": "coalesce(sum(server_bytes), 0)",
        "unmeasured": "count(*) - count(server_bytes)",
        **more,
    }
    inner = ", ".join(f"{sql} AS {name}" for name, sql in sums.items())
    outer = ", ".join(f"sum({name})::BIGINT AS {name}" for name in sums)
    columns = "".join(f"{sql} AS {name}, " for name, sql in named.items())
    # by the columns themselves first: half the time of hashing each row's
    sql = f"""
    SELECT {dimension(by).key} AS scope, {columns}{outer} FROM (
        SELECT {f"{raw}, " if raw else ""}{inner} FROM records WHERE {where} {f"GROUP BY {raw}" if raw else ""}
    ) WHERE requests > 0 GROUP BY {", ".join(["1", *named.values()])}"""
    found: pl.DataFrame = con.sql(sql, params=values or None).pl()
    return found.sort(pl.col("bytes"), *named, descending=[True] + [False] * len(named))


def read(
    con: Connection,
    selection: Selection,
    of: pl.DataFrame,
    *,
    by: str,
    columns: Mapping[str, str],
    where: str = "true",
    sample: Sample | None = None,
    apart: str = "scope",
    frame_rows: int = FRAME_ROWS,
) -> Iterator[pl.DataFrame]:
    """The requests as frames of `scope` (UInt64), `ts` (Int64, µs since 1970), `key` (UInt64: the object)
    and `columns` (SQL over `records`, none of them null), as `ordered` puts them in order; of a sample
    also `chance`.

    `of` are rows of `scopes` for the same selection and `by`: others are left out. A frame has whole
    scopes, some `frame_rows` rows of them, more only if one scope has; with `apart="key"` it has whole
    objects instead, which is all that is needed where they do not vie for room. Frames that do not
    fit in memory together wait on disk, in a directory of ours alone.
    """
    asked, values = selection.where()
    conditions = [asked, where, "ts IS NOT NULL", "url_path IS NOT NULL"]
    columns = {**columns, "chance": sample.chance()} if sample else columns
    if of.height <= _LISTED:
        conditions.append(f"{dimension(by).key} IN ({', '.join(map(str, of['scope'])) or 'NULL'})")
    made = "".join(f", {sql} AS {name}" for name, sql in columns.items())
    chosen = " AND ".join(f"({each})" for each in conditions)
    if sample:  # first, and the rest for what it leaves: AND would look at all for all rows
        chosen = f"CASE WHEN {sample.where()} THEN {chosen} ELSE false END"
    sql = f"SELECT {dimension(by).key} AS scope, epoch_us(ts) AS ts, {OBJECT} AS key{made} FROM records WHERE {chosen}"  # fmt: skip
    expected = of.select("scope", n=pl.col("requests") * (2 * sample.rate if sample else 1.0))
    if apart == "scope":
        parts = _Parts.of_scopes(expected, frame_rows)
    else:
        parts = _Parts(-(-int(expected["n"].sum()) // frame_rows))
    reader = con.sql(sql, params=values or None).to_arrow_reader(BATCH_ROWS)
    batches = _ahead(frame for batch in reader for frame in (pl.DataFrame(batch),) if frame.height)
    if parts.count <= 1:
        whole = list(batches)
        if whole:
            yield pl.concat(whole)
        return
    folder = own_directory() / f"trace-{uuid.uuid4().hex}"
    folder.mkdir()
    try:
        schema = _spill(folder, parts, batches)
        for number in range(parts.count):
            if (part := _load(folder, number, schema)).height:
                yield part
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def at_once(work: Callable[[pl.DataFrame], T], parts: Iterable[pl.DataFrame]) -> Iterator[T]:
    """The work on each part, put in order, as many at once as there are cores and memory for; parts are
    read as they are needed.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    waiting: deque[tuple[int, Future[T]]] = deque()
    with ThreadPoolExecutor(cores) as pool:
        for part in parts:
            while waiting and (
                len(waiting) >= cores
                or part.height + sum(rows for rows, _ in waiting) > AT_ONCE_ROWS
            ):
                yield waiting.popleft()[1].result()
            waiting.append((part.height, pool.submit(lambda each: work(ordered(each)), part)))
            del part
        while waiting:
            yield waiting.popleft()[1].result()


def _ahead(batches: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """The same, the next one made while the last is looked at."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = pool.submit(next, batches, None)
            yield batch


def ordered(frame: pl.DataFrame) -> pl.DataFrame:
    """Requests by scope and time; those of one instant as they came."""
    ts, scope = frame["ts"].to_numpy(), frame["scope"].to_numpy()
    if not (ts[1:] >= ts[:-1]).all():  # 87 ns a row; records of one source are in order
        order = np.argsort(ts, kind="stable")
        frame, scope = frame[order], scope[order]
    if (scope[1:] != scope[:-1]).any():
        frame = frame[np.argsort(scope, kind="stable")]
    return frame


class _Parts:
    """Which part of the trace a row is of: by a table of scopes, or by its object."""

    def __init__(
        self, count: int, scopes: np.ndarray | None = None, part: np.ndarray | None = None
    ) -> None:
        self.count = count
        self.scopes = scopes
        self.part = part

    @classmethod
    def of_scopes(cls, expected: pl.DataFrame, rows: int) -> _Parts:
        """Scopes put together, in the order of their size, until a part has `rows`."""
        expected = expected.sort("n", "scope", descending=True)
        part: list[int] = []
        filled = 0.0
        for n in expected["n"]:  # some thousand scopes, not rows
            new = not part or filled + n > rows
            part.append(part[-1] + new if part else 0)
            filled = n if new else filled + n
        table = expected.select("scope", part=pl.Series(part, dtype=pl.Int32)).sort("scope")
        return cls(part[-1] + 1 if part else 0, table["scope"].to_numpy(), table["part"].to_numpy())

    def of(self, frame: pl.DataFrame) -> np.ndarray:
        if self.scopes is None or self.part is None:
            return (frame["key"].to_numpy() >> np.uint64(16)) % np.uint64(self.count)
        found: np.ndarray = self.part[np.searchsorted(self.scopes, frame["scope"].to_numpy())]
        return found


def _spill(folder: Path, parts: _Parts, batches: Iterator[pl.DataFrame]) -> dict[str, np.dtype]:
    """Write each part's columns to files; gives their types."""
    schema: dict[str, np.dtype] = {}
    for frame in batches:
        part = parts.of(frame).astype(np.uint16)
        order = np.argsort(part, kind="stable")  # 16 bits are sorted in linear time
        edges = np.searchsorted(part[order], np.arange(parts.count + 1))
        for column in frame:
            values = column.to_numpy()[order]
            schema[column.name] = values.dtype
            for number in np.flatnonzero(np.diff(edges)):  # parts, not rows
                with (folder / f"{number}.{column.name}").open("ab") as file:
                    values[edges[number] : edges[number + 1]].tofile(file)
    return schema


def _load(folder: Path, number: int, schema: Mapping[str, np.dtype]) -> pl.DataFrame:
    columns = {}
    for name, type_ in schema.items():
        path = folder / f"{number}.{name}"
        columns[name] = np.fromfile(path, type_) if path.exists() else np.empty(0, type_)
        path.unlink(missing_ok=True)
    return pl.DataFrame(columns)
