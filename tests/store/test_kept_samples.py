"""Samples and sums beside records files: what they hold, who may read them, when they go."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from store_samples import source

from l7meter import schema
from l7meter.store import Store, connect, cover, expire, forget, repair, samples, sampling
from l7meter.store.sampling import keep

START = datetime(2026, 3, 1, tzinfo=UTC)
SUMS = "SELECT sum(requests), sum(server_bytes) FROM summed_requests"
DRAWN = f"""
    SELECT count(*), bit_xor(object), min(chance_kept) FROM sampled_requests
    WHERE object::DOUBLE / {2.0**64} < {samples.RATE}"""


def append(store: Store, source_id: str, count: int) -> None:
    """Requests for 5,000 objects, a thousandth of them large."""
    sparse = pl.select(
        ts=pl.lit(START) + pl.duration(seconds=pl.int_range(count)),
        client_address=pl.lit("192.0.2.1"),
        url_path=pl.format("/{}", pl.int_range(count) % 5000),
        server_bytes=pl.when(pl.int_range(count) % 1000 == 0).then(10_000_000).otherwise(1000),
        server_bytes_basis=pl.lit("content"),
        exchange_kind=pl.lit("http"),
    )
    whole = sparse.select(
        (pl.col(name) if name in sparse.columns else pl.lit(None)).cast(type_).alias(name)
        for name, type_ in schema.POLARS.items()
    ).with_columns(source_id=pl.lit(source_id), source_line=pl.int_range(1, pl.len() + 1))
    octets = int(whole["server_bytes"].sum())
    end = START + timedelta(seconds=count - 1)
    entry = replace(source(source_id, 1), lines=count + 1, records=count, first_ts=START, last_ts=end, unmeasured_records=0, server_bytes_content=octets)  # fmt: skip
    store.append([entry], [store.write("records", whole)])


def made(store: Store) -> list[str]:
    return sorted(path.name for path in (store.data / samples.FOLDER).glob("*/*"))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "store")


def test_they_hold_what_the_records_hold(store: Store) -> None:
    append(store, "a" * 32, 20_000)
    append(store, "b" * 32, 3_000)
    said = []
    for _ in range(2):
        with connect(store.path, locked=True) as con:
            said.append([con.execute(sql).fetchall() for sql in (SUMS, DRAWN)])
            large = con.execute("SELECT count(*) FROM sampled_requests WHERE server_bytes > 1000").fetchall()  # fmt: skip
            rows = con.execute("SELECT count(*) FROM sampled_requests").fetchall()[0][0]
        assert large == [(23,)], "the large ones are all drawn"
        assert keep(store, rows=10_000) == (1 if len(said) == 1 else 0)
    assert said[0][0] == said[1][0]
    assert said[0][1][0][:2] == said[1][1][0][:2]
    assert said[0][1][0][2] == 1.0
    assert said[1][1][0][2] == samples.RATE
    assert 3_000 < rows < 4_000  # of one file a sample, of the small one all


def test_only_large_files_have_them_and_rollups_make_them(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    append(store, "a" * 32, 2_000)
    cover(store)
    assert made(store) == []
    monkeypatch.setattr(sampling.keep, "__kwdefaults__", {"rows": 2_000})
    cover(store)
    (file,) = store.files("records")
    assert made(store) == sorted([file.name, file.name.replace(".parquet", ".sums.parquet")])


def test_they_go_with_their_file(store: Store) -> None:
    append(store, "a" * 32, 2_000)
    append(store, "b" * 32, 2_000)
    keep(store, rows=1)
    assert len(made(store)) == 4
    forget(store, ["a" * 32])
    assert len(made(store)) == 4  # --snapshot still answers
    expire(store, store.snapshot())
    assert len(made(store)) == 2


def test_left_overs_and_other_versions_are_swept(store: Store) -> None:
    append(store, "a" * 32, 2_000)
    keep(store, rows=1)
    place = samples.folder(store.data)
    other = place.with_name("0-0123456789abcdef")
    other.mkdir()
    stray = [other / "x.parquet", place / f"{'0' * 32}.parquet", place / "old.tmp"]
    at_work = place / "new.tmp"
    for path in (*stray, at_work):
        path.write_bytes(b"")
    ago = (datetime.now(UTC) - timedelta(days=2)).timestamp()
    os.utime(stray[2], (ago, ago))
    assert repair(store) == []
    keep(store, rows=1)
    assert not any(path.exists() for path in stray)
    assert not other.exists()
    assert at_work.exists()
    assert len(made(store)) == 3


def test_another_hash_is_another_sample(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    append(store, "a" * 32, 2_000)
    keep(store, rows=1)
    monkeypatch.setattr(samples, "_hashing", lambda: "f" * 16)
    with connect(store.path) as con:
        assert con.execute("SELECT count(*) FROM sampled_requests").fetchall() == [(2_000,)]
    assert keep(store, rows=1) == 1
    assert len(made(store)) == 2


def test_a_damaged_sample_takes_no_answer_away(store: Store) -> None:
    append(store, "a" * 32, 2_000)
    keep(store, rows=1)
    for path in samples.folder(store.data).iterdir():
        path.chmod(0o600)
        path.write_bytes(path.read_bytes()[:100])
    with connect(store.path, locked=True) as con:
        for table in ("records", "sampled_requests", "summed_requests"):
            assert con.execute(f"SELECT count(*) FROM {table}").fetchall() == [(2_000,)]
