from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
import store_worker
from store_samples import frame, source

from l7meter.store import Store, connect, repair, verify

NAMES = [f"s{i}" for i in range(8)]


def start(path: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, store_worker.__file__, str(path), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "POLARS_MAX_THREADS": "1"},
    )


def check(store: Store, names: Sequence[str]) -> None:
    """Every source is there once, with all of its rows."""
    query = "SELECT source_id, count(*), sum(server_bytes) FROM records GROUP BY ALL ORDER BY ALL"
    assert connect(store.path).execute(query).fetchall() == [
        (name, store_worker.ROWS, frame(name, store_worker.ROWS)["server_bytes"].sum())
        for name in sorted(names)
    ]
    assert store.info()["rejects_rows"] == store_worker.REJECTS * len(names)
    assert verify(store) == []


def test_sources_raced_by_two_processes_count_once(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "store")
    workers = [start(store.path, "--wait", *NAMES) for _ in range(2)]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    lines = [line for worker in workers for line in worker.communicate()[0].splitlines()]
    assert [worker.returncode for worker in workers] == [0, 0]
    committed = sorted(line.split()[1] for line in lines if line.startswith("committed"))
    assert committed == sorted(NAMES)
    check(store, NAMES)


def test_sources_raced_by_threads_count_once(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "store")
    rows, dropped = 20, []

    def ingest() -> None:
        for name in NAMES[:5]:
            file = store.write("records", frame(name, rows))
            dropped.extend(store.append([source(name, rows)], [file]).dropped)

    threads = [threading.Thread(target=ingest) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(dropped) == sorted(NAMES[:5] * 2)
    assert store.info()["records_rows"] == rows * 5
    assert verify(store) == []


def test_store_made_by_two_processes_at_once_is_one_store(tmp_path: Path) -> None:
    path, made = tmp_path / "store", []
    threads = [
        threading.Thread(target=lambda: made.append(Store.open_or_create(path))) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [store.snapshot() for store in made] == [1] * 6
    assert verify(made[0]) == []


def test_store_made_by_another_after_we_looked_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, asked = tmp_path / "store", []
    Store.create(path).write("records", frame("early", 1))

    def exists(path: Path) -> bool:
        asked.append(path)
        return len(asked) > 1

    monkeypatch.setattr(Store, "exists", exists)
    assert Store.open_or_create(path).snapshot() == 1


def test_killed_writers_lose_and_double_nothing(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "store")
    choice = random.Random(812)
    told: set[str] = set()
    for _ in range(5):
        worker = start(store.path, *NAMES)
        assert worker.stdout is not None
        for _ in range(choice.randrange(1, 7)):
            line = worker.stdout.readline()
            if line.startswith("committed"):
                told.add(line.split()[1])
        worker.kill()
        rest = worker.communicate()[0]
        told |= {line.split()[1] for line in rest.splitlines() if line.startswith("committed")}
        assert told <= store.known(NAMES)  # what was reported is durable
        assert {p.kind for p in verify(store, deep=False)} <= {"orphan"}
    worker = start(store.path, *NAMES)
    assert "done" in worker.communicate()[0]
    repair(store)
    check(store, NAMES)
