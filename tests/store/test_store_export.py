"""An export is the rows of a snapshot, whole or not there, and never in the place of anything else."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl
import pytest
from blake3 import blake3
from store_samples import frame, rejects, source

from l7meter.errors import StoreError, UsageError
from l7meter.reports.files import open_writer
from l7meter.store import Store, connect, exporting
from l7meter.store.exporting import Exported, export

PLAIN = ("records", "rejects", "sources", "attributions")
DAYS = [date(2026, 3, 1), date(2026, 3, 2), date(2026, 3, 4)]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Three days of 20 records each, one record without a time, two rejects of the last source."""
    store = Store.create(tmp_path / "store")
    for number, day in enumerate(DAYS):
        start = datetime(day.year, day.month, day.day, 23, 59, 40, tzinfo=UTC)
        data = frame(str(day)).with_columns(
            ts=pl.datetime_range(start, start, time_unit="us", time_zone="UTC", eager=True)[0]
            + pl.duration(seconds=pl.int_range(20))
        )
        files = [store.write("records", data)]
        late = number == len(DAYS) - 1
        if late:
            files.append(store.write("rejects", rejects(str(day), 2)))
        row = source(str(day), 20, 2 if late else 0)
        moments = {"first_ts": data["ts"].min(), "last_ts": data["ts"].max()}
        store.append([type(row)(**{**vars(row), **moments})], files)
    timeless = frame("timeless", 1).with_columns(ts=pl.lit(None, pl.Datetime("us", "UTC")))
    row = source("timeless", 1)
    store.append(
        [type(row)(**{**vars(row), "first_ts": None, "last_ts": None})],
        [store.write("records", timeless)],
    )
    store.close()
    return store


def run(store: Store, target: Path, format_: str = "parquet", **options: Any) -> list[Exported]:
    return export(
        store,
        target,
        lambda stream, schema: open_writer(format_, stream, schema),
        format_,
        **options,
    )


def tree(directory: Path) -> dict[str, bytes]:
    return {str(p.relative_to(directory)): p.read_bytes() for p in directory.rglob("*") if p.is_file()}  # fmt: skip


def test_a_folder_for_each_day_and_a_manifest_that_says_what_is_there(
    store: Store, tmp_path: Path
) -> None:
    target = tmp_path / "copy"
    done = run(store, target)
    assert "requests" not in {file.table for file in done}  # its rows are the records'
    assert {file.path: file.rows for file in done if file.table in PLAIN} == {
        **{f"records/day={day}/records-{day}.parquet": 20 for day in DAYS},
        "records/day=__HIVE_DEFAULT_PARTITION__/records-no-day.parquet": 1,
        "rejects/rejects.parquet": 2,
        "sources/sources.parquet": 4,
        "attributions/attributions.parquet": 0,
    }
    said = json.loads((target / "manifest.json").read_text())
    assert said["snapshot"] == store.snapshot()
    assert set(tree(target)) == {"manifest.json", *(file["path"] for file in said["files"])}
    for file in said["files"]:
        data = (target / file["path"]).read_bytes()
        assert (file["size_bytes"], file["blake3"]) == (len(data), blake3(data).hexdigest())
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("by_day", [True, False])
def test_rows_are_those_of_the_store(store: Store, tmp_path: Path, by_day: bool) -> None:
    done = run(store, tmp_path / "copy", tables=["records", "requests"], by_day=by_day)
    for table in ("records", "requests"):
        paths = [tmp_path / "copy" / file.path for file in done if file.table == table]
        copied = pl.concat([pl.read_parquet(path) for path in paths])
        with connect(store.path) as con:
            answer = con.sql(f"FROM {table}").to_arrow_table()
        kept = [name for name in copied.columns if not copied.schema[name].is_nested()]
        wanted = pl.DataFrame(answer).select(kept)
        order = ["source_id", "source_line"]
        assert copied.select(kept).sort(order).equals(wanted.sort(order))


def test_same_snapshot_gives_the_same_octets_whatever_came_since(
    store: Store, tmp_path: Path
) -> None:
    at = store.snapshot()
    run(store, tmp_path / "one", snapshot=at)
    store.append([source("later")], [store.write("records", frame("later"))])
    run(store, tmp_path / "two", snapshot=at)
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_days_asked_for_bound_records_and_choose_sources(store: Store, tmp_path: Path) -> None:
    done = run(store, tmp_path / "copy", since=DAYS[1], until=DAYS[2])
    assert {file.path: file.rows for file in done if file.rows and file.table in PLAIN} == {
        "records/day=2026-03-02/records-2026-03-02.parquet": 20,
        "sources/sources.parquet": 2,  # one has no times: it cannot be told
    }
    done = run(store, tmp_path / "rest", since=DAYS[2], by_day=False)
    assert {file.table: file.rows for file in done if file.rows and file.table in PLAIN} == {"records": 20, "rejects": 2, "sources": 2}  # fmt: skip


def test_csv_and_json_lines_are_what_the_reports_write(store: Store, tmp_path: Path) -> None:
    run(store, tmp_path / "csv", "csv", tables=["rejects"])
    lines = (tmp_path / "csv" / "rejects" / "rejects.csv").read_text().splitlines()
    assert lines[0] == "source_id,source_line,reason,line,line_bytes"
    assert lines[1] == "2026-03-04,1000,no-match,bad line 0 \\xff,13"
    run(store, tmp_path / "jsonl", "jsonl", tables=["sources"])
    rows = (tmp_path / "jsonl" / "sources" / "sources.jsonl").read_text().splitlines()
    assert sorted(json.loads(row)["records"] for row in rows) == [1, 20, 20, 20]


def test_dry_run_counts_and_writes_nothing(store: Store, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    planned = run(store, tmp_path / "copy", dry_run=True)
    assert sum(file.rows for file in planned if file.table == "records") == 61
    assert sorted(tmp_path.rglob("*")) == before


def _not_empty(path: Path) -> None:
    path.mkdir()
    (path / "mine").write_text("kept")


def _a_file(path: Path) -> None:
    path.write_text("kept")


@pytest.mark.parametrize(
    ("make", "force", "problem"),
    [
        (_not_empty, False, "not empty"),
        (_not_empty, True, "not an export"),
        (_a_file, True, "a file is there"),
    ],
)
def test_nothing_of_others_is_replaced(
    store: Store, tmp_path: Path, make: Callable[[Path], None], force: bool, problem: str
) -> None:
    target = tmp_path / "copy"
    make(target)
    before = tree(tmp_path)
    with pytest.raises(UsageError, match=problem):
        run(store, target, force=force)
    assert tree(tmp_path) == before


def test_force_replaces_an_earlier_export_and_only_that(store: Store, tmp_path: Path) -> None:
    target = tmp_path / "copy"
    run(store, target)
    run(store, target, "csv", tables=["rejects"], force=True)
    assert set(tree(target)) == {"manifest.json", "rejects/rejects.csv"}
    (target / "mine").write_text("kept")
    with pytest.raises(UsageError, match="not an export"):
        run(store, target, force=True)


@pytest.mark.parametrize("place", ["store", "store/data/records/copy", "."])
def test_the_store_is_no_place_for_an_export(store: Store, tmp_path: Path, place: str) -> None:
    with pytest.raises(UsageError, match="the store is there"):
        run(store, tmp_path / place, force=True)


def test_a_link_to_the_store_is_the_store(store: Store, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(store.path)
    with pytest.raises(UsageError, match="the store is there"):
        run(store, tmp_path / "link" / "copy")


class Full:
    """A writer on a disk that fills up."""

    def __init__(self, stream: BinaryIO, schema: pl.Schema) -> None:
        stream.write(b"half")

    def write(self, frame: pl.DataFrame, /) -> None:
        raise OSError(28, "No space left on device")

    def close(self) -> None: ...


def test_export_that_fails_leaves_what_was_there(store: Store, tmp_path: Path) -> None:
    target = tmp_path / "copy"
    run(store, target)
    before = tree(tmp_path)
    with pytest.raises(StoreError, match="No space left on device; make room"):
        export(store, target, Full, "csv", force=True)
    assert tree(tmp_path) == before
    with pytest.raises(StoreError):
        export(store, tmp_path / "new", Full, "csv")
    assert not [path for path in tmp_path.iterdir() if path.name not in ("store", "copy")]


def test_batches_are_bounded(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heights: list[int] = []

    class Counting(Full):
        def write(self, frame: pl.DataFrame, /) -> None:
            heights.append(frame.height)

    monkeypatch.setattr(exporting, "BATCH_ROWS", 2048)
    data = frame("many", 10_000)
    store.append([source("many", 10_000)], [store.write("records", data)])
    export(store, tmp_path / "copy", Counting, "csv", tables=["records"], by_day=False)
    assert sum(heights) == 10_061
    assert max(heights) <= 2048


def test_unknown_table_names_those_there_are(store: Store, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--table x; DROP: there are attributions, records, reje"):
        run(store, tmp_path / "copy", tables=["x; DROP"])
