"""Names of files and stores are only names, whatever characters they have."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

import pytest
from security_store import LOG, made

from l7meter.errors import StoreError
from l7meter.ingest import ingest
from l7meter.sources import discover
from l7meter.store import Store, compact, connect, expire, repair, verify

COUNT = "SELECT count(*), sum(server_bytes) FROM records"
ODD = ["it's", 'a"b', "a;b", "{a,b}", "$HOME", "~", "%41", "#x", "a=b", "sp ace", "a\nb", "ü", "-s"]
GLOBS = {"a*b": "axb", "a[1]": "a1", "q?x": "qyx", "**": "other", "[!a]": "b"}


@pytest.mark.parametrize("name", ODD)
def test_store_with_an_odd_path_is_a_store(tmp_path: Path, name: str) -> None:
    store = made(tmp_path / name / "store")
    more = tmp_path / "more.log"
    more.write_text(LOG.replace("/a", "/z"))
    with store:
        ingest([str(more)], store)
    for locked in (False, True):
        with connect(store.path, locked=locked) as con:
            assert con.execute(COUNT).fetchall() == [(6, 84)]
    assert len(compact(store)) == 1
    assert len(expire(store, store.snapshot())) >= 2
    store.close()
    assert repair(store) == []
    assert verify(store) == []


@pytest.mark.parametrize(("name", "twin"), GLOBS.items())
def test_path_of_a_store_is_no_pattern(tmp_path: Path, name: str, twin: str) -> None:
    store = made(tmp_path / name / "store")
    shutil.copytree(tmp_path / name, tmp_path / twin)  # the same names of files in it
    (file,) = (tmp_path / twin / "store" / "data" / "records").iterdir()
    file.unlink()
    shutil.copy(store.data / "records" / file.name, file)
    for locked in (False, True):
        with connect(store.path, locked=locked) as con:
            assert con.execute(COUNT).fetchall() == [(3, 42)]
    assert verify(store) == []


def test_path_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"\xff") / "store"
    with pytest.raises(StoreError, match="UTF-8"):
        Store.create(path)


def test_source_whose_name_is_no_text_is_read_and_named(tmp_path: Path) -> None:
    log = tmp_path / os.fsdecode(b"a\xff\x1b[31m'.log")
    log.write_text(LOG)
    with Store.create(tmp_path / "store") as store:
        done = ingest([str(log)], store)
    assert done.sources[0].records == 3
    (name,) = store.ledger()["name"]
    assert name.encode().endswith(b"'.log")


@pytest.fixture
def yard(tmp_path: Path) -> Path:
    """A directory of logs with everything in it that is no log."""
    yard, outside = tmp_path / "yard", tmp_path / "outside"
    (yard / "sub").mkdir(parents=True)
    outside.mkdir()
    for path in (yard / "a.log", yard / "sub" / "b.log", outside / "c.log"):
        path.write_text(LOG)
    os.mkfifo(yard / "fifo.log")
    os.mkfifo(yard / "sub" / "fifo.log")
    for name, target in {"loop.log": yard, "sub/loop": yard, "sub/again": yard, "self.log": "self.log", "null.log": "/dev/null", "zero.log": "/dev/zero", "outside": outside, "current.log": yard / "a.log"}.items():  # fmt: skip
        (yard / name).symlink_to(target)
    return yard


def test_directory_gives_files_and_links_to_files_alone(yard: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(yard / "s.log"))
        found, missing = discover([str(yard)])
    assert found == [str(yard / name) for name in ("a.log", "current.log", "sub/b.log")]
    assert missing == []


def test_pattern_gives_no_device_and_ends_in_spite_of_loops(yard: Path) -> None:
    assert discover([str(yard / "*.log")])[0] == [str(yard / "a.log"), str(yard / "current.log")]
    for deep in ("**/*.log", "**"):
        found, _ = discover([str(yard / deep)])
        assert found == [str(yard / name) for name in ("a.log", "current.log", "sub/b.log")]


def test_archive_is_not_unpacked(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.log").write_text(LOG)
    for kind in ("zip", "gztar"):
        packed = shutil.make_archive(str(tmp_path / kind), kind, tmp_path / "in")
        before = sorted(tmp_path.rglob("*"))
        with Store.create(tmp_path / f"store-{kind}") as store:
            ingest([packed], store)
        made_here = {path for path in tmp_path.rglob("*") if store.path not in (path, *path.parents)}  # fmt: skip
        assert sorted(made_here) == before
