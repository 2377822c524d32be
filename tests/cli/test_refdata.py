"""Reference data and the foundation's own organisations through the front door."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

AWS = {
    "createDate": "2026-10-02-03-04-05",
    "syncToken": "1",
    "prefixes": [
        {"ip_prefix": "8.8.8.0/24", "region": "us-east-1", "service": "AMAZON"},
        {"ip_prefix": "8.8.8.0/25", "region": "us-east-1", "service": "EC2"},
    ],
    "ipv6_prefixes": [],
}
LINE = '8.8.8.8 - - [03/Oct/2026:12:00:00 +0000] "GET /simple/x/ HTTP/1.1" 200 500 "-" "pip/26.0"\n'
Run = Callable[..., tuple[int, bytes, str]]
Told = Callable[..., str]


@pytest.fixture
def told(run: Run, tmp_path: Path) -> Told:
    """What a command prints that ends well, with reference data of its own."""

    def ask(*arguments: object) -> str:
        code, out, error = run(*map(str, arguments), "--refdata", str(tmp_path / "refdata"))
        assert (code, error) == (0, "")
        return out.decode()

    return ask


@pytest.fixture
def published(tmp_path: Path) -> Path:
    (path := tmp_path / "ip-ranges.json").write_text(json.dumps(AWS))
    return path


def test_imported_listed_pinned_and_used(told: Told, published: Path) -> None:
    assert told("refdata", "import", published).startswith("aws-2026-10-02-")
    rows = [json.loads(line) for line in told("refdata", "status", "--day", "2026-10-05", "-o", "jsonl").splitlines()]  # fmt: skip
    assert {row["name"].split("-")[0]: row["holds"] for row in rows} == {"shipped": True, "aws": True}  # fmt: skip
    pinned = told("refdata", "use", "--since", "2026-10-01", "--until", "2026-11-01", rows[1]["name"])  # fmt: skip
    assert pinned == f"{rows[1]['name']} holds from 2026-10-01 until 2026-11-01\n"
    (row,) = map(json.loads, told("explain", "address", "8.8.8.8", "--day", "2026-10-05", "-o", "jsonl").splitlines())  # fmt: skip
    assert (row["organization_method"], row["network_kind"]) == ("published", "cloud")
    assert "service EC2, region us-east-1" in row["rule"]


def test_file_of_another_hash_is_not_imported(run: Run, told: Told, published: Path) -> None:
    right = sha256(published.read_bytes()).hexdigest()
    code, _, error = run("refdata", "import", str(published), "--sha256", "0" * 64)
    assert (code, f"its SHA-256 is {right}" in error) == (2, True)
    assert told("refdata", "import", published, "--sha256", right).startswith("aws-")


def test_what_is_no_reference_data_is_told(run: Run, tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("hello\n")
    code, _, error = run("refdata", "import", str(tmp_path / "x.txt"))
    assert (code, "no importer claims it; name one by --as: as2org" in error) == (2, True)
    code, _, error = run("refdata", "import", str(tmp_path / "absent"))
    assert (code, "absent: cannot be read" in error) == (3, True)
    code, _, error = run("refdata", "status", "--day", "yesterday")
    assert (code, "--day yesterday: no day" in error) == (2, True)


def test_concluded_anew_with_what_was_imported(
    run: Run, told: Told, published: Path, tmp_path: Path
) -> None:
    (log := tmp_path / "access.log").write_text(LINE)
    store = tmp_path / "store"
    told("ingest", log, "--store", store)
    told("refdata", "import", published)
    tried = json.loads(told("attribute", "--store", store, "--dry-run", "-o", "json"))
    assert (tried["records"], tried["changed"], tried["snapshot"]) == (1, 1, None)
    done = json.loads(told("attribute", "--store", store, "-o", "json"))
    assert done["changes"] == tried["changes"]
    sums = {row["organization"]: (row["bytes_before"], row["bytes_after"]) for row in done["changes"]}  # fmt: skip
    assert sums == {"Amazon Web Services": (0, 500), "Google Cloud": (500, 0)}
    for snapshot, organization in ((done["before"], "Google Cloud"), (done["snapshot"], "Amazon Web Services")):  # fmt: skip
        code, out, _ = run("sql", "SELECT organization FROM records", "--store", str(store), "--snapshot", str(snapshot), "-o", "csv")  # fmt: skip
        assert (code, out.decode().splitlines()) == (0, ["organization", organization])
    text = told("attribute", "--store", store)
    assert "0 were concluded by other data or rules" in text
    assert "Nothing is to be changed" in text


def test_declared_file_with_a_fault_ends_before_anything_is_read(run: Run, tmp_path: Path) -> None:
    (log := tmp_path / "access.log").write_text(LINE)
    (own := tmp_path / "own.toml").write_text("[[organization]]\nname = 'A'\nasn = [1]\n")
    code, out, error = run("ingest", str(log), "--store", str(tmp_path / "s"), "--organizations", str(own))  # fmt: skip
    assert (code, out) == (2, b"")
    assert error.startswith(f"l7meter: {own}: line 3: unknown key asn")
    assert not (tmp_path / "s").exists()


def test_registry_of_a_host(run: Run) -> None:
    target = "https://files.example/left-pad"
    for options, ecosystem in ([], None), (["--registry", "files.example=npm"], "npm"), (["--registry", "*.example=npm"], "npm"):  # fmt: skip
        _, out, _ = run("explain", "target", target, *options, "-o", "jsonl")
        assert json.loads(out).get("package_ecosystem") == ecosystem
    code, _, error = run("explain", "target", target, "--registry", "a=npm", "--registry", "a=pypi")
    assert (code, "--registry a=pypi: it was npm before" in error) == (2, True)
    code, _, error = run("explain", "target", target, "--registry", "a=nope")
    assert (code, "registry nope: no layout has that name" in error) == (2, True)
