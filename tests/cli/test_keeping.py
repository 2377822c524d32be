"""Sources, days and persons taken out from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

from l7meter.store import Store, retain, verify

Run = Callable[..., tuple[int, bytes, str]]

LINE = '{address} - {user} [{day:02}/Oct/2026:12:00:00 +0000] "GET /a HTTP/1.1" 200 {size} "-" "curl/8"\n'


def log(path: Path, addresses: list[str], day: int = 1) -> Path:
    path.write_text("".join(LINE.format(address=a, user="alice" if a.endswith("9") else "-", day=day, size=n) for n, a in enumerate(addresses)))  # fmt: skip
    return path


def rows(run: Run, sql: str) -> list[dict[str, object]]:
    code, out, _ = run("sql", sql, "-o", "json")
    assert code == 0
    found: list[dict[str, object]] = json.loads(out)
    return found


def sound(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store") as store:
        assert verify(store) == []


def test_a_source_is_taken_out_and_comes_again(run: Run, tmp_path: Path) -> None:
    one = log(tmp_path / "one.log", ["192.0.2.1", "192.0.2.2"])
    other = log(tmp_path / "other.log", ["198.51.100.1"])
    run("ingest", one, other)
    code, out, _ = run("source", "list", "-o", "json")
    ids = {each["name"]: each["source_id"] for each in json.loads(out)}
    assert set(ids) == {str(one), str(other)}
    code, out, _ = run("source", "forget", ids[str(one)][:8], "--dry-run")
    assert (code, out) == (
        0,
        b"would take out 1 sources: 2 records, 0 rejects of 1 days (dry run)\n",
    )
    code, _, error = run("source", "forget", one)
    assert (code, "say --yes" in error) == (2, True)
    code, out, _ = run("source", "forget", one, "--yes")
    assert (code, out.startswith(b"took out 1 sources: 2 records")) == (0, True)
    assert rows(run, "SELECT count(*) AS n FROM records") == [{"n": 1}]
    run("ingest", one)
    assert rows(run, "SELECT count(*) AS n FROM records") == [{"n": 3}]
    code, _, error = run("source", "forget", "nobody")
    assert (code, "no such source" in error) == (2, True)
    sound(tmp_path)


def test_a_source_is_read_again_as_another_format(run: Run, tmp_path: Path) -> None:
    path = log(tmp_path / "access.log", ["192.0.2.1", "192.0.2.2"])
    run("ingest", path)
    code, out, _ = run("source", "forget", path, "--again", "--format", "debian-combined")
    assert (code, b"ingested: 2 records, 0 rejects in the place of 1 sources" in out) == (0, True)
    assert rows(run, "SELECT DISTINCT server_bytes_basis AS b FROM records") == [{"b": "message"}]
    assert rows(run, "SELECT format, count(*) AS n FROM sources GROUP BY 1") == [{"format": "debian-combined", "n": 1}]  # fmt: skip
    sound(tmp_path)


def test_a_source_that_cannot_be_read_again_stays(run: Run, tmp_path: Path) -> None:
    path = log(tmp_path / "access.log", ["192.0.2.1"])
    run("ingest", path)
    path.unlink()
    code, _, error = run("source", "forget", path, "--again")
    assert (code, "stays as it was" in error) == (3, True)
    assert rows(run, "SELECT count(*) AS n FROM records") == [{"n": 1}]
    sound(tmp_path)


def test_a_person_is_erased_from_every_state_of_the_store(run: Run, tmp_path: Path) -> None:
    path = log(tmp_path / "access.log", ["192.0.2.17", "192.0.2.9", "2001:db8::1"])
    path.write_text(path.read_text() + "192.0.2.17 rejected\nother rejected\n")
    run("ingest", path, "--max-reject-share", "1")
    code, out, error = run("privacy", "erase", "192.0.2.17", "--user-name", "alice", "--dry-run")
    assert (code, out.startswith(b"would erase 2 records and 1 rejected lines")) == (0, True)
    assert "pseudonyms stay" in error
    code, out, _ = run("privacy", "erase", "192.0.2.17", "--user-name", "alice", "--yes")
    assert (code, b"is the oldest now" in out) == (0, True)
    assert rows(run, "SELECT client_address AS a FROM records") == [{"a": "2001:db8::1"}]
    assert rows(run, "SELECT line FROM rejects") == [{"line": "other rejected"}]
    assert rows(run, "SELECT records, rejects FROM removals") == [{"records": 2, "rejects": 1}]
    for file in (tmp_path / "store").rglob("*"):
        if file.is_file():
            assert b"192.0.2.17" not in file.read_bytes()
    code, out, _ = run("privacy", "erase", "192.0.2.17", "--yes")
    assert (code, out.startswith(b"nothing to erase")) == (0, True)
    sound(tmp_path)


def test_days_close_and_late_records_restate_them(run: Run, tmp_path: Path) -> None:
    run("ingest", log(tmp_path / "a.log", ["192.0.2.1"]), log(tmp_path / "b.log", ["192.0.2.2"], 2))
    code, out, _ = run("day", "close", "--before", "2026-10-02")
    assert (code, out) == (0, b"1 days closed or summed up anew: 2026-10-01\n")
    run("ingest", log(tmp_path / "late.log", ["192.0.2.3", "192.0.2.4"]))
    _, out, _ = run("day", "list", "-o", "json")
    assert [(each["day"], each["state"]) for each in json.loads(out)] == [("2026-10-01", "restated"), ("2026-10-02", "open")]  # fmt: skip
    _, out, _ = run("day", "changes", "-o", "json")
    assert [(each["day"], each["records"], each["server_bytes"]) for each in json.loads(out)] == [("2026-10-01", 2, 1)]  # fmt: skip
    code, _, error = run("day", "close", "--before", "2999-01-01")
    assert (code, "has begun" in error) == (2, True)
    sound(tmp_path)


def test_records_that_retention_took_are_missed_aloud(run: Run, tmp_path: Path) -> None:
    run("ingest", log(tmp_path / "a.log", ["192.0.2.1"]), log(tmp_path / "b.log", ["192.0.2.2"], 9))
    before = Store.open(tmp_path / "store").snapshot()
    with Store.open(tmp_path / "store") as store:
        retain(store, records=date(2026, 10, 5))
    gone = "which are there from 2026-10-05 on"
    for arguments, warned in (
        (["top_addresses"], True),
        (["top_addresses", "-p", "since=2026-10-04T23:59:59"], True),
        (["top_addresses", "-p", "since=2026-10-05"], False),
        (["top_addresses", "--snapshot", str(before)], False),  # it has them still
        (["by_day"], False),  # of rollups
    ):
        code, _, error = run("query", *arguments)
        assert (code, gone in error) == (0, warned), arguments
        assert error.count("\n") == warned


def test_ingest_keeps_what_its_options_let(run: Run, tmp_path: Path) -> None:
    path = log(tmp_path / "access.log", ["192.0.2.9"])
    run("ingest", path, "--privacy-addresses", "truncated", "--privacy-user-names", "drop")
    assert rows(run, "SELECT client_address, user_name FROM records") == [{"client_address": "192.0.2.0", "user_name": None}]  # fmt: skip
    code, _, error = run("ingest", path, "--privacy-addresses", "pseudonymous")
    assert (code, "need a key file" in error) == (2, True)
