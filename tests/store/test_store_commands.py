"""`l7meter store`: what destroys asks, and says before what it would do."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from store_samples import frame, source

from l7meter import cli
from l7meter.cli import asking, storing
from l7meter.store import Store, verify
from l7meter.store.datafile import new_path

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store.create(tmp_path / "store")
    for name in "abcd":
        store.append([source(name)], [store.write("records", frame(name))])
    store.close()
    return store


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], store: Store) -> Run:
    """`l7meter store ...` on the store: exit code, standard output, standard error."""
    monkeypatch.setenv("L7METER_STORE", str(store.path))

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["l7meter", "store", *map(str, arguments)])
        try:
            cli.run()
            code = 0
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        return code, *capfd.readouterr()

    return run


@pytest.fixture(params=["n", "y"])
def answer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """A person at a terminal who says no, and one who says yes."""
    for module in (asking, storing):
        monkeypatch.setattr(module, "asks", lambda: True)
    monkeypatch.setattr("typer._click.termui.visible_prompt_func", lambda _="": request.param)
    return bool(request.param == "y")


def files(store: Store) -> set[Path]:
    return {path for path in store.path.rglob("*") if path.is_file()}


def test_compact_says_what_it_would_do_and_does_it(run: Run, store: Store) -> None:
    before = files(store)
    code, out, _ = run("compact", "--dry-run")
    assert (code, out.split(": ")[1]) == (0, "would merge 4 files into 1\n")
    assert files(store) == before
    assert run("compact", "--table", "rejects")[1].endswith(": merged 0 files into 0\n")
    assert run("compact", "--table", "records")[1].endswith(": merged 4 files into 1\n")
    assert len(store.files("records")) == 1
    code, _, error = run("compact", "--table", "requests")
    assert code == 2
    assert "--table requests: there are records, rejects" in error


def test_expire_wants_a_yes_where_nobody_can_be_asked(run: Run, store: Store) -> None:
    run("compact")
    before = files(store)
    code, _, error = run("expire", "--keep-days", "0")
    assert code == 2
    assert "--dry-run, then say --yes" in error
    code, out, _ = run("expire", "--keep-days", "0", "--dry-run")
    assert code == 0
    assert out.count("would remove ") == 4
    assert "would expire what was before snapshot " in out
    assert files(store) == before
    code, out, _ = run("expire", "--keep-days", "0", "--yes")
    assert code == 0
    assert out.endswith(": 4 files removed\n")
    assert len(before - files(store)) == 4
    assert verify(store) == []


def test_expire_asks_on_a_terminal(run: Run, store: Store, answer: bool) -> None:
    run("compact")
    before = files(store)
    code, _, _ = run("expire", "--keep-snapshot", str(store.snapshot()))
    assert code == (0 if answer else 1)
    assert (files(store) == before) != answer


@pytest.mark.parametrize("options", [(), ("--keep-days", "1", "--keep-snapshot", "1")])
def test_expire_wants_one_point(run: Run, options: tuple[str, ...]) -> None:
    code, _, error = run("expire", *options)
    assert code == 2
    assert "one of them" in error


def test_repair_asks_on_a_terminal_alone(run: Run, store: Store, answer: bool) -> None:
    lost = new_path(store.data / "records")
    lost.write_bytes(b"half a file")
    assert run("repair", "--dry-run")[0] == 0
    assert lost.exists()
    assert run("repair")[0] == (0 if answer else 1)
    assert lost.exists() != answer


def test_repair_needs_nobody(run: Run, store: Store) -> None:
    lost = new_path(store.data / "records")
    lost.write_bytes(b"half a file")
    code, out, _ = run("repair")
    assert (code, out) == (0, f"would remove {lost}\n{store.path}: 1 left-over files removed\n")
    assert not lost.exists()


def test_export_writes_a_copy(run: Run, store: Store, tmp_path: Path) -> None:
    target = tmp_path / "copy"
    code, out, _ = run("export", target, "--dry-run", "--table", "records")
    assert code == 0
    assert out.endswith(" 80 rows (dry run)\n")
    assert not target.exists()
    options = ("--format", "csv", "--partition", "none", "--since", "2026-03-01")
    assert run("export", target, *options)[0] == 0
    assert len((target / "records" / "records.csv").read_text().splitlines()) == 81
    said = json.loads((target / "manifest.json").read_text())
    assert (said["since"], said["partition"]) == ("2026-03-01", "none")
    code, _, error = run("export", target)
    assert code == 2
    assert "say --force to replace it" in error
    assert run("export", target, "--force")[0] == 0


def test_names_do_not_steer_the_terminal(
    run: Run, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = store.path.with_name("a\x1b]0;title\x07\udcff")
    for command in ("info", "verify", "repair", "compact"):
        code, out, error = run(command, "--store", odd)
        assert code == 3
        assert "\\x1b]0;title\\x07\\xff" in error
        assert "\x1b" not in out + error
