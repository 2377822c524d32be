"""Rows taken out of a store: a source, a person or network, what is older than it may be kept."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import date

import polars as pl

from l7meter.errors import Conflict, StoreError
from l7meter.store import catalog, side
from l7meter.store.accept import LiveFile
from l7meter.store.datafile import DataFile, by_day
from l7meter.store.entries import with_parts
from l7meter.store.ledger import BASES, SourceRow
from l7meter.store.rollups import TRIES, changed
from l7meter.store.side import Removed
from l7meter.store.store import Store

SLICE = 100_000  # records at once: some 100 MB
FILE = 300_000  # records of a new file, at least; their text is not coded: some 300 MB
_SUMMED = ("ts", "source_id", "server_bytes", "server_bytes_basis", "server_wire_bytes", "client_wire_bytes")  # fmt: skip


@dataclass
class Taken:
    """What was taken out. `frozen` are records of days whose rollups keep them: retention took the rest."""

    records: int = 0
    rejects: int = 0
    server_bytes: int = 0
    days: dict[date, tuple[int, int]] = field(default_factory=dict)
    sources: set[str] = field(default_factory=set)
    frozen: int = 0
    snapshot: int | None = None


def take_out(
    store: Store,
    records: pl.Expr,
    rejects: pl.Expr,
    *,
    reason: str,
    among: Callable[[LiveFile], bool] = lambda _: True,
    keep_rollups: bool = False,
    forget: Collection[str] = (),
    sources: Sequence[SourceRow] = (),
    add: Sequence[DataFile] = (),
    manifests: Sequence[str] = (),
    dry_run: bool = False,
) -> Taken:
    """Take out the rows for which an expression is true, in one commit; `among` leaves files alone.

    The ledger notes, for each source, what it lost and the `reason`; `forget` are sources that end
    altogether, `sources` and `add` what comes in their place. With `keep_rollups` the sums by hour and
    day stay as they are. Raises `Conflict` where other processes keep replacing the same files.
    """
    for attempt in range(TRIES):
        try:
            return _Removal(store, records, rejects, among).run(
                dry_run, reason, keep_rollups, set(forget), sources, add, manifests
            )
        except Conflict:
            if attempt == TRIES - 1:
                raise
    raise AssertionError("not reached")


class _Removal:
    def __init__(
        self, store: Store, records: pl.Expr, rejects: pl.Expr, among: Callable[[LiveFile], bool]
    ) -> None:
        self.store = store
        self.gone = {"records": records.fill_null(False), "rejects": rejects.fill_null(False)}
        self.taken = Taken()
        self.among = among
        self.ended: list[LiveFile] = []
        self.added: list[DataFile] = []
        self.covered: list[DataFile] = []
        self.dirty: set[date | None] = set()
        self.sums: dict[str, Counter[str]] = defaultdict(Counter)

    def run(
        self,
        dry_run: bool,
        reason: str,
        keep_rollups: bool,
        forget: set[str],
        sources: Sequence[SourceRow],
        add: Sequence[DataFile],
        manifests: Sequence[str],
    ) -> Taken:
        with catalog.reading(self.store.catalog) as db:
            horizon = side.horizon(db)
        try:
            for table in self.gone:
                for file in filter(self.among, self.store.files(table)):
                    self._file(file, dry_run)
            self.taken.frozen = sum(
                records
                for day, (records, _) in self.taken.days.items()
                if horizon and day < horizon
            )
            if dry_run:
                return self.taken
            end: list[LiveFile] = []
            made: list[DataFile] = []
            if not keep_rollups and self.dirty:
                end, made = changed(self.store, self.ended, self.covered, self.dirty)
            self.added += made
            if self.ended or forget or sources:
                self.taken.snapshot = self.store.replace(
                    [*self.ended, *end],
                    [*self.added, *add],
                    message=reason,
                    manifests=manifests,
                    forget=forget,
                    sources=sources,
                    removed=[self._removed(each) for each in self.sums if each not in forget],
                    covered=[file.name for file in self.covered],
                    days={} if keep_rollups else self._days(add),
                )
        except BaseException:
            for new in self.added:
                self.store.path_of(new).unlink(missing_ok=True)
            raise
        return self.taken

    def _file(self, file: LiveFile, dry_run: bool) -> None:
        found = self._count(file)
        if not found:
            return
        self.ended.append(file)
        if found == file.rows or dry_run:
            return
        waiting: list[pl.DataFrame] = []
        before = len(self.added)
        for part in self.store.read(file, SLICE):
            waiting.append(part.filter(~self.gone[file.table]))
            if sum(frame.height for frame in waiting) >= FILE:
                self._write(file.table, waiting)
        self._write(file.table, waiting)
        if file.covered:
            self.covered += self.added[before:]

    def _write(self, table: str, waiting: list[pl.DataFrame]) -> None:
        together = pl.concat(waiting) if waiting else pl.DataFrame()
        waiting.clear()
        if together.height:
            self.added.append(self.store.write(table, together))

    def _count(self, file: LiveFile) -> int:
        """How many rows of a file go; their sums are noted."""
        condition = self.gone[file.table]
        summed = _SUMMED if file.table == "records" else ("source_id",)
        columns = [*dict.fromkeys([*summed, *condition.meta.root_names()])]
        found = 0
        for part in self.store.read(file, 4 * SLICE, columns):
            gone = part.filter(condition)
            found += gone.height
            for source_id, count in gone["source_id"].value_counts().iter_rows():
                self.sums[source_id][file.table] += count
                self.taken.sources.add(source_id)
            if file.table == "records":
                self._octets(gone, file.covered)
        if file.table == "records":
            self.taken.records += found
        else:
            self.taken.rejects += found
        return found

    def _octets(self, gone: pl.DataFrame, covered: bool) -> None:
        wire = pl.col("server_wire_bytes").fill_null(0) + pl.col("client_wire_bytes").fill_null(0)
        sums = gone.group_by("source_id", "server_bytes_basis").agg(
            pl.len(),
            pl.col("server_bytes").sum(),
            pl.col("server_bytes").null_count().alias("unmeasured"),
            wire.sum().alias("wire"),
        )
        for source_id, basis, _, octets, unmeasured, on_wire in sums.iter_rows():
            into = self.sums[source_id]
            into["unmeasured"] += unmeasured
            into["wire"] += on_wire
            if basis is not None:
                into[f"basis {basis}"] += octets
        by_day = gone.group_by(pl.col("ts").dt.date().alias("day")).agg(
            pl.len(), pl.col("server_bytes").sum()
        )
        for day, records, octets in by_day.iter_rows():
            self.taken.server_bytes += octets
            if covered:
                self.dirty.add(day)
            if day is None:
                continue
            before = self.taken.days.get(day, (0, 0))
            self.taken.days[day] = (before[0] + records, before[1] + octets)

    def _removed(self, source_id: str) -> Removed:
        sums = self.sums[source_id]
        octets = tuple(sums.get(f"basis {basis}") for basis in BASES)
        return Removed(
            source_id, sums["records"], sums["rejects"], sums["unmeasured"], sums["wire"], octets
        )

    def _days(self, add: Sequence[DataFile]) -> dict[date, tuple[int, int]]:
        """What changes in each day: less of what goes, more of what comes."""
        days = {day: (-records, -octets) for day, (records, octets) in self.taken.days.items()}
        summed = by_day([days, *(file.days for file in add)])
        return {day: change for day, change in summed.items() if any(change) or not add}


def forget(store: Store, source_ids: Collection[str], dry_run: bool = False) -> Taken:
    """Take sources out with all of their rows; their files may come again. Of one that grew all parts go.

    Raises `StoreError` for one that is not in the ledger.
    """
    unknown = set(source_ids) - store.known(source_ids)
    if unknown:
        raise StoreError(f"source {min(unknown)} is not in the ledger; see 'l7meter source list'")
    source_ids = [row.source_id for row in with_parts(store, source_ids)]
    mine = pl.col("source_id").is_in(source_ids)
    return take_out(
        store,
        mine,
        mine,
        reason=f"forget {len(source_ids)} sources",
        among=holding(store, source_ids),
        forget=source_ids,
        dry_run=dry_run,
    )


def holding(store: Store, source_ids: Collection[str]) -> Callable[[LiveFile], bool]:
    """Which files may have rows of these sources, by their statistics."""
    with catalog.reading(store.catalog) as db:
        rows = db.execute(
            "SELECT data_file_id, min_value, max_value FROM ducklake_file_column_stats s "
            "JOIN ducklake_column c USING (table_id, column_id) WHERE column_name = 'source_id'"
        ).fetchall()
    within = {
        file_id
        for file_id, low, high in rows
        if low is None or any(low <= each <= high for each in source_ids)
    }
    return lambda file: file.file_id in within
