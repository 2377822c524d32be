from __future__ import annotations

import gzip
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from l7meter.errors import SourceError
from l7meter.sources import discover, open_stream
from l7meter.sources.identity import HEAD_BYTES, Identifier


def test_arguments_become_files_each_once_in_order(tmp_path: Path) -> None:
    for name in ("b/2.log", "b/1.log", "b/.hidden/3.log", "b/.4.log", "a[1].log", "empty/.keep"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (tmp_path / "b" / "gone.log").symlink_to("nowhere")
    b, odd = tmp_path / "b", str(tmp_path / "a[1].log")
    one, two = str(b / "1.log"), str(b / "2.log")
    found, missing = discover([odd, two, str(b), str(b / "*.log"), "-", "-"])
    assert (found, missing) == ([odd, two, one, "-"], [])
    found, missing = discover([str(tmp_path / name) for name in ("none", "n*.log", "empty")])
    assert found == []
    assert [problem for _, problem in missing] == [
        "no such file or directory",
        "no file matches",
        "the directory holds no file",
    ]
    assert discover(["x" * 300]) == ([], [("x" * 300, "File name too long")])


@pytest.fixture
def nobody() -> Iterator[Callable[[], None]]:
    """Become another user until the test ends; permissions do not hold root back."""
    root = os.getuid() == 0
    yield lambda: os.setresuid(65_534, 65_534, 0) if root else None
    if root:
        os.setresuid(0, 0, 0)


def test_directories_that_may_not_be_read_are_told(
    tmp_path: Path, nobody: Callable[[], None]
) -> None:
    for name in ("a.log", "deep/b.log", "deep/closed/c.log", "deep/.hidden/d.log"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (tmp_path / "link.log").symlink_to(tmp_path / "deep" / "closed" / "c.log")
    closed = tmp_path / "deep" / "closed"
    shut = [closed, tmp_path / "deep" / ".hidden"]
    for folder in shut:
        folder.chmod(0)
    for folder in tmp_path.parents:
        if "pytest" in str(folder) and folder.stat().st_uid == os.getuid():
            folder.chmod(0o755)
    tmp_path.chmod(0o755)
    files = [str(tmp_path / name) for name in ("a.log", "deep/b.log")]
    link = (str(tmp_path / "link.log"), "Permission denied")
    told = (str(closed), "Permission denied")
    nobody()
    try:
        for argument, found, missing in (
            ("", files, [told, link]),
            ("**/*.log", files, [told, link]),
            ("deep/*/*.log", [], [told]),
            ("deep/closed/*.log", [], [told]),
            ("deep/closed/below/*.log", [], [told]),
            ("deep/closed", [], [told]),
            ("deep/closed/c.log", [], [(f"{closed}/c.log", "Permission denied")]),
            ("*/*.log", files[1:], []),
        ):
            assert discover([str(tmp_path / argument)]) == (found, missing), argument
        everything = discover([str(tmp_path), str(tmp_path / "**/*.log")])
        assert everything == (files, [told, link])  # once each
    finally:
        for folder in shut if os.getuid() else ():
            with suppress(PermissionError):  # where it was root who made them
                folder.chmod(0o755)


def test_pipe_that_gives_single_octets_is_told_by_its_first_ones(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    packed = gzip.compress(b"line\n" * 9)

    def write() -> None:
        with fifo.open("wb", buffering=0) as file:
            for octet in packed:
                file.write(bytes((octet,)))

    thread = threading.Thread(target=write)
    thread.start()
    with open_stream(str(fifo)) as stream:
        assert stream.compression == "gzip"
        assert stream.size is None
        assert b"".join(stream) == b"line\n" * 9
        assert stream.bytes_read == len(packed)
    thread.join()


def test_what_cannot_be_opened_is_a_sentence(tmp_path: Path) -> None:
    for path, problem in ((tmp_path, "Is a directory"), (tmp_path / "none", "No such file")):
        with pytest.raises(SourceError, match=f"{path}: cannot be read: {problem}"):
            open_stream(str(path))


def test_identity_is_of_the_content_however_it_is_stored_and_cut(tmp_path: Path) -> None:
    content = bytes(i % 251 for i in range(3 * HEAD_BYTES))
    (tmp_path / "a").write_bytes(content)
    (tmp_path / "b.gz").write_bytes(gzip.compress(content[:99]) + gzip.compress(content[99:]))
    identities = []
    for name in ("a", "b.gz"):
        with open_stream(str(tmp_path / name)) as stream:
            for _ in stream:
                pass
            identities.append(stream.identifier.identity)
    assert identities[0] == identities[1]
    marked = Identifier([17, HEAD_BYTES])
    for start in range(0, len(content), 1000):
        marked.update(content[start : start + 1000])
    assert marked.identity == identities[0]
    shorter = Identifier()
    shorter.update(content[:17])
    assert marked.at[17] == shorter.identity.content_id
