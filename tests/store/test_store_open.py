from __future__ import annotations

import os
import resource
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from store_samples import frame, source

from l7meter.errors import StoreError
from l7meter.store import Store, connect, verify


def filled(path: Path) -> Store:
    with Store.create(path) as store:
        store.append([source("a")], [store.write("records", frame("a"))])
    return store


def test_create_takes_a_new_or_an_empty_directory(tmp_path: Path) -> None:
    Store.create(tmp_path / "new" / "deep")
    (tmp_path / "empty").mkdir()
    Store.create(tmp_path / "empty")
    assert Store.open_or_create(tmp_path / "empty").snapshot() == 1
    assert Store.open_or_create(tmp_path / "other").snapshot() == 1


def test_create_refuses_what_is_something_else(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("dear reader")
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match=r"not a store and not empty \(letter.txt\)"):
        Store.create(tmp_path / "full")
    with pytest.raises(StoreError, match="cannot make a store"):
        Store.create(tmp_path / "file")
    Store.create(tmp_path / "store")
    with pytest.raises(StoreError, match="there is a store already"):
        Store.create(tmp_path / "store")
    assert sorted(p.name for p in (tmp_path / "full").iterdir()) == ["letter.txt"]


def test_open_refuses_what_is_not_a_store(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "nowhere", tmp_path, tmp_path / "file"):
        with pytest.raises(StoreError, match="no store here"):
            Store.open(path)
    (tmp_path / "catalog.sqlite").write_text("not a database, but long enough to look like one")
    with pytest.raises(StoreError, match="file is not a database"):
        Store.open(tmp_path)
    (tmp_path / "catalog.sqlite").unlink()
    sqlite3.connect(tmp_path / "catalog.sqlite").execute("CREATE TABLE t(a)")
    with pytest.raises(StoreError, match="not the catalog of an l7meter store"):
        Store.open(tmp_path)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("UPDATE ducklake_metadata SET value = '1.1' WHERE key = 'version'", "DuckLake 1.1"),
        ("UPDATE ducklake_metadata SET value = 'true' WHERE key = 'encrypted'", "encrypted"),
        (
            "UPDATE ducklake_column SET column_type = 'varchar' WHERE column_name = 'duration'",
            "records.duration is varchar, not float64",
        ),
        ("UPDATE ducklake_table SET end_snapshot = 2 WHERE table_name = 'rejects'", "is missing"),
        ("UPDATE ducklake_data_file SET encryption_key = 'k'", "encryption"),
        ("UPDATE ducklake_data_file SET mapping_id = 1", "columns mapped by name"),
        ("UPDATE ducklake_data_file SET file_format = 'vortex'", "another format"),
        ("UPDATE ducklake_data_file SET path_is_relative = 0", "a path outside the store"),
        (
            "INSERT INTO ducklake_delete_file(delete_file_id, table_id, begin_snapshot, path) "
            "VALUES (9, 1, 1, 'd.parquet')",
            "delete files",
        ),
        (
            "CREATE TABLE rows(a); INSERT INTO rows VALUES (1); "
            "INSERT INTO ducklake_inlined_data_tables VALUES (1, 'rows', 1)",
            "rows in the catalog itself",
        ),
        (
            "CREATE TABLE ducklake_inlined_delete_1(a); "
            "INSERT INTO ducklake_inlined_delete_1 VALUES (1)",
            "rows in the catalog itself",
        ),
    ],
)
def test_features_we_cannot_read_are_refused(tmp_path: Path, change: str, complaint: str) -> None:
    store = filled(tmp_path / "store")
    with sqlite3.connect(store.catalog) as db:
        db.executescript(change)
    with pytest.raises(StoreError, match=complaint):
        connect(store.path)
    with pytest.raises(StoreError, match=complaint):
        verify(Store.open(store.path))


@pytest.mark.parametrize(
    "name", ["with space", "quo'te", 'dou"ble', "ünïcödé", "per%20cent", "a?b#c", "br[ack]et*"]
)
def test_paths_of_any_characters(tmp_path: Path, name: str) -> None:
    store = filled(tmp_path / name)
    for locked in (False, True):
        con = connect(store.path, locked=locked)
        assert con.execute("SELECT count(*) FROM records").fetchall() == [(20,)]
    assert verify(store) == []


def test_moved_store_is_the_same_store(tmp_path: Path) -> None:
    filled(tmp_path / "here")
    (tmp_path / "here").rename(tmp_path / "there")
    store = Store.open(tmp_path / "there")
    store.append([source("b")], [store.write("records", frame("b"))])
    assert verify(store) == []
    with sqlite3.connect(store.catalog) as db:
        query = "SELECT value FROM ducklake_metadata WHERE key = 'data_path'"
        assert db.execute(query).fetchone() == (f"{tmp_path / 'there' / 'data'}/",)


def test_read_only_store_is_read(tmp_path: Path) -> None:
    store = filled(tmp_path / "store")
    paths = [store.path, *store.path.rglob("*")]
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        before = sorted(store.path.rglob("*"))
        answer = as_nobody("read", store.path)
        assert answer.stdout.split() == ["20"], answer.stderr
        assert sorted(store.path.rglob("*")) == before
        answer = as_nobody("write", store.path)
        assert "StoreError" in answer.stderr
        assert "cannot be written to" in answer.stderr
    finally:
        for path in paths:
            path.chmod(0o755 if path.is_dir() else 0o644)


def test_store_that_may_not_be_entered_is_named(tmp_path: Path) -> None:
    store = filled(tmp_path / "store")
    store.path.chmod(0o600)
    try:
        for what in ("read", "exists"):
            answer = as_nobody(what, store.path)
            assert f"StoreError: {store.path}: the store cannot be opened: Permission denied" in answer.stderr  # fmt: skip
    finally:
        store.path.chmod(0o755)


def as_nobody(what: str, path: Path) -> subprocess.CompletedProcess[str]:
    """Run in a process that is not root, which no permission would hold back."""
    script = {
        "read": "print(connect(path).execute('SELECT count(*) FROM records').fetchall()[0][0])",
        "exists": "print(Store.exists(path))",
        "write": "Store.open(path).write('records', frame('b'))",
    }[what]
    code = (
        "import os, sys\n"
        "from store_samples import frame\n"
        "from l7meter.store import Store, connect\n"
        "if os.getuid() == 0: os.setuid(65534)\n"
        f"path = sys.argv[1]\n{script}\n"
    )
    for parent in path.parents:  # pytest keeps its directories to itself
        if "pytest-" in str(parent) and parent.stat().st_uid == os.getuid():
            parent.chmod(parent.stat().st_mode | 0o011)
    return run(code, path)


def run(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )


def test_full_disk_is_named_and_commits_nothing(tmp_path: Path) -> None:
    store = filled(tmp_path / "store")
    code = (
        "import resource, sys\n"
        "from store_samples import frame, source\n"
        "from l7meter.store import Store\n"
        "store = Store.open(sys.argv[1])\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)\n"
        "store.append([source('b', 2000)], [store.write('records', frame('b', 2000))])\n"
    )
    soft, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    assert soft == resource.RLIM_INFINITY
    for limit, complaint in ((3000, "cannot write a data file"), (90_000, "nothing was committed")):
        answer = run(code, store.path, limit)
        assert "StoreError" in answer.stderr, answer.stderr
        assert complaint in answer.stderr
        assert store.known(["b"]) == set()
    assert {p.kind for p in verify(store)} <= {"orphan"}
    store.append([source("b")], [store.write("records", frame("b"))])
    assert store.known(["b"]) == {"b"}
