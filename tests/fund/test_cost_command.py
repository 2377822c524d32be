"""`l7meter cost`: what it prints, and what it refuses."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from fund_stores import request, stored
from typer.testing import CliRunner, Result

from l7meter.cli.app import app
from l7meter.fund import cards

TB = 10**12
STORY = [
    request(1, "Large", 12 * TB),
    request(2, "Small", TB),
    request(3, "Tiny", 0),
    request(31 * 24 + 1, "Small", TB),
]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return stored(tmp_path / "store", STORY)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["cost", *map(str, arguments)])


def test_a_table_a_bill_and_what_was_assumed(store: Path) -> None:
    result = run("-s", store, "--card", "fastly", "--period", "2026-10")
    assert result.exit_code == 0, result.output
    for text in ("Cost by organization, 2026-10: 1,440.00 USD", "Large", "1329.23", "1320.00", "north-america, up to 10 TB", "1,200.00", "Assumed"):  # fmt: skip
        assert text in result.stdout


def test_json_has_all_of_it(store: Path) -> None:
    whole = json.loads(run("-s", store, "--card", "fastly", "-o", "json").stdout)
    assert [*whole] == ["title", "rows", "total", "bill", "notes", "assumptions"]
    assert whole["total"] == "1560.00"
    assert [row["average_cost"] for row in whole["rows"]] == ["1329.23", "230.77", "0.00"]
    assert whole["bill"][0] == {"month": "2026-10", "what": "north-america, up to 10 TB", "quantity": "10000", "unit": "GB", "rate": "0.12", "amount": "1200"}  # fmt: skip
    assert whole["notes"]
    assert whole["assumptions"]


def test_rows_for_programs_are_alone_on_standard_output(store: Path) -> None:
    result = run("-s", store, "--card", "fastly", "--limit", "1", "-o", "csv")
    rows = list(csv.DictReader(result.stdout.splitlines()))
    assert [row["organization"] for row in rows] == ["Large", "(others)"]
    assert "l7meter: Assumed: Prices of card fastly" in result.stderr


def test_options_reach_the_bill(store: Path) -> None:
    result = run("-s", store, "--card", "cloudfront", "--unit", "GiB", "--commit", "500", "--region", "europe", "--regions", "organization:Small=india", "--since", "2026-10-01", "--until", "2026-11-01", "-o", "json")  # fmt: skip
    bill = json.loads(result.stdout)["bill"]
    assert [line["what"] for line in bill if line["unit"] != "10,000 requests"] == [
        "europe, up to 10 TiB",
        "europe, up to 50 TiB",
        "india, up to 10 TiB",
        "free: europe, up to 10 TiB",
        "covered by the commitment",
        "commitment",
    ]


def test_cards_are_listed() -> None:
    listed = run("--cards").stdout
    assert all(name in listed for name in cards.names())
    rows = json.loads(run("--cards", "-o", "json").stdout)
    assert [row["card"] for row in rows] == cards.names()


def test_a_file_of_ones_own(store: Path, tmp_path: Path) -> None:
    path = tmp_path / "contract"
    shipped = cards.SHIPPED / "generic.toml"
    path.write_text(shipped.read_text(encoding="utf-8").replace("0.01", "0.02"), encoding="utf-8")
    whole = json.loads(run("-s", store, "--card", path, "-o", "json").stdout)
    assert whole["total"] == "280.00"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Give --card: aws-egress, bunny"),
        (("--card", "fastly", "--period", "2026-10", "--since", "2026-10-02"), "contradict each other"),
        (("--card", "fastly", "--period", "last"), "write a month"),
        (("--card", "fastly", "--commit", "much"), "--commit much: give money"),
        (("--card", "fastly", "--regions", "europe"), "write DIMENSION:VALUE=REGION"),
        (("--card", "no.toml"), "no.toml: cannot be read"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_a_sentence(
    store: Path, arguments: tuple[str, ...], message: str
) -> None:
    result = run("-s", store, *arguments)
    assert message in str(result.exception)
