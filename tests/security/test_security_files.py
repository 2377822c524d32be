"""What others on the machine can read of a store: as much as the operator's umask lets them."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE

import duckdb
import pytest
from security_store import made

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


def test_what_a_killed_process_spilled_is_removed_by_the_next(tmp_path: Path) -> None:
    code = (
        "import sys; from l7meter.store.spilling import own_directory; "
        "(own_directory() / 'spilled').write_text('192.0.2.1'); print(own_directory(), flush=True); "
        "sys.stdin.readline()"
    )
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    begin = lambda: subprocess.Popen([sys.executable, "-c", code], stdin=PIPE, stdout=PIPE, env=environment, text=True)  # noqa: E731 # fmt: skip
    with begin() as killed, begin() as alive:
        left, kept = (Path(each.stdout.readline().strip()) for each in (killed, alive))  # type: ignore[union-attr]
        killed.kill()
        killed.wait()
        assert left.is_dir()
        with begin() as third:
            own = Path(third.stdout.readline().strip())  # type: ignore[union-attr]
            assert (left.exists(), kept.is_dir(), own.is_dir()) == (False, True, True)
            third.communicate("\n")
        alive.communicate("\n")
    assert list(tmp_path.iterdir()) == []
