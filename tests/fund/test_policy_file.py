"""The policy's file: what it may say, and how each fault is told with its line."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from l7meter.cli.app import app
from l7meter.errors import UsageError
from l7meter.fund.policy import EXAMPLE, read

GOOD = '[fund]\nname = "F"\nbudget = 100\n\n[[pool]]\nname = "all"\ndriver = "bytes"\nshare = 1\n'


def said(tmp_path: Path, text: str) -> str:
    path = tmp_path / "policy.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as raised:
        read(path)
    return str(raised.value).replace(f"{tmp_path}/", "")


def test_the_one_to_begin_with_is_good() -> None:
    made = read(EXAMPLE)
    assert made.fund.budget == 1_000_000
    assert made.allowance.bytes == 100 * 1000**3
    assert made.rules() == ("proportional", "tiered", "avoidable", "peak", "shapley")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "needs name"),
        ('[fund]\nname = "F"\n', "there is no [[pool]]"),
        (GOOD + "[limit]\ncap = 1\n", "line 9: unknown key limit; did you mean limits?"),
        (GOOD.replace("share = 1", "share = 0.9"), "line 3: the pools are 90.0 together, and the budget 100"),
        (GOOD.replace("share = 1", ""), "line 5: pool all has no size; give one of share, amount and card"),
        (GOOD + "amount = 3\n", "pool all has share and amount"),
        (GOOD.replace('"bytes"', '"octets"'), 'line 7: driver \'octets\' is none of bytes, requests, packages, flat'),
        (GOOD.replace("budget = 100", "budget = -1"), "line 3: budget -1 is no money"),
        (GOOD.replace("budget = 100\n", ""), "share of a budget that [fund] does not have"),
        (GOOD.replace("share = 1", 'card = "generic"'), "leave the budget out"),
        (GOOD + '[[tier]]\nup_to = "1TB"\nrate = 1\n', "tiers go up: each with its up_to, the last without"),
        (GOOD + '[[tier]]\nup_to = "2TB"\nrate = 1\n[[tier]]\nup_to = "1TB"\nrate = 1\n[[tier]]\nrate = 1\n', "tiers go up"),
        (GOOD.replace("budget", 'rule = "tiered"\nbudget'), "line 3: the rule tiered needs [[tier]]s"),
        (GOOD + "[avoidable]\nrate = 0.5\n", "makes who fetches again pay less"),
        (GOOD + "[completeness]\nlow = 0.9\nhigh = 0.8\n", "line 10: completeness lies between low"),
        (GOOD + "[limits]\nfloor = 10\ncap = 5\n", "line 10: the floor 10 is above the cap 5"),
        (GOOD + '[allowance]\nbytes = "lots"\n', 'line 10: bytes \'lots\' is no size; write "1TB"'),
        (GOOD + "[rebate]\nnot_modified = 2\n", "line 10: not_modified 2 is no share"),
        (GOOD + '[[pool]]\nname = "all"\ndriver = "flat"\namount = 0\n', "line 10: pool all is there already"),
    ],
)  # fmt: skip
def test_faults_are_told_with_their_line(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in said(tmp_path, text)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    lines = said(tmp_path, GOOD.replace('"bytes"', '"x"').replace("= 100", '= "y"')).splitlines()
    assert [line.split(": ")[1] for line in lines] == ["line 3", "line 7"]


def test_money_is_exact(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text(GOOD.replace("100", '"123456789012.34"'))
    assert read(tmp_path / "policy.toml").fund.budget == Decimal("123456789012.34")


def test_the_command_overwrites_nothing(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    run = CliRunner().invoke
    assert run(app, ["fund", "policy", str(path)]).exit_code == 0
    assert path.read_bytes() == EXAMPLE.read_bytes()
    again = run(app, ["fund", "policy", str(path)])
    assert isinstance(again.exception, UsageError)
    assert "there already" in str(again.exception)
    assert "4 pools" in run(app, ["fund", "policy", "--check", str(path)]).stdout
