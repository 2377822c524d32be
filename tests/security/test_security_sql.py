"""SQL of others reads the views of a store: no other file, no setting, nothing of the process."""

from __future__ import annotations

from pathlib import Path

import pytest

from l7meter.analysis import load, run
from l7meter.errors import UsageError
from l7meter.store import Store, connect, select

# Each names, in its own way, what is not a view: {dir} holds secret.csv, {file} is a data file.
ATTEMPTS = r"""
FROM '{dir}/secret.csv'
FROM "{dir}/secret.csv"
FROM read_csv('{dir}/secret.csv')
FROM read_csv_auto('{dir}/secret.csv')
FROM sniff_csv('{dir}/secret.csv')
FROM read_json('{dir}/secret.csv')
FROM read_ndjson_objects('{dir}/secret.csv')
FROM read_text('{dir}/secret.csv')
FROM read_text('file://{dir}/secret.csv')
FROM read_blob('{dir}/store/catalog.sqlite')
FROM read_blob('{dir}/store/data/records/../../catalog.sqlite')
FROM read_parquet('{dir}/store/data/records/*')
FROM read_duckdb('{dir}/store/catalog.sqlite')
FROM parquet_metadata('{dir}/secret.csv')
FROM parquet_kv_metadata('{dir}/secret.csv')
FROM sqlite_scan('{dir}/store/catalog.sqlite', 'l7meter_source')
FROM glob('{dir}/*')
FROM query('FROM read_text(''{dir}/secret.csv'')')
FROM query_table('{dir}/secret.csv')
FROM json_execute_serialized_sql(json_serialize_sql('FROM read_text(''{dir}/secret.csv'')'))
CREATE TEMP TABLE t AS FROM read_text('{dir}/secret.csv'); FROM t
CREATE TEMP VIEW v AS FROM read_text('{dir}/secret.csv'); FROM v
CREATE TEMP MACRO m() AS TABLE FROM read_text('{dir}/secret.csv'); FROM m()
EXPLAIN ANALYZE FROM read_text('{dir}/secret.csv')
FROM 'https://example.org/secret.csv'
FROM read_csv('s3://bucket/secret.csv')
SELECT getenv('L7METER_SECRET')
FROM python_variable
FROM python_map_function(python_variable)
FROM duckdb_secrets()
FROM duckdb_extensions()
FROM enable_logging()
FROM enable_profiling()
COPY (SELECT 1) TO '{dir}/out.csv'
COPY records TO '{file}'
COPY (SELECT 1) TO '{file}' (USE_TMP_FILE false)
EXPLAIN ANALYZE COPY (SELECT 1) TO '{dir}/out.csv'
FROM query('COPY (SELECT 1) TO ''{dir}/out.csv''')
EXPORT DATABASE '{dir}/out'
ATTACH '{dir}/out.db'
ATTACH '{dir}/store/catalog.sqlite' AS c (TYPE sqlite)
INSTALL httpfs
LOAD httpfs
LOAD '{dir}/secret.csv'
SET enable_external_access = true
SET allowed_directories = ['/']
SET lock_configuration = false
RESET enable_external_access
SET VARIABLE x = 1
PRAGMA enable_external_access = true
PRAGMA temp_directory = '{dir}'
CALL enable_logging('FileSystem')
PREPARE p AS COPY (SELECT 1) TO '{dir}/out.csv'
CREATE SECRET s (TYPE s3)
CREATE TEMP SECRET s (TYPE s3)
CREATE OR REPLACE VIEW records AS SELECT 1
DROP VIEW records
DELETE FROM sources
UPDATE sources SET records = 0
SELECT 1; COPY (SELECT 1) TO '{dir}/out.csv'
SELECT 1 /* ; */; -- harmless\n COPY (SELECT 1) TO '{dir}/out.csv'
/* SELECT */ COPY (SELECT 1) TO '{dir}/out.csv'
SELECT 1;; /* nothing */ ATTACH '{dir}/out.db'
""".strip().splitlines()


@pytest.mark.parametrize("sql", ATTEMPTS)
def test_attempt_is_a_sentence_and_changes_nothing(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sql: str
) -> None:
    monkeypatch.setenv("L7METER_SECRET", "hush")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "secret.csv").write_text("a\nhush\n")
    python_variable = {"a": ["hush"]}
    assert python_variable
    (file,) = (store.data / "records").iterdir()
    before = sorted((p, p.stat().st_mtime_ns, p.stat().st_size) for p in tmp_path.rglob("*"))
    with connect(store.path, locked=True) as con:
        statement = sql.replace("\\n", "\n").format(dir=tmp_path, file=file)
        with pytest.raises(UsageError) as refused:
            select(con, statement)
        assert "hush" not in str(refused.value).replace(statement, "")
        assert select(con, "SELECT count(*) AS n FROM records")["n"].to_list() == [3]
    assert sorted((p, p.stat().st_mtime_ns, p.stat().st_size) for p in tmp_path.rglob("*")) == before  # fmt: skip


def test_what_settings_tell_is_no_secret_of_the_process(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("L7METER_SECRET", "hush")
    with connect(store.path, locked=True) as con:
        for each in ("duckdb_settings()", "duckdb_variables()", "duckdb_views()"):
            told = select(con, f"SELECT CAST(t AS VARCHAR) AS told FROM {each} AS t")
            assert "hush" not in "".join(filter(None, told["told"]))


NASTY = ["' OR 1=1 --", "'; DROP VIEW records; --", '"; --', "$limit", "%' OR '1", "\\'", "a\x00b", "❗'"]  # fmt: skip


@pytest.mark.parametrize("text", NASTY)
def test_parameters_of_questions_are_values(store: Store, text: str) -> None:
    with connect(store.path, locked=True) as con:
        wanted = load("top_agents")
        assert run(con, wanted, {}).height > 0
        assert run(con, wanted, {"organization": text}).height == 0
        assert select(con, "SELECT $text AS text", {"text": text})["text"].to_list() == [text]
        assert select(con, "SELECT count(*) AS n FROM records")["n"].to_list() == [3]


def test_numbers_of_questions_are_numbers(store: Store) -> None:
    with connect(store.path, locked=True) as con, pytest.raises(UsageError, match="such as 20"):
        run(con, load("top_agents"), {"limit": "1; DROP VIEW records"})


@pytest.mark.parametrize("name", ['a"b', "a'b", "a;b", "--", "a\nb", "=1+1", "|", "\x1b[31m", ""])
def test_column_names_are_only_names(store: Store, name: str) -> None:
    quoted = name.replace('"', '""') or " "
    with connect(store.path, locked=True) as con:
        assert select(con, f'SELECT 1 AS "{quoted}"').columns == [name or " "]
