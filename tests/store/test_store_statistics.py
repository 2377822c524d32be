from __future__ import annotations

import math
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from store_samples import source

from l7meter.schema import COLUMNS
from l7meter.store import DataFile, Store, compact, connect, verify
from l7meter.store.datafile import write_frame
from l7meter.store.statistics import text_lower, text_upper

IDS = {name: i for i, name in enumerate(COLUMNS, start=1)}
YEAR = 31_557_600_000_000  # µs

texts = st.builds(
    lambda part, times: part * times,
    st.text(st.sampled_from("a~\0'\"é€\ud7ff\ue000\U0001f600\U0010ffff"), max_size=4)
    | st.text(max_size=6),
    st.sampled_from([1, 1, 1, 63, 64, 65, 256, 257, 5000]),
)
doubles = st.floats() | st.sampled_from([0.0, -0.0, math.nan, math.inf, -math.inf])
instants = st.integers(-5_000 * YEAR, 200_000 * YEAR) | st.integers(-10, 10)
frames = st.lists(
    st.tuples(
        st.none() | texts,
        st.none() | doubles,
        st.none() | instants,
        st.none() | st.integers(-(2**63), 2**63 - 1),
        st.none() | st.booleans(),
    ),
    min_size=1,
    max_size=12,
)
NAMES = ("user_agent_original", "duration", "ts", "response_size", "complete")


def make(rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    schema = {name: COLUMNS[name].polars for name in NAMES} | {"ts": pl.Int64()}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return frame.with_columns(pl.col("ts").cast(COLUMNS["ts"].polars))


@given(texts)
def test_text_bounds_enclose_and_are_plain(value: str) -> None:
    assert text_lower(value) <= value <= text_upper(value)
    assert "\0" not in text_lower(value)
    assert len(text_lower(value)) <= 256
    assert text_upper(value).encode().decode() == text_upper(value)  # no surrogate


@pytest.mark.parametrize(
    ("value", "upper"),
    [
        ("", ""),
        ("z", "z"),
        ("\0", "\x01"),
        ("a\0", "b"),
        ("\ud7ff" * 300, "\ud7ff" * 255 + "\ue000"),
        ("b" + "\U0010ffff" * 300, "c"),
        ("\U0010ffff" * 300, "\U0010ffff" * 300),
    ],
)
def test_text_upper(value: str, upper: str) -> None:
    assert text_upper(value) == upper


def holds(con: duckdb.DuckDBPyConnection, file: DataFile, column: str, value: object) -> bool:
    """Whether the recorded bounds of a column let a value through, as DuckLake would ask."""
    stats, type_ = file.stats[column], COLUMNS[column].duckdb
    query = f"SELECT $1::{type_} BETWEEN $2::{type_} AND $3::{type_} OR $4"
    nan = isinstance(value, float) and math.isnan(value) and bool(stats.contains_nan)
    answer = con.execute(query, [value, stats.lower, stats.upper, nan]).fetchall()
    return bool(answer[0][0])


@settings(max_examples=20, deadline=None)
@given(frames)
@example([("x" * 70 + "é" * 70, math.nan, -1, 0, None), ("é" * 40, 1.0, 1, 0, None)])
def test_statistics_and_footer_let_every_value_through(rows: list[tuple[Any, ...]]) -> None:
    frame = make(rows)
    with tempfile.TemporaryDirectory() as directory, duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        file = write_frame(Path(directory), "records", frame, IDS)
        path = f"'{directory}/{file.name}'"
        for name in NAMES:
            values = frame[name].drop_nulls().to_list() if name != "ts" else []
            stats = file.stats[name]
            assert (stats.values, stats.nulls) == (
                frame[name].len() - frame[name].null_count(),
                frame[name].null_count(),
            )
            for value in values:
                assert holds(con, file, name, value)
                assert count(con, path, f"{name} = $1", value) >= 1
        for value in frame["ts"].drop_nulls().to_physical().to_list():
            low, high = file.stats["ts"].lower, file.stats["ts"].upper
            query = (
                "SELECT make_timestamptz($1) BETWEEN $2::TIMESTAMPTZ AND $3::TIMESTAMPTZ",
                [value, low, high],
            )
            assert con.execute(*query).fetchall() == [(True,)]
            assert count(con, path, "ts = make_timestamptz($1)", value) >= 1
        nans = sum(isinstance(r[1], float) and math.isnan(r[1]) for r in rows)
        assert count(con, path, "duration > $1", 1e308) >= nans
        assert bool(file.stats["duration"].contains_nan) == bool(nans)


def count(con: duckdb.DuckDBPyConnection, path: str, condition: str, value: object) -> int:
    query = f"SELECT count(*) FROM read_parquet({path}) WHERE {condition}"
    return int(con.execute(query, [value]).fetchall()[0][0])


@settings(max_examples=6, deadline=None)
@given(st.lists(frames, min_size=2, max_size=3))
def test_table_and_merged_statistics_hold(parts: list[list[tuple[Any, ...]]]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        store = Store.create(directory)
        for i, rows in enumerate(parts):
            frame = make(rows).with_columns(source_id=pl.lit(f"s{i}"))
            row = source(f"s{i}", len(rows))
            store.append([row], [store.write("records", frame)])
        before = table_statistics(store)
        query = "SELECT count(*), count(duration), max(user_agent_original) FROM records"
        answer = connect(directory).execute(query).fetchall()
        compact(store)
        assert len(store.files("records")) == 1
        assert connect(directory).execute(query).fetchall() == answer
        assert not [p for p in verify(store) if p.kind == "statistics"]
        values = [r[0] for rows in parts for r in rows if r[0] is not None]
        if values:
            low, high = before["user_agent_original"]
            assert low <= min(values)
            assert high >= max(values)


def table_statistics(store: Store) -> dict[str, tuple[str, str]]:
    with sqlite3.connect(store.catalog) as db:
        rows = db.execute(
            "SELECT column_name, min_value, max_value FROM ducklake_table_column_stats "
            "JOIN ducklake_column USING (table_id, column_id) WHERE table_id = 1"
        )
        return {name: (low, high) for name, low, high in rows}


def test_categorical_text_is_read_as_text_and_bounded_in_text_order(tmp_path: Path) -> None:
    values = ["zebra", "ant", "zebra", None, "mule"]
    for kind in (pl.Categorical(), pl.Enum(["zebra", "mule", "ant"])):
        frame = pl.DataFrame({"agent_name": values}, schema={"agent_name": kind})
        file = write_frame(tmp_path, "records", frame, IDS)
        stats = file.stats["agent_name"]
        assert (stats.lower, stats.upper, stats.nulls) == ("ant", "zebra", 1)
        with duckdb.connect() as con:
            rows = con.execute(f"SELECT agent_name FROM '{tmp_path / file.name}'").fetchall()
            assert [r[0] for r in rows] == values


def test_instants_outside_the_common_era_are_bounded_by_infinity(tmp_path: Path) -> None:
    frame = make([(None, None, t, None, None) for t in (-3_000 * YEAR, 0, 100_000 * YEAR)])
    stats = write_frame(tmp_path, "records", frame, IDS).stats["ts"]
    assert (stats.lower, stats.upper) == ("-infinity", "infinity")
