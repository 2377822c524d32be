"""The store: a directory of Parquet files, a catalog that names them and a ledger of sources."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path
from sqlite3 import IntegrityError
from typing import Any, NamedTuple

import polars as pl

from l7meter.errors import Conflict, StoreError
from l7meter.store import accept, catalog, ledger, side
from l7meter.store.accept import Layout, LiveFile, day_of
from l7meter.store.commit import Change, commit
from l7meter.store.datafile import DataFile, by_day, write_frame
from l7meter.store.describing import described
from l7meter.store.evolve import add_missing
from l7meter.store.ledger import SourceRow
from l7meter.store.placing import CATALOG, absolute, catalog_octets
from l7meter.store.writers import WriterLock


class Appended(NamedTuple):
    """What an append did: its snapshot (None: nothing new) and the sources it left out."""

    snapshot: int | None
    dropped: frozenset[str]


class Store:
    """A store on disk, opened by `open`, `create` or `open_or_create`.

    Methods may be called from several threads and several processes. A store that was written to
    should be closed (or used as a context manager): until then `repair` spares its young files.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.catalog = path / CATALOG
        self.data = path / "data"
        if catalog_octets(path) is None:
            raise StoreError(f"{path}: no store here (no {CATALOG}); name one or ingest into it")
        with catalog.reading(self.catalog) as db:
            self._layouts = accept.layouts(db, self.catalog)
        self._lock = WriterLock(path)

    @staticmethod
    def exists(path: str | Path) -> bool:
        """Whether there is a store; its catalog is empty until the process that makes it commits.

        Raises `StoreError` where this user may not look.
        """
        return bool(catalog_octets(Path(path)))

    @classmethod
    def open(cls, path: str | Path) -> Store:
        """Open a store; `StoreError` if there is none or it is not one we can read."""
        return cls(absolute(path))

    @classmethod
    def create(cls, path: str | Path) -> Store:
        """Make a store in a new or empty directory; `StoreError` if it is anything else."""
        root = absolute(path)
        if cls.exists(root):
            raise StoreError(f"{root}: there is a store already; open it or name another place")
        return cls._make(root)

    @classmethod
    def _make(cls, root: Path) -> Store:
        """Make what is missing of a store; of several processes at once, all get the one store."""
        try:
            root.mkdir(parents=True, exist_ok=True)
            files = (p for p in root.rglob("*") if p.is_file())
            other = next((p for p in files if not p.name.startswith(CATALOG)), None)
            if other and not cls.exists(root):
                raise StoreError(
                    f"{root}: not a store and not empty ({other.relative_to(root)}); name a new or "
                    "empty directory"
                )
            for table in catalog.TABLES:
                (root / "data" / table).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"{root}: cannot make a store: {error.strerror}; name a directory you can write to"
            ) from error
        with catalog.writing(root / CATALOG, "mode=rwc") as db:
            catalog.initialise(db, root / "data")
        return cls(root)

    @classmethod
    def open_or_create(cls, path: str | Path) -> Store:
        """Open the store at `path`, or make one where there is nothing yet."""
        root = absolute(path)
        return cls.open(root) if cls.exists(root) else cls._make(root)

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Say that this writer is done; uncommitted files become orphans for `repair`."""
        self._lock.release()

    # Writing

    def announce(self) -> None:
        """Keep `repair` from files that are not committed yet, until `close`."""
        try:
            self._lock.acquire()
        except OSError as error:
            raise StoreError(
                f"{self.path}: cannot be written to: {error.strerror}; ask its owner, or use "
                "another store"
            ) from error

    def write(self, table: str, frame: pl.DataFrame) -> DataFile:
        """Make a frame of `records` or `rejects` durable; it counts once `append` commits it.

        The caller sorts records by `ts`. Columns that are missing are null; text columns may be
        Categorical or Enum. Raises `StoreError` if the disk refuses.
        """
        self.announce()
        layouts = self.with_all_columns()
        return write_frame(self.data / table, table, frame, layouts[table].field_ids)

    def append(
        self,
        sources: Sequence[SourceRow],
        files: Sequence[DataFile],
        manifests: Sequence[str] = (),
    ) -> Appended:
        """Commit sources and the files that hold all of their rows, in one transaction.

        `manifests` say what the attributions of these rows stand for (JSON).

        A source that is in the ledger already is left out together with its rows, and named in
        the answer: it was committed before, here or by another process.
        """
        dropped: set[str] = set()
        while True:
            kept = [s for s in sources if s.source_id not in dropped]
            if not kept and (dropped or not files):
                for file in files:
                    self.path_of(file).unlink()
                return Appended(None, frozenset(dropped))
            with catalog.writing(self.catalog) as db:
                twice = ledger.known(db, (s.source_id for s in kept))
                if not twice:
                    ledger.explain(db, manifests)
                    change = Change(
                        message=f"append {len(kept)} sources",
                        add=files,
                        sources=kept,
                        days=by_day(file.days for file in files),
                    )
                    snapshot = commit(db, self.catalog, self._layouts, change)
                    return Appended(snapshot, frozenset(dropped))
            files = self._without(files, twice)
            dropped |= twice

    def replace(
        self,
        remove: Sequence[LiveFile],
        add: Sequence[DataFile],
        *,
        message: str,
        manifests: Sequence[str] = (),
        **more: Any,
    ) -> int:
        """End files, add others, take sources out of the ledger and enter others, in one transaction.

        `more` is as in `Change`. Gives the new snapshot. Raises `StoreError`, and changes nothing, if a
        file to end is no longer live or if the rows do not add up to what the sources account for.
        """
        change = Change(message=message, remove=remove, add=add, **more)
        try:
            with catalog.writing(self.catalog) as db:
                ledger.explain(db, manifests)
                return commit(db, self.catalog, self._layouts, change)
        except IntegrityError as error:
            raise Conflict(
                f"{self.path}: another process committed one of the sources meanwhile: nothing was "
                "committed; run the command again"
            ) from error

    def with_all_columns(self) -> dict[str, Layout]:
        """The tables' layouts; tables and columns are added that are newer than the store."""
        have = {table: len(layout.field_ids) for table, layout in self._layouts.items()}
        if have != {table: len(columns) for table, columns in catalog.TABLES.items()}:
            for table in catalog.TABLES:
                (self.data / table).mkdir(exist_ok=True)
            with catalog.writing(self.catalog) as db:
                add_missing(db, accept.layouts(db, self.catalog))
                self._layouts = accept.layouts(db, self.catalog)
        return self._layouts

    def _without(self, files: Iterable[DataFile], source_ids: Collection[str]) -> list[DataFile]:
        """The same files without the rows of some sources."""
        result = []
        for file in files:
            path = self.path_of(file)
            rows = pl.scan_parquet(path, glob=False)
            rest = rows.filter(~pl.col("source_id").cast(pl.String).is_in(list(source_ids)))
            frame = rest.collect()
            if frame.height == file.rows:
                result.append(file)
                continue
            if frame.height:
                result.append(self.write(file.table, frame))
            path.unlink()
        return result

    # Reading

    def snapshot(self) -> int:
        """The latest snapshot."""
        with catalog.reading(self.catalog) as db:
            return catalog.head(db).number

    def known(self, source_ids: Iterable[str]) -> set[str]:
        """Those of `source_ids` that were committed."""
        with catalog.reading(self.catalog) as db:
            return ledger.known(db, source_ids)

    def days(self) -> list[side.DayState]:
        """The days that were closed."""
        with catalog.reading(self.catalog) as db:
            return side.days(db)

    def summed_days(self) -> list[date]:
        """The UTC days that the rollups have."""
        return sorted({day for f in self.files("usage_daily") if (day := day_of(f))})

    def find_heads(self, head_id: str) -> list[SourceRow]:
        """The sources that begin with the same octets: listed again, or grown since."""
        with catalog.reading(self.catalog) as db:
            return ledger.heads(db, head_id)

    def ledger(self, snapshot: int | None = None) -> pl.DataFrame:
        """The sources as of a snapshot (default: the latest), one row each, as in `SourceRow`."""
        with catalog.reading(self.catalog) as db:
            return ledger.frame(db, catalog.head(db).number if snapshot is None else snapshot)

    def files(self, table: str, snapshot: int | None = None) -> list[LiveFile]:
        """The data files of a table as of a snapshot (default: the latest), by time."""
        with catalog.reading(self.catalog) as db:
            if table not in self._layouts:
                return []
            at = catalog.head(db).number if snapshot is None else snapshot
            return accept.live_files(db, self.catalog, table, self._layouts[table], at)

    def read(
        self, file: LiveFile, rows: int, columns: Sequence[str] | None = None
    ) -> Iterator[pl.DataFrame]:
        """The rows of a data file in their order, so many at once; null where it has no such column.

        `columns` are some of the table's; all by default. Raises `StoreError` if it cannot be read.
        """
        wanted = [c for c in catalog.TABLES[file.table] if columns is None or c.name in columns]
        try:
            frame = pl.scan_parquet(self.path_of(file), glob=False)
            there = frame.collect_schema().names()
            whole = frame.select(
                (pl.col(c.name) if c.name in there else pl.lit(None).alias(c.name)).cast(c.polars)
                for c in wanted
            )
            for first in range(0, file.rows, rows):
                yield whole.slice(first, rows).collect()
        except (OSError, pl.exceptions.PolarsError) as error:
            raise StoreError(
                f"{self.path_of(file)}: cannot be read: {error}; see 'l7meter store verify'"
            ) from error

    def path_of(self, file: LiveFile | DataFile) -> Path:
        """Where a data file is."""
        return self.data / file.table / file.name

    def info(self) -> dict[str, Any]:
        """Rows, files and octets by table, sources, snapshots and the range of `ts`."""
        return described(self.path, self.catalog, self._layouts)
