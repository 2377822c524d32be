"""Finding queries, reading their headers, converting and refusing parameters."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import polars as pl
import pytest
from conftest import SOURCES, Fill

from l7meter import schema
from l7meter.analysis.catalogue import catalogue, load, parse, run
from l7meter.analysis.parameters import Parameter
from l7meter.errors import UsageError

EMPTY = (pl.DataFrame(schema=schema.POLARS), pl.DataFrame(schema=SOURCES))
BIG = """-- Records above a size
--
-- Which records are larger
-- than `size`.
--
-- Parameters:
-- size = 1kB : bytes : smallest size shown
SELECT $size AS size -- $not_a_parameter
"""


def test_header_becomes_title_description_and_parameters() -> None:
    query = parse("big", BIG, "big.sql")
    assert query.title == "Records above a size"
    assert query.description == "Which records are larger than `size`."
    assert query.parameters == (Parameter("size", "1kB", "bytes", "smallest size shown"),)


def test_sql_without_a_header_is_a_query() -> None:
    query = parse("mine", "SELECT 1 AS one, $$ $text $$ AS quoted", "mine.sql")
    assert (query.title, query.description, query.parameters) == ("mine", "", ())


def test_own_directory_adds_and_replaces(tmp_path: Path) -> None:
    (tmp_path / "big.sql").write_text(BIG)
    (tmp_path / "statuses.sql").write_text("-- Mine\nSELECT 1 AS one")
    titles = {query.name: query.title for query in catalogue([tmp_path])}
    assert titles["big"] == "Records above a size"
    assert titles["statuses"] == "Mine"
    assert titles.keys() > {query.name for query in catalogue()}


def test_own_file(tmp_path: Path, store_of: Fill) -> None:
    path = tmp_path / "big.sql"
    path.write_text(BIG)
    connection = store_of(*EMPTY)
    assert run(connection, load(str(path)), {"size": "2MiB"}).item() == 2 * 1024**2
    assert run(connection, load(str(path))).item() == 1000


@pytest.mark.parametrize(
    ("type_", "text", "value"),
    [
        ("int", "20", 20),
        ("float", "0.5", 0.5),
        ("date", "2026-11-01", date(2026, 11, 1)),
        ("timestamp", "2026-11-01", datetime(2026, 11, 1, tzinfo=UTC)),
        ("timestamp", "2026-11-01T02:00+02:00", datetime(2026, 11, 1, tzinfo=UTC)),
        ("duration", "24h", timedelta(days=1)),
        ("duration", "1.5d", timedelta(hours=36)),
        ("bytes", "10GB", 10_000_000_000),
        ("bytes", "10 GiB", 10 * 1024**3),
        ("bytes", "1.1kB", 1100),
        ("bytes", "512", 512),
        ("string", "O'Brien; --", "O'Brien; --"),
        ("string", "null", None),
    ],
)
def test_text_is_converted(type_: str, text: str, value: object) -> None:
    assert Parameter("p", "null", type_, "").convert(text) == value


def test_python_values_are_taken_as_they_are() -> None:
    naive = datetime(2026, 11, 1)
    cet = naive.replace(tzinfo=timezone(timedelta(hours=1)))
    timestamp = Parameter("since", "null", "timestamp", "")
    assert timestamp.convert(naive) == naive.replace(tzinfo=UTC)
    assert timestamp.convert(cet) == datetime(2026, 10, 31, 23, tzinfo=UTC)
    assert Parameter("limit", "20", "int", "").convert(5) == 5


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("int", "many"),
        ("int", True),
        ("int", 1.5),
        ("date", datetime(2026, 11, 1)),
        ("timestamp", "yesterday"),
        ("duration", "24"),
        ("bytes", "10 apples"),
        ("bytes", "10iB"),
        ("string", 5),
    ],
)
def test_what_is_not_of_the_type_is_refused(type_: str, value: object) -> None:
    with pytest.raises(UsageError, match=rf"parameter 'p': .* is not a {type_}, such as "):
        Parameter("p", "null", type_, "").convert(value)


def test_unknown_parameter_names_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"'by_day' has no parameter 'limit'; it knows: since, un"):
        load("by_day").bind({"limit": 5})


def test_unknown_query_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="no query 'top_agent'; there is: top_agents"):
        load("top_agent")


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.sql: the query cannot be read: No such file"):
        load(str(tmp_path / "none.sql"))


def test_file_that_is_not_text(tmp_path: Path) -> None:
    (tmp_path / "latin.sql").write_bytes(b"-- caf\xe9\nSELECT 1")
    with pytest.raises(UsageError, match=r"latin\.sql: the query is not UTF-8"):
        load(str(tmp_path / "latin.sql"))


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        ("-- size : bytes", "'size : bytes' is not 'name = default : type : meaning'"),
        ("-- size = 1 : octets : x", "'octets' is no parameter type; known: int, "),
        ("-- size = x : bytes : x", "parameter 'size': 'x' is not a bytes"),
        ("-- other = 1 : int : x", "parameter 'other' is declared but not used"),
        ("", "parameter 'size' is used but not declared"),
    ],
)
def test_a_header_that_is_off_is_refused(header: str, problem: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse("big", f"-- Big\n-- Parameters:\n{header}\nSELECT $size", "big.sql")
    assert problem in str(caught.value)
