from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import polars as pl
import pytest
from store_samples import frame, source

from l7meter.errors import StoreError, UsageError
from l7meter.store import Store, connect, select, statements


def filled(path: Path, data: pl.DataFrame) -> Store:
    store = Store.create(path)
    store.append([source("a", data.height)], [store.write("records", data)])
    return store


def requests(tmp_path: Path, select: str, **columns: object) -> list[tuple[object, ...]]:
    """`select` over one request for each value of the given columns, in order."""
    length = len(next(iter(columns.values())))
    data = pl.DataFrame(
        columns | {"exchange_kind": ["http"] * length, "source_line": list(range(length))}
    )
    con = connect(filled(tmp_path / "store", data).path)
    return con.execute(f"SELECT {select} FROM requests ORDER BY source_line").fetchall()


def test_sql_that_needs_more_memory_than_there_is(tmp_path: Path) -> None:
    Store.create(tmp_path / "store")
    with connect(tmp_path / "store") as con:
        con.execute(
            "SET memory_limit = '20MB'; SET max_temp_directory_size = '0B'; SET threads = 1"
        )
        with pytest.raises(StoreError, match=r"more memory.*TMPDIR"):
            select(con, "SELECT count(*) FROM (SELECT DISTINCT range, hash(range) FROM range(9000000))")  # fmt: skip
        assert select(con, "SELECT 1 AS one").rows() == [(1,)]


def test_day_and_hour_are_of_utc_in_every_session(tmp_path: Path) -> None:
    moments = [
        datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(2026, 3, 1, 0, 0, tzinfo=UTC),
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
    ]
    data = pl.DataFrame({"ts": moments, "exchange_kind": ["http"] * 3})
    con = connect(filled(tmp_path / "store", data).path)
    for zone in ("UTC", "America/New_York", "Asia/Kolkata"):
        con.execute(f"SET TimeZone = '{zone}'")
        rows = con.execute("SELECT day::VARCHAR, epoch(hour) FROM requests ORDER BY ts").fetchall()
        assert rows == [
            ("1969-12-31", -3600.0),
            ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC).timestamp()),
            ("2026-10-25", datetime(2026, 10, 25, tzinfo=UTC).timestamp()),
        ]


def test_status_class(tmp_path: Path) -> None:
    codes = [100, 206, 304, 404, 599, 0, 999, None]
    rows = requests(tmp_path, "status_class", response_status_code=codes)
    assert [r[0] for r in rows] == ["1xx", "2xx", "3xx", "4xx", "5xx", None, None, None]


@pytest.mark.parametrize(
    ("words", "hit"),
    [
        ("HIT hit Hit STALE UPDATING REVALIDATED RefreshHit OriginShieldHit HIT-CLUSTER", True),
        ("TCP_HIT TCP_MEM_HIT TCP_MEM_HIT_ABORTED TCP_REFRESH_UNMODIFIED HIT-STALE", True),
        ("MISS miss Miss EXPIRED BYPASS PASS pass dynamic TCP_MISS TCP_MISS_ABORTED", False),
        ("HITPASS MISS-CLUSTER TCP_REFRESH_MODIFIED TCP_TUNNEL hitmiss pipe", False),
        ("Error LimitExceeded TCP_DENIED NONE unknown synth - HITCHHIKER ERROR-LOSTHDR", None),
    ],
)
def test_cache_words(tmp_path: Path, words: str, hit: bool | None) -> None:
    rows = requests(tmp_path, "cache_status, cache_hit", cache_status=words.split())
    assert rows == [(word, hit) for word in words.split()]


def test_weight_of_an_unsampled_record_is_one(tmp_path: Path) -> None:
    assert requests(tmp_path, "weight", sample_weight=[None, 100.0]) == [(1.0,), (100.0,)]


def test_requests_are_http_exchanges_only(tmp_path: Path) -> None:
    kinds = ["http", "tls", "quic", "tunnel", "remainder"]
    data = pl.DataFrame({"exchange_kind": kinds, "source_line": list(range(5))})
    con = connect(filled(tmp_path / "store", data).path)
    assert con.execute("SELECT count(*) FROM records").fetchall() == [(5,)]
    assert con.execute("SELECT exchange_kind FROM requests").fetchall() == [("http",)]


def test_filters_find_every_row_of_many_files(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "store")
    data = {s: frame(s, 50) for s in "abcdef"}
    for s, rows in data.items():
        store.append([source(s, 50)], [store.write("records", rows)])
    whole = pl.concat(data.values())
    con = connect(store.path)
    for address in whole["client_address"].cast(pl.String).unique():
        query = "SELECT count(*) FROM records WHERE client_address = ?"
        found = con.execute(query, [address]).fetchall()[0][0]
        assert found == (whole["client_address"].cast(pl.String) == address).sum()
    for moment in whole["ts"].sample(20, seed=1):
        query = "SELECT count(*) FROM records WHERE ts < ?"
        assert con.execute(query, [moment]).fetchall()[0][0] == (whole["ts"] < moment).sum()


@pytest.fixture
def locked(tmp_path: Path) -> duckdb.DuckDBPyConnection:
    (tmp_path / "secret.csv").write_text("a\n1\n")
    return connect(filled(tmp_path / "store", frame("a")).path, locked=True)


def test_locked_connection_answers(locked: duckdb.DuckDBPyConnection) -> None:
    assert locked.execute("SELECT count(*) FROM requests").fetchall() == [(20,)]
    locked.execute("CREATE TEMP TABLE t AS SELECT organization FROM requests")
    locked.execute("CREATE TEMP VIEW v AS FROM t")
    assert locked.execute("SELECT count(*) FROM v").fetchall() == [(20,)]


def test_empty_store_can_be_locked(tmp_path: Path) -> None:
    con = connect(Store.create(tmp_path / "store").path, locked=True)
    assert con.execute("SELECT count(*) FROM requests").fetchall() == [(0,)]


@pytest.mark.parametrize(
    "sql",
    [
        "FROM read_csv('{dir}/secret.csv')",
        "FROM '{dir}/secret.csv'",
        "FROM read_text('{dir}/secret.csv')",
        "FROM read_blob('{dir}/store/catalog.sqlite')",
        "FROM glob('{dir}/*')",
        "COPY (SELECT 1) TO '{dir}/out.csv'",
        "COPY records TO '{dir}/store/data/records/new.parquet'",
        "COPY (SELECT 1) TO '{file}'",
        "EXPORT DATABASE '{dir}/export'",
        "ATTACH '{dir}/other.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET threads = 1",
        "SET enable_external_access = true",
        "SET allowed_directories = ['/']",
        "RESET lock_configuration",
        "PRAGMA enable_profiling",
        "FROM python_variable",
    ],
)
def test_locked_connection_refuses_the_outside(
    locked: duckdb.DuckDBPyConnection, tmp_path: Path, sql: str
) -> None:
    python_variable = pl.DataFrame({"a": [1]})
    assert python_variable.height == 1
    (file,) = (tmp_path / "store" / "data" / "records").iterdir()
    before = sorted((p, p.stat().st_mtime_ns) for p in tmp_path.rglob("*"))
    with pytest.raises(duckdb.Error):
        locked.execute(sql.format(dir=tmp_path, file=file))
    assert sorted((p, p.stat().st_mtime_ns) for p in tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        "FROM requests",
        "WITH t AS (SELECT 1) FROM t",
        "(SELECT 1)",
        "VALUES (1)",
        "DESCRIBE records",
        "SUMMARIZE records",
        "SHOW TABLES",
        "PIVOT requests ON status_class USING count(*)",
        "FROM (PIVOT requests ON status_class USING count(*))",
        "EXPLAIN SELECT 1",
        "EXPLAIN ANALYZE SELECT 1",
        "EXPLAIN (FORMAT json) SELECT 1",
        "EXPLAIN (SELECT 1)",
        "CREATE TEMP TABLE t AS SELECT 'é'",
        "-- a comment\nCREATE OR REPLACE TEMPORARY VIEW v AS SELECT 1",
        "CREATE TEMP MACRO f(a) AS a + 1",
    ],
)
def test_statements_that_only_read(sql: str) -> None:
    assert len(statements(sql)) == 1


@pytest.mark.parametrize(
    "sql",
    [
        "COPY (SELECT 1) TO 'x'",
        "COPY (SELECT 1) TO 'x' (USE_TMP_FILE false)",
        "COPY (PIVOT t ON a USING sum(b)) TO 'x'",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO 'x'",
        "/* é */ EXPLAIN /* ü */ ANALYZE COPY (SELECT 1) TO 'x'",
        "EXPLAIN (ANALYZE) COPY (SELECT 1) TO 'x'",
        "PREPARE p AS COPY (SELECT 1) TO 'x'",
        "EXECUTE p",
        "ATTACH 'x'",
        "EXPORT DATABASE 'x'",
        "IMPORT DATABASE 'x'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET threads = 1",
        "PRAGMA enable_profiling",
        "CALL enable_logging()",
        "CREATE TABLE t AS SELECT 1",
        "CREATE OR REPLACE VIEW records AS SELECT 1",
        "CREATE TEMP SECRET s (TYPE s3)",
        "DROP VIEW records",
        "INSERT INTO t VALUES (1)",
        "SELECT 1; COPY (SELECT 1) TO 'x'",
    ],
)
def test_statements_that_may_write_are_refused(sql: str) -> None:
    with pytest.raises(UsageError, match="may write"):
        statements(sql)


def test_sql_that_is_wrong_is_a_sentence() -> None:
    with pytest.raises(UsageError, match="cannot be parsed"):
        statements("SELEKT 1")


def test_several_statements_are_given_one_by_one() -> None:
    assert statements("SELECT ';'; FROM t -- end") == ["SELECT ';'; ", "FROM t -- end"]
