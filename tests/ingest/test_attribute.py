"""Stored records concluded anew: as if they had been ingested so, in one commit, the former ones kept."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from test_ingest_capture import rows, sound

from l7meter.attribution import Attribution
from l7meter.errors import StoreError
from l7meter.ingest import Reattributed, attribute, attributing, ingest, run
from l7meter.store import Store, compact, connect, repair

CUSTOMERS = """\
[[organization]]
name = "Customer"
networks = ["8.8.8.0/24"]
valid_from = 2026-10-02

[[organization]]
name = "Mirrors"
agents = ["^bandersnatch/"]
"""
SAID = "SELECT ts, client_address, user_agent_original, url_original, response_body_size, source_id, source_line FROM records ORDER BY ALL"  # fmt: skip
ALL = "SELECT * EXCLUDE (ts), epoch_us(ts) FROM records ORDER BY source_id, source_line"


def log(folder: Path, name: str, days: range) -> Path:
    lines = [
        f'{address} - - [{day:02}/Oct/2026:12:00:{second:02} +0000] "GET /simple/x/ HTTP/1.1" 200 {100 * second + 1} "-" "{agent}"\n'
        for day in days
        for second, (address, agent) in enumerate(
            [("8.8.8.8", "pip/26.0"), ("9.9.9.9", "bandersnatch/6.5"), ("1.1.1.1", "pip/26.0"), ("8.8.8.9", "curl/8.0")]
        )
    ]  # fmt: skip
    (path := folder / name).write_text("".join(lines))
    return path


@pytest.fixture
def logs(tmp_path: Path) -> list[Path]:
    return [log(tmp_path, "a.log", range(1, 4)), log(tmp_path, "b.log", range(3, 6))]


@pytest.fixture
def customers(tmp_path: Path) -> Attribution:
    (path := tmp_path / "organizations.toml").write_text(CUSTOMERS)
    return Attribution(organizations=path)


def into(store: Path, logs: list[Path], attribution: Attribution | None = None) -> Path:
    with Store.open_or_create(store) as opened:
        for path in logs:  # a commit and a file each
            ingest([str(path)], opened, attribution=attribution)
    return store


def anew(store: Path, attribution: Attribution, **options: object) -> Reattributed:
    with Store.open(store) as opened:
        return attribute(opened, attribution, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_as_if_it_had_been_ingested_so(
    tmp_path: Path, logs: list[Path], customers: Attribution, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr(attributing, "SLICE", size)
    store = into(tmp_path / "one", logs)
    done = anew(store, customers)
    assert (done.records, done.looked_at) == (24, 24)
    assert rows(store, ALL) == rows(into(tmp_path / "other", logs, customers), ALL)
    sound(store)


def test_octets_that_change_hands(tmp_path: Path, logs: list[Path], customers: Attribution) -> None:
    done = anew(into(tmp_path / "store", logs), customers)
    told = {
        (row["organization"], row["basis"]): (row["bytes_before"], row["bytes_after"])
        for row in done.changes.iter_rows(named=True)
    }
    octets = 5 * 1 + 5 * 301  # of 8.8.8.8 and 8.8.8.9, but for the first of October
    assert told == {
        ("Customer", "content"): (0, octets),
        ("Google Cloud", "content"): (octets + 302, 302),
        ("Mirrors", "content"): (0, 6 * 101),
        ("Quad9", "content"): (6 * 101, 0),
    }
    assert done.changed == 10 + 6
    assert done.by_column["organization"] == 16


def test_said_stays_and_former_conclusions_are_in_the_former_snapshot(
    tmp_path: Path, logs: list[Path], customers: Attribution
) -> None:
    store = into(tmp_path / "store", logs)
    said, before = rows(store, SAID), rows(store, ALL)
    done = anew(store, customers)
    assert rows(store, SAID) == said
    with connect(store, snapshot=done.before) as connection:
        assert connection.execute(ALL).fetchall() == before
    assert done.snapshot is not None
    assert done.snapshot > done.before


def test_dry_run_changes_nothing(tmp_path: Path, logs: list[Path], customers: Attribution) -> None:
    store = into(tmp_path / "store", logs)
    before = rows(store, ALL)
    tried = anew(store, customers, dry_run=True)
    assert tried.snapshot is None
    assert rows(store, ALL) == before
    with Store.open(store) as opened:
        assert opened.snapshot() == tried.before
    done = anew(store, customers)
    assert done.changes.equals(tried.changes)
    assert (done.changed, done.by_column) == (tried.changed, tried.by_column)


def test_again_is_nothing(tmp_path: Path, logs: list[Path], customers: Attribution) -> None:
    store = into(tmp_path / "store", logs)
    anew(store, customers)
    again = anew(store, customers)
    assert (again.records, again.looked_at, again.snapshot) == (24, 0, None)


def test_only_the_period(tmp_path: Path, logs: list[Path], customers: Attribution) -> None:
    store = into(tmp_path / "store", logs)
    done = anew(store, customers, since=date(2026, 10, 3), until=date(2026, 10, 4))
    assert (done.records, done.changed) == (8, 6)
    told = rows(store, "SELECT DISTINCT day(ts) FROM records WHERE organization_method = 'declared'")  # fmt: skip
    assert told == [(3,)]
    sound(store)


def test_there_and_back_is_where_it_was(
    tmp_path: Path, logs: list[Path], customers: Attribution
) -> None:
    store = into(tmp_path / "store", logs)
    before = rows(store, ALL)
    anew(store, customers)
    anew(store, Attribution())
    assert rows(store, ALL) == before


def test_files_that_another_process_replaced_are_told(
    tmp_path: Path, logs: list[Path], customers: Attribution
) -> None:
    store = into(tmp_path / "store", logs)
    with Store.open(store) as opened:

        def meanwhile(done: int, total: int) -> None:
            if done == total:
                compact(opened)

        with pytest.raises(StoreError, match="was replaced meanwhile by another process"):
            attribute(opened, customers, progress=meanwhile)
    assert rows(store, "SELECT count(*) FROM records WHERE organization = 'Customer'") == [(0,)]
    with Store.open(store) as opened:
        repair(opened)  # what was written for nothing
    sound(store)


def test_what_an_attribution_stands_for_is_kept(
    tmp_path: Path, logs: list[Path], customers: Attribution
) -> None:
    store = into(tmp_path / "store", logs)
    anew(store, customers)
    used = "SELECT count(DISTINCT attribution_id) FROM records SEMI JOIN attributions USING (attribution_id)"  # fmt: skip
    assert rows(store, used) == [(2,)]  # before and since the second of October
    digest = "SELECT DISTINCT manifest->>'organizations_sha256' FROM attributions JOIN records USING (attribution_id)"  # fmt: skip
    assert rows(store, digest) == [(customers.declared.digest,)]


def test_what_is_remembered_of_one_source_is_not_taken_for_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Codes of text are remembered with what was concluded; each source is committed by itself here."""
    monkeypatch.setattr(run, "BATCH", 1)
    agents = ["pip/26.0", "bandersnatch/6.5", "curl/8.0"]
    paths = []
    for number, order in enumerate((agents, agents[::-1], agents[1:] + agents[:1])):
        lines = [f'192.0.2.{number} - - [01/Oct/2026:12:00:00 +0000] "GET /{agent} HTTP/1.1" 200 1 "-" "{agent}"\n' for agent in order]  # fmt: skip
        paths.append(tmp_path / f"{number}.log")
        paths[-1].write_text("".join(lines))
    with Store.open_or_create(tmp_path / "store") as opened:
        ingest(list(map(str, paths)), opened)
    told = rows(tmp_path / "store", "SELECT DISTINCT url_path, user_agent_original, agent_name FROM records ORDER BY 1")  # fmt: skip
    assert told == sorted((f"/{agent}", agent, agent.partition("/")[0]) for agent in agents)
