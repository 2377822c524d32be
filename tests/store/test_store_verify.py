from __future__ import annotations

import os
import random
import sqlite3
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from store_samples import frame, rejects, source

from l7meter.errors import StoreError
from l7meter.store import Store, catalog, close, compact, connect, expire, repair, side, verify
from l7meter.store.datafile import new_path
from l7meter.store.days import day_states
from l7meter.store.overview import overview
from l7meter.store.publications import standing


@pytest.fixture
def store(tmp_path: Path) -> Store:
    with Store.create(tmp_path / "store") as made:
        for s in "abc":
            files = [made.write("records", frame(s)), made.write("rejects", rejects(s, 2))]
            made.append([source(s, rejected=2)], files)
    assert verify(made) == []
    return made


def first_file(store: Store) -> Path:
    return store.data / "records" / store.files("records")[0].name


def flip_an_octet(store: Store) -> None:
    path = first_file(store)
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 0x40
    path.chmod(0o644)
    path.write_bytes(data)


def lose_a_file(store: Store) -> None:
    first_file(store).unlink()


def cut_a_file(store: Store) -> None:
    path = first_file(store)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-9])


def leave_an_orphan(store: Store) -> None:
    new_path(store.data / "records").write_bytes(b"PAR1")


def in_catalog(sql: str) -> Callable[[Store], None]:
    def change(store: Store) -> None:
        with sqlite3.connect(store.catalog) as db:
            assert db.execute(sql).rowcount > 0

    return change


STATS = "UPDATE ducklake_file_column_stats SET {} WHERE table_id = 1 AND data_file_id = 0"


def test_flipped_octets_of_the_catalog_are_problems_or_a_sentence(store: Store) -> None:
    close(store, date(2027, 1, 1))
    whole = store.catalog.read_bytes()
    choice = random.Random(4)
    said: list[str] = []
    written = [place for place, octet in enumerate(whole) if octet]
    schema = [place for place in written if place < 4 * 4096]  # where all is read each time
    for place in choice.sample(written, 40) + choice.sample(schema, 40):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << choice.randrange(8)
        store.catalog.write_bytes(damaged)
        try:
            verify(Store.open(store.path), deep=False)
            day_states(Store.open(store.path))
            standing(store.path)
            overview(Store.open(store.path), datetime(2027, 1, 1, tzinfo=UTC))
        except StoreError as error:
            said.append(str(error))
    assert len(said) > 9
    assert all(each.startswith((f"{store.catalog}: ", "data/")) for each in said)
    store.catalog.write_bytes(whole)
    assert verify(Store.open(store.path)) == []


def test_names_in_the_catalog_that_are_no_text(store: Store) -> None:
    """SQLite says them in its error, which is then no UTF-8 either."""
    whole = store.catalog.read_bytes()
    name = b"CREATE TABLE l7meter_source"
    assert whole.count(name) == 1
    store.catalog.write_bytes(whole.replace(name, b"CREATE TABL\xc5 l7meter_source"))
    with pytest.raises(StoreError, match=r"catalog\.sqlite: .*; .*restore the catalog"):
        verify(Store.open(store.path))


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("UPDATE l7meter_source SET last_ts = 'x026-01-01'", "last_ts"),
        ("UPDATE l7meter_source SET records = 'many'", "many"),
        ("UPDATE ducklake_data_file SET path = x'2f2f'", "path"),
        ("UPDATE ducklake_data_file SET record_count = NULL", "record_count"),
        ("UPDATE l7meter_setting SET value = '2026-1x-01' WHERE name = 'records_from'", "2026-1x"),
        ("DELETE FROM ducklake_snapshot", ""),
    ],
)
def test_values_of_the_catalog_that_cannot_be(store: Store, sql: str, words: str) -> None:
    with catalog.writing(store.catalog) as db:
        side.set_horizon(db, date(2020, 1, 1))
    in_catalog(sql)(store)
    with pytest.raises(StoreError, match=rf"catalog\.sqlite: .*{words}.*; .*restore the catalog"):
        verify(Store.open(store.path))


@pytest.mark.parametrize(
    ("damage", "kind", "words"),
    [
        (flip_an_octet, "content", "changed since it was written"),
        (lose_a_file, "missing", "20 rows are lost"),
        (cut_a_file, "size", "octets, not"),
        (leave_an_orphan, "orphan", "no snapshot refers to it"),
        (
            in_catalog("UPDATE l7meter_source SET server_bytes_content = 7 WHERE source_id = 'b'"),
            "ledger",
            "server_bytes_content: the ledger says 7",
        ),
        (
            in_catalog("UPDATE l7meter_source SET unmeasured_records = 6 WHERE source_id = 'b'"),
            "ledger",
            "unmeasured_records: the ledger says 6, a scan 5",
        ),
        (
            in_catalog("UPDATE l7meter_source SET rejects = 1 WHERE source_id = 'b'"),
            "ledger",
            "rejects",
        ),
        (
            in_catalog("UPDATE l7meter_source SET end_snapshot = 2 WHERE source_id = 'b'"),
            "ledger",
            "records: the ledger says 0, a scan 20",
        ),
        (
            in_catalog(
                "UPDATE l7meter_source SET last_ts = '2031-01-01 00:00:00.000000+00' "
                "WHERE source_id = 'b'"
            ),
            "ledger",
            "last_ts",
        ),
        (
            in_catalog(STATS.format("max_value = '192.0.2.0'") + " AND column_id = 3"),
            "statistics",
            "do not hold for client_address",
        ),
        (
            in_catalog(STATS.format("min_value = '2031-01-01 00:00:00+00'") + " AND column_id = 1"),
            "statistics",
            "do not hold for ts",
        ),
        (
            in_catalog(STATS.format("null_count = 0, value_count = 20") + " AND column_id = 2"),
            "statistics",
            "do not hold for duration",
        ),
        (
            in_catalog(
                "DELETE FROM ducklake_file_column_stats WHERE data_file_id = 0 AND column_id = 2"
            ),
            "statistics",
            "do not hold for duration",
        ),
        (
            in_catalog("UPDATE ducklake_data_file SET record_count = 21 WHERE data_file_id = 0"),
            "statistics",
            "20 rows, not 21",
        ),
    ],
)
def test_verify_finds(store: Store, damage: Callable[[Store], None], kind: str, words: str) -> None:
    damage(store)
    problems = verify(store)
    assert kind in {p.kind for p in problems}
    assert any(words in p.message for p in problems if p.kind == kind), problems


def test_octets_of_another_basis_are_no_octets_of_the_ledgers(store: Store) -> None:
    data = pl.concat([frame(s) for s in "abc"]).with_columns(server_bytes_basis=pl.lit("wire"))
    store.replace(store.files("records"), [store.write("records", data)], message="wrong")
    words = {p.message.split(":")[0] for p in verify(store)}
    assert words == {"server_bytes_content", "server_bytes_wire"}


def test_repair_removes_what_a_dead_writer_left(store: Store) -> None:
    half = new_path(store.data / "records")
    half.write_bytes(b"half a file")
    with Store.open(store.path) as dead:
        lost = store.data / "rejects" / dead.write("rejects", rejects("x", 1)).name
    assert repair(store, dry_run=True) == [half, lost]
    assert half.exists()
    assert repair(store) == [half, lost]
    assert verify(store) == []


def test_repair_spares_the_files_of_a_writer_at_work(store: Store) -> None:
    with Store.open(store.path) as writer:
        file = writer.write("records", frame("d"))
        old = new_path(store.data / "records")
        old.write_bytes(b"left yesterday")
        os.utime(old, (1, 1))
        assert repair(store) == [old]
        writer.append([source("d")], [file])
    assert verify(store) == []


def test_repair_spares_young_files_of_others(store: Store) -> None:
    other = store.data / "records" / "ducklake-018f.parquet"
    other.write_bytes(b"being written")
    assert repair(store) == []
    os.utime(other, (1, 1))
    assert repair(store) == [other]


def test_compact_merges_small_files_in_order_of_time(store: Store) -> None:
    before = connect(store.path).sql("FROM records ORDER BY ALL").to_arrow_table()
    old = store.snapshot()
    assert len(compact(store)) == 1
    (file,) = store.files("records")
    assert file.rows == 60
    read = pl.read_parquet(store.data / "records" / file.name)
    assert read["ts"].is_sorted()
    assert connect(store.path).sql("FROM records ORDER BY ALL").to_arrow_table() == before
    assert len(store.files("records", old)) == 3
    assert compact(store) == []
    assert verify(store) == []


def test_compact_keeps_to_its_limits(store: Store) -> None:
    for s in "defgh":
        store.append([source(s)], [store.write("records", frame(s))])
    assert len(compact(store, max_rows=65)) == 3
    assert sorted(f.rows for f in store.files("records")) == [40, 60, 60]
    assert verify(store) == []


class Interrupted(Store):
    """Another process appends between the merge of files and its commit."""

    def replace(self, *args: Any, **kwargs: Any) -> int:
        other = Store.open(self.path)
        other.append([source("late")], [other.write("records", frame("late"))])
        return super().replace(*args, **kwargs)


def test_append_during_compaction_is_kept(store: Store) -> None:
    compact(Interrupted.open(store.path))
    assert sorted(f.rows for f in store.files("records")) == [20, 60]
    assert verify(store) == []


def test_expire_removes_files_that_only_older_snapshots_have(store: Store) -> None:
    old = store.snapshot()
    compact(store)
    assert expire(store, old) == []
    assert len(expire(store, store.snapshot())) == 3
    assert len(list((store.data / "records").iterdir())) == 1
    assert store.info()["snapshots"] == 1
    assert verify(store) == []
    with pytest.raises(Exception, match=f"no snapshot {old}"):
        connect(store.path, snapshot=old)


def test_info(store: Store) -> None:
    info = store.info()
    assert (info["sources"], info["records_rows"], info["rejects_rows"]) == (3, 60, 6)
    assert (info["records_files"], info["snapshot"], info["snapshots"]) == (3, 4, 5)
    assert info["first_ts"] == min(frame(s)["ts"].min() for s in "abc")
    assert info["records_bytes"] == sum(f.size_bytes for f in store.files("records"))
