from __future__ import annotations

import sqlite3
from pathlib import Path

import polars as pl
import pytest
from store_samples import frame, rejects, source

from l7meter.errors import StoreError
from l7meter.schema import RECORD
from l7meter.store import Store, connect, verify


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "store")


def ingest(store: Store, *source_ids: str, rows: int = 20) -> None:
    data = pl.concat([frame(s, rows) for s in source_ids]).sort("ts")
    store.append([source(s, rows) for s in source_ids], [store.write("records", data)])


def counts(path: Path) -> list[tuple[str, int, int]]:
    query = "SELECT source_id, count(*), sum(server_bytes) FROM records GROUP BY ALL ORDER BY ALL"
    return connect(path).execute(query).fetchall()


def expected(*source_ids: str, rows: int = 20) -> list[tuple[str, int, int]]:
    return [(s, rows, frame(s, rows)["server_bytes"].sum()) for s in sorted(source_ids)]


def test_append_commits_records_rejects_and_ledger_together(store: Store) -> None:
    files = [
        store.write("records", frame("a", 20)),
        store.write("rejects", rejects("a", 3)),
    ]
    appended = store.append([source("a", 20, rejected=3)], files)
    assert appended.dropped == frozenset()
    assert counts(store.path) == expected("a")
    con = connect(store.path)
    assert con.execute("SELECT count(*), sum(line_bytes) FROM rejects").fetchall() == [(3, 39)]
    answer = con.execute("SELECT source_id, records, rejects, snapshot_id FROM sources").fetchall()
    assert answer == [("a", 20, 3, appended.snapshot)]
    assert verify(store) == []


def test_ledger_row_comes_back_as_it_was_given(store: Store) -> None:
    ingest(store, "a")
    (row,) = store.find_heads("head of a")
    given = source("a")
    assert row.snapshot_id == store.snapshot()
    assert row.ingested_at is not None
    for name in ("name", "skipped_by_reason", "first_ts", "last_ts", "server_bytes_content"):
        assert getattr(row, name) == getattr(given, name)
    assert store.find_heads("head of b") == []


def test_source_that_is_known_is_left_out_with_its_rows(store: Store) -> None:
    ingest(store, "a")
    mixed = pl.concat([frame("b"), frame("a"), frame("c")]).sort("ts")
    files = [store.write("records", mixed), store.write("records", frame("d"))]
    appended = store.append([source(s) for s in "abcd"], files)
    assert appended.dropped == {"a"}
    assert counts(store.path) == expected("a", "b", "c", "d")
    assert verify(store) == []


def test_nothing_new_makes_no_snapshot_and_leaves_no_file(store: Store) -> None:
    ingest(store, "a")
    before = store.snapshot()
    appended = store.append([source("a")], [store.write("records", frame("a"))])
    assert (appended.snapshot, appended.dropped) == (None, {"a"})
    assert store.snapshot() == before
    assert verify(store) == []


def test_source_without_records_is_entered(store: Store) -> None:
    store.append([source("empty", 0)], [])
    assert store.known(["empty", "other"]) == {"empty"}
    assert verify(store) == []


def test_lines_that_do_not_add_up_are_not_committed(store: Store) -> None:
    row = source("a")
    object.__setattr__(row, "lines", row.lines + 1)
    with pytest.raises(StoreError, match=r"records \+ rejects \+ skipped"):
        store.append([row], [store.write("records", frame("a"))])
    assert store.known(["a"]) == set()
    assert counts(store.path) == []


def test_rows_without_a_source_are_not_committed(store: Store) -> None:
    files = [store.write("records", frame("a")), store.write("records", frame("b"))]
    with pytest.raises(
        StoreError, match="would change by 40 rows where its sources account for 20"
    ):
        store.append([source("a")], files)
    with pytest.raises(StoreError, match="account for 0"):
        store.append([], files)
    assert store.known(["a"]) == set()


def test_empty_store_answers_with_no_rows(store: Store) -> None:
    con = connect(store.path)
    for view in ("records", "requests", "rejects", "sources"):
        assert con.execute(f"SELECT count(*) FROM {view}").fetchall() == [(0,)]
    described = con.execute("DESCRIBE records").fetchall()
    assert [(c[0], c[1]) for c in described] == [(c.name, c.shown) for c in RECORD]
    ingest(store, "a")
    assert connect(store.path).execute("DESCRIBE records").fetchall() == described


def test_unknown_column_and_empty_frame_are_faults_of_the_caller(store: Store) -> None:
    with pytest.raises(ValueError, match="no columns \\['colour'\\]"):
        store.write("records", frame("a").with_columns(colour=1))
    with pytest.raises(ValueError, match="no rows"):
        store.write("records", frame("a").clear())


def test_replace_ends_files_and_keeps_them_for_time_travel(store: Store) -> None:
    ingest(store, "a")
    ingest(store, "b")
    old = store.snapshot()
    files = store.files("records")
    both = pl.concat([frame("a"), frame("b")]).sort("ts").with_columns(organization=pl.lit("x"))
    new = store.replace(files, [store.write("records", both)], message="again")
    assert counts(store.path) == expected("a", "b")
    query = "SELECT count(organization) FROM records"
    assert connect(store.path).execute(query).fetchall() == [(40,)]
    assert connect(store.path, snapshot=old).execute(query).fetchall() == [(0,)]
    assert new == store.snapshot()
    assert verify(store) == []


def test_replace_refuses_a_file_that_is_no_longer_live(store: Store) -> None:
    ingest(store, "a")
    files = store.files("records")
    store.replace(files, [store.write("records", frame("a"))], message="first")
    before = store.snapshot()
    with pytest.raises(StoreError, match="replaced meanwhile"):
        store.replace(files, [store.write("records", frame("a"))], message="second")
    assert store.snapshot() == before
    assert counts(store.path) == expected("a")


def test_forgotten_source_is_gone_and_may_come_again(store: Store) -> None:
    ingest(store, "a", "b")
    old = store.snapshot()
    store.replace(
        store.files("records"),
        [store.write("records", frame("b"))],
        forget=["a"],
        message="forget a",
    )
    assert counts(store.path) == expected("b")
    assert store.known(["a", "b"]) == {"b"}
    then = connect(store.path, snapshot=old).execute("SELECT source_id FROM sources ORDER BY 1")
    assert then.fetchall() == [("a",), ("b",)]
    ingest(store, "a")
    assert counts(store.path) == expected("a", "b")
    assert verify(store) == []


def test_forget_refuses_a_source_that_is_not_there(store: Store) -> None:
    with pytest.raises(StoreError, match="source nobody is not in the ledger"):
        store.replace([], [], forget=["nobody"], message="forget")


def test_time_travel_sees_each_commit(store: Store) -> None:
    first = store.snapshot()
    for s in "abc":
        ingest(store, s)
    seen = [
        connect(store.path, snapshot=first + i).execute("SELECT count(*) FROM records").fetchall()
        for i in range(4)
    ]
    assert seen == [[(0,)], [(20,)], [(40,)], [(60,)]]
    with pytest.raises(Exception, match="no snapshot 99; the latest is 4"):
        connect(store.path, snapshot=99)


def test_column_newer_than_the_store_is_added_at_the_next_write(store: Store) -> None:
    ingest(store, "a")
    with sqlite3.connect(store.catalog) as db:
        (column,) = db.execute(
            "SELECT column_id FROM ducklake_column WHERE column_name = 'purl'"
        ).fetchone()
        for table in ("column", "file_column_stats", "table_column_stats"):
            db.execute(
                f"DELETE FROM ducklake_{table} WHERE column_id = ? AND table_id = 1", (column,)
            )
    older = Store.open(store.path)
    assert connect(store.path).execute("SELECT count(*), count(purl) FROM records").fetchall() == [
        (20, 0)
    ]
    data = frame("b").with_columns(purl=pl.lit("pkg:pypi/x@1"))
    older.append([source("b")], [older.write("records", data)])
    query = "SELECT source_id, count(*), count(purl) FROM records GROUP BY ALL ORDER BY ALL"
    assert connect(store.path).execute(query).fetchall() == [("a", 20, 0), ("b", 20, 20)]
    assert verify(older) == []
