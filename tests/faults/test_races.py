"""What one process does between two looks of another: the other notices, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from l7meter.attribution import Attribution
from l7meter.errors import Conflict, L7MeterError
from l7meter.ingest import Said, attributing, ingest
from l7meter.ingest.rotation import rotations
from l7meter.store import (
    Store,
    close,
    compact,
    connect,
    cover,
    maintenance,
    repair,
    rollups,
    select,
    verify,
)
from l7meter.store.maintenance import mergeable

DAY = date(2024, 1, 2)


def read(store: Store, folder: Path, name: str, hour: int = 3, count: int = 3) -> None:
    """Ingest a log of some requests for one path, in one hour."""
    at = datetime(2024, 1, 2, hour, tzinfo=UTC)
    line = f'192.0.2.1 - - [{at:%d/%b/%Y:%H}:{{:02}}:00 +0000] "GET /packages/ab/p-1.0-py3-none-any.whl HTTP/1.1" 200 7 "-" "pip/24.0"\n'
    (folder / name).write_text("".join(line.format(minute) for minute in range(count)))
    done = ingest([str(folder / name)], store, Said(format="combined"))
    assert [source.status for source in done.sources] == ["ingested"]


def before(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, act: Callable[[], Any]) -> None:
    """Let something happen before the first call of a function."""
    function, done = getattr(module, name), []

    def called(*arguments: Any, **options: Any) -> Any:
        if not done:
            done.append(True)
            act()
        return function(*arguments, **options)

    monkeypatch.setattr(module, name, called)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store.create(tmp_path / "store")
    for hour in (3, 4, 5):
        read(store, tmp_path, f"{hour}.log", hour)
    return store


def agree(store: Store, count: int) -> None:
    """Records and rollups are as many, and nothing is wrong."""
    repair(store)
    store.close()
    repair(store)
    assert verify(store) == []
    with connect(store.path) as connection:
        for view in ("usage_daily", "usage_hourly"):
            assert connection.sql(f"SELECT sum(records) FROM {view}").fetchall() == [(count,)]


def test_files_that_are_summed_up_while_they_are_merged(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    before(monkeypatch, maintenance, "finish", lambda: cover(Store.open(store.path)))
    with pytest.raises(Conflict, match="replaced meanwhile"):
        compact(store)
    agree(store, 9)
    assert len(compact(store)) == 1
    agree(store, 9)


def test_files_that_are_summed_up_while_they_are_concluded_anew(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own := tmp_path / "own.toml").write_text('[[organization]]\nname = "Us"\nnetworks = ["192.0.2.0/24"]\n')  # fmt: skip
    before(monkeypatch, attributing.rollups, "changed", lambda: cover(Store.open(store.path)))
    with pytest.raises(Conflict, match="replaced meanwhile"):
        attributing.attribute(store, Attribution(organizations=own))
    agree(store, 9)


def test_a_day_whose_records_come_while_it_is_closed(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late() -> None:
        with Store.open(store.path) as other:
            read(other, tmp_path, "late.log", 6)

    before(monkeypatch, rollups, "_merged", late)
    close(store, date(2024, 1, 3))
    agree(store, 12)
    with connect(store.path) as connection:
        again = "SELECT sum(avoidable_records), count(*) FILTER (avoidable_records IS NULL) FROM usage_daily"
        assert connection.sql(again).fetchall() == [(11, 0)]  # all but the first of the day


def test_records_that_come_late_are_summed_up_before_they_go(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from l7meter.store import retain, retention

    def late() -> None:
        with Store.open(store.path) as other:
            read(other, tmp_path, "late.log", 6)

    before(monkeypatch, retention, "take_out", late)
    assert retain(store, records=date(2024, 1, 3)).records == 9
    agree(store, 12)
    assert retain(store, records=date(2024, 1, 3)).records == 3
    agree(store, 12)


def test_a_large_file_waits_for_as_many_small_ones(store: Store, tmp_path: Path) -> None:
    compact(store)
    read(store, tmp_path, "more.log", 7)
    assert len(mergeable(store)[0]) == 2
    assert [file.rows for file in store.files("records")] == [9, 3]
    assert mergeable(store, balanced=True) == []
    for hour in (8, 9):
        read(store, tmp_path, f"more-{hour}.log", hour)
    assert [len(group) for group in mergeable(store, balanced=True)] == [4]


def test_logs_that_are_known_are_not_opened_to_see_whether_they_are_captures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [str(tmp_path / f"access-{n}.log") for n in range(4)]
    for name in names:
        Path(name).write_text("a line\n")
    opened: list[str] = []
    begins = rotations.__globals__["_begins"]
    monkeypatch.setitem(rotations.__globals__, "_begins", lambda name: opened.append(name) or begins(name))  # fmt: skip
    groups = list(rotations(names, Said(), lambda name: name != names[3]))
    assert groups == [[name] for name in names]
    assert opened == [names[3]]


@pytest.mark.parametrize("table", ["records", "usage_hourly", "usage_daily"])
@pytest.mark.parametrize("content", [None, b"", b"PAR1"])
def test_damage_is_told_not_thrown(store: Store, table: str, content: bytes | None) -> None:
    close(store, date(2024, 1, 3))
    compact(store)
    (file,) = store.files(table)
    path = store.data / table / file.name
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    assert {(each.kind, each.where) for each in verify(store)} >= {
        ("missing" if content is None else "size", f"data/{table}/{file.name}")
    }
    with pytest.raises(L7MeterError), connect(store.path) as connection:
        select(connection, f"SELECT sum(server_bytes) FROM {table}")
