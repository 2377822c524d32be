"""What each configured source has delivered, and how much of it was read: by the files' state and the ledger.

No file is opened. A file counts as read while it has the size, the time and the inode it had when it was.
"""

from __future__ import annotations

import fnmatch
import glob
import os
import re
import stat
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import polars as pl

from l7meter.job.config import Config, SourceConfig
from l7meter.sources import discover
from l7meter.store.overview import Overview

DAY = timedelta(days=1)
QUIET = 10.0  # seconds; a file that was written to within 2 s before it was read is not remembered


class Delivery(NamedTuple):
    """A source now; sums are of what was ingested within the last day.

    `waiting` files are not settled; `unread` are new or have changed since they were read, of which
    `left` were there, settled, when the last run began.
    """

    source: SourceConfig
    files: int
    newest_file: datetime | None
    waiting: int
    unread: int
    left: int
    newest_record: datetime | None
    lines: int
    records: int
    rejects: int
    problems: int  # sources of the ledger that were not read to their end

    def late(self, now: datetime) -> timedelta | None:
        """How old its newest record is."""
        return now - self.newest_record if self.newest_record else None


class _File(NamedTuple):
    place: int  # in the configuration
    name: str
    size: int
    modified_ns: int
    inode: int


_FILES = {"place": pl.Int64, "name": pl.String, "size": pl.Int64, "modified_ns": pl.Int64, "inode": pl.Int64}  # fmt: skip
_SEEN = {"name": pl.String, "size": pl.Int64, "modified_ns": pl.Int64, "inode": pl.Int64, "source_id": pl.String}  # fmt: skip


def deliveries(
    config: Config, store: Overview | None, now: datetime, read_at: datetime | None
) -> list[Delivery]:
    """How each source of a configuration stands; `read_at` is when the last run that ended began."""
    files = pl.DataFrame(_files(config), schema=_FILES, orient="row")
    known = store.seen if store else {}
    seen = pl.DataFrame([(path, *state) for path, state in known.items()], schema=_SEEN, orient="row")  # fmt: skip
    there = files.join(seen, on="name", how="left", suffix="_seen", maintain_order="left")
    states = ("size", "modified_ns", "inode")
    read = pl.all_horizontal(pl.col(state) == pl.col(f"{state}_seen") for state in states)
    there = there.with_columns(read=read.fill_null(False) | (pl.col("size") == 0))
    ledger = _claimed(config, there, store)
    by_place = there.partition_by("place", as_dict=True)
    rows = ledger.partition_by("place", as_dict=True)
    return [
        _delivery(
            source, by_place.get((place,), there.clear()), rows.get((place,), ledger.clear()), now, read_at
        )
        for place, source in enumerate(config.sources)
    ]  # fmt: skip


def _delivery(
    source: SourceConfig,
    files: pl.DataFrame,
    ledger: pl.DataFrame,
    now: datetime,
    read_at: datetime | None,
) -> Delivery:
    quiet = int((now - source.settle).timestamp() * 1e9)
    modified = pl.col("modified_ns")
    waiting = (modified > quiet) if source.settle else pl.lit(False)
    left = pl.lit(False)
    if read_at:
        left = ~pl.col("read") & (modified < int(((read_at - source.settle).timestamp() - QUIET) * 1e9))  # fmt: skip
    counts = files.select(
        pl.len(), waiting.sum().alias("waiting"), (~pl.col("read")).sum().alias("unread"), left.sum().alias("left"), modified.max()
    ).row(0, named=True)  # fmt: skip
    newest = counts["modified_ns"]
    day = ledger.filter(pl.col("ingested_at") >= now - DAY)
    last = ledger["last_ts"].max()
    return Delivery(
        source,
        counts["len"],
        datetime.fromtimestamp(newest / 1e9, UTC) if newest is not None else None,
        counts["waiting"] or 0,
        counts["unread"] or 0,
        counts["left"] or 0,
        last if isinstance(last, datetime) else None,
        int(day["lines"].sum()),
        int(day["records"].sum()),
        int(day["rejects"].sum()),
        day["problem"].count(),
    )


def _files(config: Config) -> list[_File]:
    """The files of all sources; of one that several have, the first reads it."""
    found: dict[str, _File] = {}
    for place, source in enumerate(config.sources):
        for name in discover(source.paths)[0]:
            try:
                state = os.stat(name)  # noqa: PTH116 (a name may be no UTF-8)
            except OSError:  # gone since
                continue
            if name not in found and stat.S_ISREG(state.st_mode):
                text = os.fsencode(name).decode(errors="replace")
                found[name] = _File(place, text, state.st_size, state.st_mtime_ns, state.st_ino)
    return list(found.values())


def _claimed(config: Config, files: pl.DataFrame, store: Overview | None) -> pl.DataFrame:
    """The ledger, with the `place` of the source that each row is of: by its file, else by its name.

    A file that was rotated or removed since has the name that it was read by.
    """
    if store is None:
        return pl.DataFrame(schema={"place": pl.Int64, "last_ts": pl.Datetime("us", "UTC"), "ingested_at": pl.Datetime("us", "UTC"), "lines": pl.Int64, "records": pl.Int64, "rejects": pl.Int64, "problem": pl.String})  # fmt: skip
    by_id = files.drop_nulls("source_id").unique("source_id", keep="first").select("source_id", by_id="place")  # fmt: skip
    by_name = files.unique("name", keep="first").select("name", by_name="place")
    rows = store.sources.join(by_id, on="source_id", how="left").join(by_name, on="name", how="left")  # fmt: skip
    rows = rows.with_columns(place=pl.coalesce("by_id", "by_name"))
    rest = rows.filter(pl.col("place").is_null())["name"].unique().to_list()
    patterns = [(place, *_pattern(path)) for place, source in enumerate(config.sources) for path in source.paths]  # fmt: skip
    matched = {
        name: place
        for name in rest
        for place, prefix, pattern in reversed(patterns)
        if name.startswith(prefix) and pattern.fullmatch(name)
    }
    claims = pl.DataFrame(
        {"name": list(matched), "by_pattern": list(matched.values())},
        schema={"name": pl.String, "by_pattern": pl.Int64},
    )
    rows = rows.join(claims, on="name", how="left")
    return rows.with_columns(place=pl.coalesce("place", "by_pattern")).drop_nulls("place")


def _pattern(path: str) -> tuple[str, re.Pattern[str]]:
    """What a path of the configuration matches: itself, what is below it, or what the glob says."""
    if not glob.has_magic(path):
        return path, re.compile(re.escape(path.rstrip("/")) + "(/.*)?", re.DOTALL)
    parts = (".*" if part == "**" else _part(part) for part in path.split("/"))
    prefix = re.split(r"[*?\[]", path, maxsplit=1)[0]
    return prefix, re.compile("/".join(parts).replace("/.*/", "/(?:.*/)?"), re.DOTALL)


def _part(part: str) -> str:
    """The pattern of one part, which matches no slash."""
    whole = fnmatch.translate(part)  # (?s:...)\Z
    return whole.removeprefix("(?s:").removesuffix(r")\Z").replace(".*", "[^/]*")
