"""What others on the machine can read of a store: as much as the operator's umask lets them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from conftest import made

from l7meter.store import connect
from l7meter.store.views import spill_to_disk


@pytest.fixture(params=[0o022, 0o027, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_umask_holds_for_every_file_of_a_store(tmp_path: Path, umask: int) -> None:
    store = made(tmp_path / "store")
    for path in (store.path, *store.path.rglob("*")):
        assert not path.stat().st_mode & umask, f"{path}: {stat.filemode(path.stat().st_mode)}"


def test_data_files_cannot_be_written_to(tmp_path: Path, umask: int) -> None:
    store = made(tmp_path / "store")
    (file,) = (store.data / "records").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o444 & ~umask


def test_what_goes_to_the_disk_is_for_the_owner_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: set[Path] = set()
    for _ in range(2):
        with duckdb.connect() as con:
            spill_to_disk(con)
            con.execute("SET memory_limit = '80MB'; SET threads = 1")
            con.execute("CREATE TABLE t AS SELECT md5(range::VARCHAR) AS a FROM range(3000000) ORDER BY a")  # fmt: skip
            place = Path(con.sql("SELECT current_setting('temp_directory')").fetchall()[0][0])
            assert list(place.iterdir()), "nothing was spilt: the test says nothing"
            seen.add(place)
            closed = [path for path in (place, *place.parents) if not path.stat().st_mode & 0o077]
            assert closed
            assert closed[-1].name.startswith("l7meter-")
        assert not place.exists()
    assert len(seen) == 2


def test_reading_leaves_nothing_in_the_store_or_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = made(tmp_path / "store")
    monkeypatch.chdir(tmp_path)
    before = sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob("*"))
    with connect(store.path, locked=True) as con:
        con.execute("SELECT * FROM requests ORDER BY ALL").fetchall()
    assert sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob("*")) == before
