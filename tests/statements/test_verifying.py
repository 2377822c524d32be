"""A statement follows from its store, on any machine; what was changed since is named."""

from __future__ import annotations

import json
import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from example_fund import made as example
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from l7meter.cli.app import app
from l7meter.errors import UsageError
from l7meter.fund import policy as policies
from l7meter.fund.period import Period
from l7meter.statements import making, writing
from l7meter.statements.document import digest
from l7meter.statements.verifying import verify
from l7meter.store import connect

OCTOBER = Period.parse("2026-10")


@pytest.fixture(scope="module")
def fund(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, dict[str, dict[str, Any]]]:
    store, policy = example(tmp_path_factory.mktemp("fund"))
    found = making.make(store, policies.read(policy), OCTOBER)
    return store, policy, {each["organization"]["name"]: each for each in found.documents}


@pytest.fixture
def copy(fund: tuple[Path, Path, dict[str, dict[str, Any]]], tmp_path: Path) -> Path:
    """Another machine's copy of all there is."""
    shutil.copytree(fund[0].parent, tmp_path / "copy")
    return tmp_path / "copy"


def read(document: dict[str, Any]) -> dict[str, Any]:
    """As it comes back from its file."""
    again: dict[str, Any] = json.loads(writing.json_octets(document))
    return again


def test_everybody_who_can_be_named_has_one(fund: Any) -> None:
    _, _, found = fund
    assert len(found) == 12
    assert "(unknown)" not in found
    assert found["Cedar University"]["amount"] | {"pools": []} == found["Cedar University"]["amount"] | {"pools": [], "status": "exempt", "amount": "0.00"}  # fmt: skip
    named = sum(Decimal(each["amount"]["amount"]) for each in found.values())
    assert 0 < named < Decimal(found["Alder Systems"]["amount"]["total"])


def test_its_parts_add_up(fund: Any) -> None:
    for document in fund[2].values():
        use, amount = document["use"], document["amount"]
        for name in ("by_day", "by_network", "by_client", "by_ecosystem", "by_package"):
            assert sum(row["bytes"] for row in use[name]) == use["bytes"], name
            assert sum(row["requests"] for row in use[name]) == use["requests"], name
        assert sum(row["avoidable_bytes"] for row in use["by_day"]) == use["avoidable_bytes"]
        assert sum(row["bytes"] for row in document["attribution"]["methods"]) == use["bytes"]
        if Decimal(amount["amount"]):
            assert sum(Decimal(row["amount"]) for row in amount["pools"]) == Decimal(amount["amount"])  # fmt: skip
        assert Decimal(amount["low"]) <= Decimal(amount["amount"]) <= Decimal(amount["high"])
        assert document["digest"] == digest(document)


def test_it_is_of_its_schema(fund: Any) -> None:
    schema = json.loads(Path(making.__file__).with_name("statement.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    for document in fund[2].values():
        Draft202012Validator(schema).validate(read(document))


def test_its_sql_gives_its_figures(fund: Any) -> None:
    store, _, found = fund
    document = found["Birch Bank"]
    with connect(store, locked=True) as con:
        for name in ("by_day", "by_network", "by_client", "by_ecosystem", "methods"):
            rows = con.sql(document["evidence"]["sql"][name]).pl()
            stated = document["attribution"]["methods"] if name == "methods" else document["use"][name]  # fmt: skip
            assert sorted(rows["bytes"].to_list()) == sorted(row["bytes"] for row in stated)
            assert rows["requests"].sum() == document["use"]["requests"]


def test_a_copy_verifies_to_the_cent(fund: Any, copy: Path) -> None:
    for name in ("Alder Systems", "Cedar University", "Larch Studio"):
        assert verify(read(fund[2][name]), copy / "store", copy / "policy.toml") == []


def test_what_came_to_the_store_since_changes_nothing(fund: Any, copy: Path) -> None:
    log = copy / "more.log"
    log.write_text('192.0.2.1 - - [05/Oct/2026:00:20:58 +0000] "GET /simple/kite/ HTTP/1.1" 200 41000 "-" "uv/0.5.1"\n')  # fmt: skip
    arguments = ["ingest", str(log), "--store", str(copy / "store"), "--organizations", str(copy / "organizations.toml")]  # fmt: skip
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert verify(read(fund[2]["Alder Systems"]), copy / "store", copy / "policy.toml") == []


def changed(document: dict[str, Any], copy: Path) -> list[tuple[str, str]]:
    found = verify(document, copy / "store", copy / "policy.toml")
    return [(each.what, each.where) for each in found]


def test_a_changed_statement_is_told_where(fund: Any, copy: Path) -> None:
    document = read(fund[2]["Alder Systems"])
    document["amount"]["amount"] = "1.00"
    document["use"]["by_day"][2]["bytes"] += 1
    assert changed(document, copy) == [("statement", "digest"), ("figure", "use.by_day[2].bytes"), ("figure", "amount.amount")]  # fmt: skip
    document["digest"] = digest(document)  # who changes it well
    assert changed(document, copy) == [("figure", "use.by_day[2].bytes"), ("figure", "amount.amount")]  # fmt: skip


def test_a_changed_octet_of_the_store_is_told(fund: Any, copy: Path) -> None:
    document = read(fund[2]["Alder Systems"])
    file = max((copy / "store/data").rglob("*.parquet"), key=lambda each: each.stat().st_size)
    octets = bytearray(file.read_bytes())
    octets[len(octets) // 2] ^= 1
    file.write_bytes(octets)
    found = changed(document, copy)
    assert found[0] == ("store", f"data/{file.parent.name}/{file.name}")


def test_a_changed_policy_is_told(fund: Any, copy: Path) -> None:
    policy = copy / "policy.toml"
    policy.write_text(policy.read_text().replace("rate = 3", "rate = 4"))
    found = changed(read(fund[2]["Fir Cloudworks"]), copy)
    assert found[0] == ("policy", "policy.toml")
    assert ("figure", "alternatives[1].amount") in found
    policy.write_text(policy.read_text().replace("rate = 4", "rate = 3") + "\n")
    assert changed(read(fund[2]["Fir Cloudworks"]), copy) == [("policy", "policy.toml")]


def test_a_changed_card_is_told(fund: Any, copy: Path) -> None:
    card = copy / "card.toml"
    card.write_text(card.read_text() + "# one remark\n")
    assert changed(read(fund[2]["Alder Systems"]), copy) == [("card", "card")]


def test_a_changed_file_of_organisations_is_told(fund: Any, copy: Path) -> None:
    own = copy / "organizations.toml"
    own.write_text(own.read_text().replace('"education"', '"member"'))
    found = changed(read(fund[2]["Cedar University"]), copy)
    assert found[0] == ("organizations", "organizations.toml")
    assert ("figure", "amount.amount") in found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "no statement"),
        ("{", "no JSON"),
        ('{"schema": "l7meter.statement/9"}', "schema l7meter.statement/9: this l7meter verifies"),
        ('{"schema": "l7meter.statement/1", "digest": "x"}', "this is no whole statement"),
    ],
)
def test_what_is_no_statement(fund: Any, tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "s.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=said):
        verify(writing.read(path), fund[0], fund[1])


def test_who_has_no_statement(fund: Any) -> None:
    policy = policies.read(fund[1])
    with pytest.raises(UsageError, match="did you mean Alder Systems"):
        making.make(fund[0], policy, OCTOBER, ["Alder System"])
    with pytest.raises(UsageError, match="is a provider whose tenants are not known"):
        making.make(fund[0], policy, OCTOBER, ["(unknown)"])


def test_the_commands(fund: Any, tmp_path: Path) -> None:
    store, policy, _ = fund
    run = CliRunner().invoke
    folder, key = tmp_path / "out", tmp_path / "fund.pem"
    assert run(app, ["fund", "key", str(key)]).exit_code == 0
    common = ["--policy", str(policy), "--store", str(store)]
    done = run(app, ["fund", "statement", "--all", "--limit", "2", "--period", "2026-10", "--to", str(folder), "--key", str(key), "--as", "json,html,csv,focus", *common])  # fmt: skip
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("2 statements, ")
    whole = run(app, ["fund", "verify", str(folder), "--public-key", f"{key}.pub"])
    assert (whole.exit_code, "which is signed" in whole.stdout) == (0, True)
    (one,) = folder.glob("alder-systems-*.json")
    equal = run(app, ["fund", "verify", str(one), *common])
    assert (equal.exit_code, equal.stdout.startswith("equal: Alder Systems")) == (0, True)
    one.write_text(one.read_text().replace('"requests": 1442', '"requests": 1443'))
    assert run(app, ["fund", "verify", str(one), *common]).exit_code == 3
    assert run(app, ["fund", "verify", str(folder), "--public-key", f"{key}.pub"]).exit_code == 3
    neither = run(app, ["fund", "statement", "--period", "2026-10", *common])
    assert "whose statement?" in str(neither.exception)


def test_files_of_names_never_meet() -> None:
    names = ["Example Corp", "example corp", "EXAMPLE-CORP", "example-corp", "Ünïcode", "日本", "中国", "../etc", "a" * 300, "CON", ""]  # fmt: skip
    files = [writing.file_name(name) for name in names]
    assert len({each.lower() for each in files}) == len(names)
    assert all(0 < len(each) < 80 and "/" not in each and not each.startswith(".") for each in files)  # fmt: skip
