"""`init` writes what it found, and what it wrote is right."""

from __future__ import annotations

import gzip
import os
import tomllib
from pathlib import Path

import pytest
from configuring import LINE, Run
from hypothesis import given
from hypothesis import strategies as st

from l7meter.job.config import read
from l7meter.job.places import LOGS, TEXTFILES, zone
from l7meter.job.starting import Candidate, Start, find, text


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """The root of a machine with some servers."""
    root = tmp_path / "root"
    for folder in ("var/log/nginx", "var/log/apache2", "etc", TEXTFILES[1].lstrip("/")):
        (root / folder).mkdir(parents=True)
    (root / "var/log/nginx/error.log").write_text("2024/01/02 03:04:05 [error] 1#1: x\n")
    for number in range(1, 4):
        (old := root / f"var/log/nginx/access.log.{number}.gz").write_bytes(gzip.compress(LINE.encode()))  # fmt: skip
        os.utime(old, (10**9 - number * 86_400, 10**9 - number * 86_400))
    (now := root / "var/log/nginx/access.log").write_text(LINE * 2)
    os.utime(now, (10**9 - 100, 10**9 - 100))
    (root / "etc/timezone").write_text("Europe/Paris\n")
    return root


def test_what_a_machine_shows(machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.delenv("TZ", raising=False)
    start = find(root=machine)
    (path := tmp_path / "made.toml").write_text(text(start, tmp_path / "data/store"))
    made = read(path)
    (source,) = made.sources
    assert source.name == "nginx"
    assert source.paths == (f"{machine}/var/log/nginx/*access*",)
    assert (source.format, source.timezone) == ("combined", "Europe/Paris")
    assert source.every is not None
    assert source.every.total_seconds() == 86_400
    assert made.metrics.textfile == machine / TEXTFILES[1].lstrip("/") / "l7meter.prom"
    assert made.store == tmp_path / "data/store"
    assert made.reports[0].file("2026-11-30") == tmp_path / "data/reports/top-2026-11-30.csv"
    assert "# Its octets are content" in path.read_text()


def test_nothing_found_is_a_file_that_works(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    start = find(root=tmp_path / "empty")
    (path := tmp_path / "l7meter.toml").write_text(text(start, tmp_path / "store"))
    code, out = run("config", "check", "--config", path)
    assert code == 0
    assert "there is no source: a run would read nothing" in out
    assert "# [[source]]" in path.read_text()


def test_comments_that_are_taken_up_are_right(tmp_path: Path) -> None:
    """Whoever takes the marks away gets a source."""
    (tmp_path / "empty").mkdir()
    lines = text(find(root=tmp_path / "empty"), tmp_path / "store").splitlines()
    begin = lines.index("# [[source]]")
    lines[begin : begin + 7] = [line.removeprefix("# ") for line in lines[begin : begin + 7]]
    (path := tmp_path / "l7meter.toml").write_text("\n".join(lines))
    (source,) = read(path).sources
    assert (source.name, source.registry) == ("cdn", ("pypi",))


def test_written_by_the_command(run: Run, tmp_path: Path, logs: Path) -> None:
    code, out = run("init", "--store", tmp_path / "s", "--output", path := tmp_path / "m.toml", logs)  # fmt: skip
    assert code == 0
    assert f"{logs}/*access*: 1 file, combined" in out
    assert "Next: l7meter config check --config" in out
    code, out = run("config", "check", "--config", path)
    assert code == 0
    assert "logs: 1 file, 264 B, combined" in out


def test_never_overwrites(run: Run, tmp_path: Path, logs: Path) -> None:
    (path := tmp_path / "m.toml").write_text("mine")
    assert run("init", "--output", path, logs) == (2, f"{path}: is there already and is left as it is; name another with --output")  # fmt: skip
    assert path.read_text() == "mine"


def test_what_cannot_be_told(run: Run, tmp_path: Path, logs: Path) -> None:
    (logs / "access.log").write_text("neither\nnor\n")
    (tmp_path / "void").mkdir()
    code, out = run("init", "-o", path := tmp_path / "m.toml", logs, tmp_path / "void", str(tmp_path / "no*"))  # fmt: skip
    assert code == 0
    assert "no format claims" in out
    assert "void: the directory holds no file" in out
    assert "No logs were found that can be read" in out
    assert read(path).sources == ()
    assert run("init", "-o", tmp_path / "n.toml", tmp_path / "absent") == (2, f"{tmp_path}/absent: no such file or directory; give files, directories or globs of logs")  # fmt: skip


def test_places_of_one_name(tmp_path: Path) -> None:
    for folder in ("a/logs", "b/logs"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "access.log").write_text(LINE)
    start = find([str(tmp_path / "a/logs"), str(tmp_path / "b/logs")])
    assert [each.name for each in start.sources] == ["logs", "logs-2"]


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1),
    st.text(st.characters(codec="utf-8")),
)
def test_no_name_of_a_file_gets_out_of_its_place(name: str, problem: str) -> None:
    """A file's name is whatever somebody called it: a line end in it must not begin a key."""
    candidates = [
        Candidate("a", f"/x{name}", files=1, format="combined", size=problem),
        Candidate("b", f"/y{name}", problem=problem),
    ]
    made = tomllib.loads(text(Start(candidates), Path("/srv/store")))
    assert made["source"] == [{"name": "a", "paths": [f"/x{name}"], "format": "combined"}]
    assert set(made) == {"store", "source", "attribution", "privacy", "retention", "report", "publish"}  # fmt: skip


def test_zone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TZ", raising=False)
    assert zone(tmp_path) == "UTC"
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/localtime").symlink_to("/usr/share/zoneinfo/America/Lima")
    assert zone(tmp_path) == "America/Lima"
    (tmp_path / "etc/timezone").write_text("Etc/UTC\n")
    assert zone(tmp_path) == "UTC"
    monkeypatch.setenv("TZ", ":Asia/Tokyo")
    assert zone(tmp_path) == "Asia/Tokyo"
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    assert zone(tmp_path) == "UTC"


@pytest.mark.parametrize("place", LOGS, ids=lambda place: place.directory)
def test_usual_places(place: object, tmp_path: Path) -> None:
    """A server's own name of its log is among those that are looked for."""
    names = {"nginx": "access.log", "apache2": "other_vhosts_access.log", "httpd": "ssl_access_log", "caddy": "access.log", "haproxy": "haproxy.log", "squid": "access.log", "varnish": "varnishncsa.log"}  # fmt: skip
    name, directory = place.name, place.directory  # type: ignore[attr-defined]
    (folder := tmp_path / directory.lstrip("/")).mkdir(parents=True)
    (folder / names[name]).write_text(LINE)
    assert [each.name for each in find(root=tmp_path).sources] == [name]
