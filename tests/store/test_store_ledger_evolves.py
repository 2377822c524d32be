"""A ledger that was made before captures were read, and what captures add to it."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from store_samples import frame, source

from l7meter.errors import StoreError
from l7meter.store import SourceRow, Store, connect, verify

NEWER = ("packets_carried", "connections", "exact_connections", "payload_bytes", "message_bytes", "tunnel_bytes", "remainder_bytes", "wire_bytes", "missing_bytes")  # fmt: skip


@pytest.fixture
def older(tmp_path: Path) -> Store:
    """A store with one source, made before the ledger had columns for captures."""
    with Store.create(tmp_path / "store") as made:
        made.append([source("a")], [made.write("records", frame("a"))])
    with sqlite3.connect(made.catalog) as db:
        for name in NEWER:
            db.execute(f"ALTER TABLE l7meter_source DROP COLUMN {name}")
    return Store.open(made.path)


def columns(store: Store) -> list[str]:
    with sqlite3.connect(store.catalog) as db:
        return [row[1] for row in db.execute("PRAGMA table_info(l7meter_source)")]


def capture(source_id: str, rows: int = 20, **changes: Any) -> tuple[SourceRow, pl.DataFrame]:
    """A capture of 50 packets, 7 of them skipped, and its records: 300 octets of wire each."""
    row = replace(
        source(source_id, rows),
        format="pcap",
        lines=50,
        skipped=7,
        skipped_by_reason={"ARP": 7},
        packets_carried=43,
        connections=4,
        exact_connections=1,
        payload_bytes=1000,
        message_bytes=700,
        tunnel_bytes=200,
        remainder_bytes=100,
        wire_bytes=300 * rows,
        missing_bytes=0,
    )
    data = frame(source_id, rows).with_columns(
        server_wire_bytes=pl.lit(200, pl.Int64), client_wire_bytes=pl.lit(100, pl.Int64)
    )
    return replace(row, **changes), data


def test_ledger_of_an_older_store_reads_as_null_and_is_left_as_it_is(older: Store) -> None:
    before = columns(older)
    (row,) = older.ledger().select("source_id", "records", *NEWER).rows()
    assert row == ("a", 20, *[None] * len(NEWER))
    (known,) = older.find_heads("head of a")
    assert known.packets_carried is None
    assert connect(older.path).execute("SELECT sum(wire_bytes) FROM sources").fetchall() == [
        (None,)
    ]
    assert verify(older) == []
    assert columns(older) == before


def test_first_write_adds_the_columns_that_are_missing(older: Store) -> None:
    row, data = capture("b")
    older.append([row], [older.write("records", data)])
    assert set(NEWER) <= set(columns(older))
    found = older.ledger().select("source_id", "lines", "records", "packets_carried", "wire_bytes")
    assert found.rows() == [("a", 21, 20, None, None), ("b", 50, 20, 43, 6000)]
    (same,) = older.find_heads("head of b")
    assert replace(same, ingested_at=None, snapshot_id=None) == row
    assert verify(older) == []


def test_write_that_is_refused_adds_no_column(older: Store) -> None:
    before = columns(older)
    row, data = capture("b", payload_bytes=999)
    files = [older.write("records", data)]
    with pytest.raises(StoreError):
        older.append([row], files)
    assert columns(older) == before


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"lines": 51}, r"51 and not 50 packets \(carried \+ rejects \+ skipped\)"),
        ({"packets_carried": 42}, "50 and not 49 packets"),
        ({"payload_bytes": 999}, "999 and not 1000 octets of payload"),
        ({"remainder_bytes": None}, "1000 and not 900 octets of payload"),
        ({"skipped_by_reason": {"ARP": 6}}, r"7 and not 6 packets \(skipped by reason\)"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_packets_and_octets_that_do_not_add_up_are_not_committed(
    older: Store, changes: dict[str, Any], words: str
) -> None:
    row, data = capture("b", **changes)
    with pytest.raises(StoreError, match=words):
        older.append([row], [older.write("records", data)])
    assert older.ledger()["source_id"].to_list() == ["a"]


def test_verify_compares_the_octets_on_the_wire_of_captures_alone(tmp_path: Path) -> None:
    with Store.create(tmp_path / "store") as store:
        row, data = capture("b")
        log = frame("a").with_columns(server_wire_bytes=pl.lit(5, pl.Int64))  # a log that says it
        files = [store.write("records", each) for each in (data, log)]
        store.append([row, source("a")], files)
    assert verify(store) == []
    with sqlite3.connect(store.catalog) as db:
        db.execute("UPDATE l7meter_source SET wire_bytes = wire_bytes + 1 WHERE source_id = 'b'")
    (problem,) = verify(store)
    assert problem.kind == "ledger"
    assert problem.message == "wire_bytes: the ledger says 6001, a scan 6000"
