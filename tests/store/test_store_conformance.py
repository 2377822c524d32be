from __future__ import annotations

import hashlib
import json
import math
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import store_ducklake
from store_samples import frame, source

from l7meter.errors import StoreError
from l7meter.schema import COLUMNS
from l7meter.store import Store, compact, connect, verify

REQUIREMENTS = Path(__file__).parents[2] / "requirements" / "conformance.txt"


@pytest.fixture(scope="session")
def official() -> Path:
    """The Python of an environment that has DuckLake's extension, made once for each version."""
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    home = cache / "l7meter" / f"conformance-{wanted}"
    python, complete = home / "bin" / "python", home / "complete"
    if not complete.exists():
        try:
            for command in (
                [sys.executable, "-m", "venv", "--clear", home],
                [python, "-m", "pip", "install", "-q", "-r", REQUIREMENTS],
            ):
                subprocess.run(command, check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as error:
            reason = f"no DuckLake extension to hold the store against: {error}"
            if os.environ.get("CI"):
                pytest.fail(reason)
            pytest.skip(reason)
        complete.touch()
    return python


class Lake:
    """A store, as DuckLake's extension sees it."""

    def __init__(self, python: Path, store: Store) -> None:
        self._python, self._catalog = python, store.catalog

    def run(self, *statements: str | tuple[str, list[Any]]) -> list[Any]:
        """The rows of each statement; an error is raised."""
        asked = [(s, []) if isinstance(s, str) else s for s in statements]
        answer = subprocess.run(
            [self._python, store_ducklake.__file__],
            input=json.dumps({"catalog": str(self._catalog), "statements": asked}),
            capture_output=True,
            text=True,
            check=False,
        )
        assert answer.returncode == 0, answer.stderr
        rows = json.loads(answer.stdout)
        for statement, row in zip(statements, rows, strict=True):
            assert isinstance(row, list), (statement, row)
        return rows


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store.create(tmp_path / "the store")
    for s in "abc":
        made.append([source(s)], [made.write("records", frame(s))])
    return made


@pytest.fixture
def lake(official: Path, store: Store) -> Lake:
    return Lake(official, store)


def ours(store: Store, *statements: str | tuple[str, list[Any]], **kwargs: Any) -> list[Any]:
    con = connect(store.path, **kwargs)
    asked = [(s, []) if isinstance(s, str) else s for s in statements]
    rows = [con.execute(sql, values).fetchall() for sql, values in asked]
    return json.loads(json.dumps(rows, default=str))


SUMS = (
    "SELECT source_id, count(*), CAST(sum(server_bytes) AS BIGINT), min(ts)::VARCHAR "
    "FROM records GROUP BY ALL ORDER BY ALL"
)


def same_at_each_snapshot(store: Store, lake: Lake, snapshots: range) -> None:
    theirs = lake.run(
        *(SUMS.replace("FROM records", f"FROM records AT (VERSION => {s})") for s in snapshots)
    )
    assert [ours(store, SUMS, snapshot=s) for s in snapshots] == [[rows] for rows in theirs]


def test_sums_are_the_same(store: Store, lake: Lake) -> None:
    store.append([source("nothing", 0)], [])
    assert lake.run(SUMS) == ours(store, SUMS)
    (snapshots,) = lake.run("SELECT snapshot_id FROM lake.snapshots() ORDER BY 1")
    assert [s for (s,) in snapshots] == list(range(store.snapshot() + 1))


def test_time_travel_is_the_same(store: Store, lake: Lake) -> None:
    compact(store)
    same_at_each_snapshot(store, lake, range(1, store.snapshot() + 1))


TEXTS = [
    "",
    "a",
    "a\0b",
    "\0",
    "ab",
    "é",
    "é" * 200,
    "x" * 70 + "é" * 70,
    "~'\"",
    "\U0010ffff" * 90,
]
DOUBLES = [0.0, -0.0, 1.5, -1e300, math.inf, -math.inf, math.nan]
INSTANTS = ["1969-12-31 23:59:59.999999+00", "2026-01-01 00:00:00+00", "2026-01-01 00:00:00.5+00"]


def test_pruning_finds_the_same_rows(official: Path, tmp_path: Path) -> None:
    store, choice = Store.create(tmp_path / "store"), random.Random(9110)
    for i in range(8):
        rows = choice.randrange(1, 4)
        data = pl.DataFrame(
            {
                "user_agent_original": choice.choices([*TEXTS, None], k=rows),
                "duration": choice.choices([*DOUBLES, None], k=rows),
                "ts": choice.choices([*INSTANTS, None], k=rows),
                "complete": choice.choices([True, False, None], k=rows),
                "server_bytes": choice.choices([-5, 0, 2**40, None], k=rows),
                "source_id": [f"s{i}"] * rows,
            },
            schema_overrides={"duration": pl.Float64, "complete": pl.Boolean}
            | dict.fromkeys(("user_agent_original", "ts"), pl.String)
            | {"server_bytes": pl.Int64},
        ).with_columns(pl.col("ts").str.to_datetime("%Y-%m-%d %H:%M:%S%.f%#z"))
        store.append([source(f"s{i}", rows)], [store.write("records", data)])
    asked: list[tuple[str, list[Any]]] = []
    for column, values in (
        # the extension cannot ask for a text with NUL, but has to find its neighbours
        ("user_agent_original", [t for t in TEXTS if "\0" not in t]),
        ("duration", [str(v) for v in DOUBLES]),
        ("ts", INSTANTS),
        ("complete", ["true", "false"]),
        ("server_bytes", ["-5", "0", "1099511627776", "7"]),
    ):
        type_ = COLUMNS[column].duckdb
        for value in values:
            for comparison in ("=", "<>", "<"):
                condition = f"{column} {comparison} $1::{type_}"
                asked.append((f"SELECT count(*) FROM records WHERE {condition}", [value]))
        asked.append((f"SELECT count(*) FROM records WHERE {column} IS NULL", []))
        asked.append((f"SELECT count(*) FROM records WHERE {column} IS NOT NULL", []))
    asked.append(("SELECT max(user_agent_original), min(user_agent_original) FROM records", []))
    unpruned = "CREATE TEMP TABLE plain AS FROM records"
    plain = [(sql.replace("FROM records", "FROM plain"), values) for sql, values in asked]
    _, *truth = ours(store, unpruned, *plain)
    for answers in (ours(store, *asked), Lake(official, store).run(*asked)):
        different = [(q, a, t) for q, a, t in zip(asked, answers, truth, strict=True) if a != t]
        assert different == []


def test_extension_appends_and_merges_and_we_read_it(store: Store, lake: Lake) -> None:
    insert = (
        "INSERT INTO records (ts, source_id, server_bytes, exchange_kind) "
        "SELECT TIMESTAMPTZ '2026-03-02 00:00:00+00', 'theirs', range, 'http' FROM range({})"
    )
    lake.run(insert.format(3), insert.format(1000))
    assert ours(store, SUMS) == lake.run(SUMS)
    then = store.snapshot()
    store.append([source("d")], [store.write("records", frame("d"))])
    assert ours(store, SUMS) == lake.run(SUMS)
    (merged,) = lake.run("CALL lake.merge_adjacent_files()")
    assert merged
    assert len(store.files("records")) == 1
    assert ours(store, SUMS) == lake.run(SUMS)
    same_at_each_snapshot(store, lake, range(2, then + 1))
    store.append([source("e")], [store.write("records", frame("e"))])
    compact(store)
    assert ours(store, SUMS) == lake.run(SUMS)
    # rows that no source accounts for are not passed over
    assert [p.where for p in verify(store) if p.kind == "ledger"] != []


def test_extension_writes_first_into_an_empty_store(official: Path, tmp_path: Path) -> None:
    store = Store.create(tmp_path / "store")
    lake = Lake(official, store)
    assert lake.run(SUMS) == [[]]
    lake.run("INSERT INTO records (source_id, server_bytes) SELECT 'x', range FROM range(50)")
    assert ours(store, SUMS) == lake.run(SUMS) == [[["x", 50, 1225, None]]]


def test_deleted_rows_of_the_extension_are_refused(store: Store, lake: Lake) -> None:
    lake.run("DELETE FROM records WHERE source_id = 'a' AND source_line < 4")
    with pytest.raises(StoreError, match="does not read"):
        connect(store.path)


def test_rows_in_the_catalog_are_refused_until_they_are_flushed(store: Store, lake: Lake) -> None:
    lake.run(
        "CALL lake.set_option('data_inlining_row_limit', 10)",
        "INSERT INTO records (source_id) VALUES ('x')",
    )
    with pytest.raises(StoreError, match="ducklake_flush_inlined_data"):
        connect(store.path)
    lake.run("CALL ducklake_flush_inlined_data('lake')")
    assert ours(store, SUMS) == lake.run(SUMS)
