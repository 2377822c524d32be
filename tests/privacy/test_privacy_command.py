"""`l7meter privacy`."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from l7meter.cli.privacy import policy_from, register
from l7meter.errors import UsageError
from l7meter.privacy import PERSONAL, Keys, Policy

app = typer.Typer()
register(app)


def run(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["privacy", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_keys_are_made_and_rotated_without_being_shown(tmp_path: Path) -> None:
    path = tmp_path / "k"
    shown = run("new-key", str(path)) + run("rotate", "--from", "2099-01-01", str(path))
    keys = list(Keys.read(path))
    assert [key.id for key in keys] == [word for word in shown.replace(",", "").split() if word in {key.id for key in keys}]  # fmt: skip
    assert not any(key.secret.hex()[:12] in shown for key in keys)
    with pytest.raises(UsageError, match="--from soon: no day"):
        run("rotate", "--from", "soon", str(path))


def test_pseudonyms_under_every_key_with_their_days(key_file: Path, keys: Keys) -> None:
    rows = json.loads(run("pseudonym", "--key-file", str(key_file), "192.0.2.17", "--user-name", "alice", "-o", "json"))  # fmt: skip
    made = [*keys.pseudonyms("192.0.2.17"), *keys.pseudonyms_of_name("alice")]
    assert [row["pseudonym"] for row in rows] == [each.text for each in made]
    assert [(row["from"], row["until"]) for row in rows[:2]] == [(None, "2026-06-01"), ("2026-06-01", None)]  # fmt: skip


@pytest.mark.parametrize("arguments", [[], ["client.example"]])
def test_what_has_no_pseudonym_is_told(key_file: Path, arguments: list[str]) -> None:
    with pytest.raises(UsageError, match=r"give an ADDRESS|no address"):
        run("pseudonym", "--key-file", str(key_file), *arguments)


def test_show_lists_every_personal_column() -> None:
    rows = list(csv.DictReader(io.StringIO(run("show", "-o", "csv"))))
    assert {row["column"] for row in rows} == {*PERSONAL, "line (of rejects)"}
    assert all(name in run("show") for name in PERSONAL)


def test_options_make_a_checked_policy() -> None:
    assert policy_from() == Policy()
    assert policy_from("truncated", referrers="origin") == Policy(addresses="truncated", referrers="origin")  # fmt: skip
    with pytest.raises(UsageError, match="need a key file"):
        policy_from("pseudonymous")
