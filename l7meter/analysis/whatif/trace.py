"""The requests of a what-if in order: frames of whole scopes, however many requests there are."""

from __future__ import annotations

import os
import shutil
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent import futures
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import polars as pl

from l7meter.analysis.whatif.scope import Selection, dimension
from l7meter.store import Connection
from l7meter.store.samples import ALIKE, OBJECT, RATE, drawn
from l7meter.store.spilling import own_directory

T = TypeVar("T")
FRAME_ROWS = 8_000_000  # of scopes put together; 25 to 33 octets a row
AT_ONCE_ROWS = 17_000_000  # some 3 GB of arrays
BATCH_ROWS = 1_000_000
_DAY = "make_timestamptz(epoch_us(day::TIMESTAMP))"
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

    def chance(self) -> str:
        """The SQL of the chance that a request had to be in it."""
        size = f"server_bytes / {max(self.surely, 1.0)}"
        return f"least(1, greatest({self.rate}, {size}))::DOUBLE"


def scopes(
    con: Connection, selection: Selection, by: str, *, kept: bool = False, **more: str
) -> pl.DataFrame:
    """A row for each scope: `scope` (UInt64), the dimension's columns, `requests`, `bytes` (octets sent),
    `unmeasured` (requests without a byte count), and `more` columns; most octets first.

    Those are sums as SQL of `requests` (1 for a record) and `server_bytes`. With `kept` they ask of nothing but
    these and `ALIKE`, so that sums that are kept can tell (`summed_requests`).
    """
    kept = kept and _kept(selection, by)
    where, values = selection.where(_DAY if kept else "ts")
    table = "summed_requests" if kept else "(SELECT *, 1 AS requests FROM records)"
    named = dimension(by).columns
    raw = ", ".join(dimension(by).raw)
    sums = {
        "requests": "sum(requests)",
        "bytes": "coalesce(sum(server_bytes), 0)",
        "unmeasured": "coalesce(sum(requests) FILTER (WHERE server_bytes IS NULL), 0)",
        **more,
    }
    inner = ", ".join(f"{sql} AS {name}" for name, sql in sums.items())
    outer = ", ".join(f"sum({name})::BIGINT AS {name}" for name in sums)
    columns = "".join(f"{sql} AS {name}, " for name, sql in named.items())
    # by the columns themselves first: half the time of hashing each row's
    sql = f"""
    SELECT {dimension(by).key} AS scope, {columns}{outer} FROM (
        SELECT {f"{raw}, " if raw else ""}{inner} FROM {table} WHERE {where} {f"GROUP BY {raw}" if raw else ""}
    ) WHERE requests > 0 GROUP BY {", ".join(["1", *named.values()])}"""
    found: pl.DataFrame = con.sql(sql, params=values or None).pl()
    return found.sort(pl.col("bytes"), *named, descending=[True] + [False] * len(named))


def _kept(selection: Selection, by: str) -> bool:
    """Whether kept sums can tell: of whole days, and of what they tell apart."""
    asked = {column for name in (by, *dict(selection.only)) for column in dimension(name).raw}
    return selection.whole_days and asked <= set(ALIKE)


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
    table, key = "records", OBJECT
    if sample:
        columns = {**columns, "chance": sample.chance()}
        if sample.rate <= RATE and "country" not in (by, *dict(selection.only)):
            table, key = "sampled_requests", "object"
            columns["chance"] = f"least({sample.chance()}, chance_kept)"
    if of.height <= _LISTED:
        conditions.append(f"{dimension(by).key} IN ({', '.join(map(str, of['scope'])) or 'NULL'})")
    made = "".join(f", {sql} AS {name}" for name, sql in columns.items())
    chosen = " AND ".join(f"({each})" for each in conditions)
    if sample:  # first, and the rest for what it leaves: AND would look at all for all rows
        chosen = f"CASE WHEN {drawn(key, columns['chance'])} THEN {chosen} ELSE false END"
    sql = f"SELECT {dimension(by).key} AS scope, epoch_us(ts) AS ts, {key} AS key{made} FROM {table} WHERE {chosen}"  # fmt: skip
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
    made: deque[Future[T]] = deque()
    running: dict[Future[T], int] = {}
    with ThreadPoolExecutor(cores) as pool:
        for part in parts:
            while running and (
                len(running) >= cores or part.height + sum(running.values()) > AT_ONCE_ROWS
            ):
                for done in futures.wait(running, return_when=futures.FIRST_COMPLETED).done:
                    del running[done]
            rows, handed = part.height, [part]
            del part  # whoever works on it lets it go
            made.append(pool.submit(lambda one: work(ordered(one.pop())), handed))
            running[made[-1]] = rows
            while made and made[0].done():
                yield made.popleft().result()
        for each in made:
            yield each.result()


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
            values = column.to_numpy().take(order)
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
