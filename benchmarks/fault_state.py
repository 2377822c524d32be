"""What a store adds up to, and children that do one thing each.

The process that forks must never run Polars or DuckDB itself: their threads do not come along.
"""

from __future__ import annotations

import os
import pickle
import shutil
import signal
import tempfile
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from l7meter.errors import L7MeterError
from l7meter.store import Store, catalog, connect, repair, side, verify

module: Any = import_module("l7meter.store.verify")  # the function has the same name
KILLED = -signal.SIGKILL
BUG = 70  # not an error that is told, but a traceback

_SUMS = {
    "records": "SELECT ts::DATE AS day, organization, server_bytes_basis, count(*), sum(server_bytes)::BIGINT FROM records GROUP BY ALL",
    "rejects": "SELECT source_id, reason, count(*) FROM rejects GROUP BY ALL",
    "ledger": "SELECT source_id, name, lines, records, rejects, skipped, server_bytes_content, continues FROM sources",
    "removals": "SELECT source_id, sum(records)::BIGINT, sum(rejects)::BIGINT FROM removals GROUP BY ALL",
    "rollups": "SELECT day, organization, package_name, sum(records)::BIGINT, sum(server_bytes)::BIGINT, sum(avoidable_bytes)::BIGINT FROM usage_daily GROUP BY ALL",
    "hourly": "SELECT hour, organization, agent_name, sum(records)::BIGINT, sum(server_bytes)::BIGINT, sum(avoidable_bytes)::BIGINT FROM usage_hourly GROUP BY ALL",
    "clients": "SELECT day, count(DISTINCT c) FROM (SELECT day, unnest(string_split(clients, ' ')) AS c FROM usage_daily) GROUP BY ALL",
}


class Ended(NamedTuple):
    """How a child ended: its exit code, or minus the signal; what it gave, or what it said."""

    code: int
    value: Any


def child(function: Callable[..., Any], *arguments: Any) -> Ended:
    """Run a function in a fork of this process to its end."""
    return wait(*start(function, *arguments))


def start(function: Callable[..., Any], *arguments: Any) -> tuple[int, Path]:
    """Fork a child that runs a function; its id, and where its answer will be."""
    handle, name = tempfile.mkstemp(prefix="l7meter-answer-")
    os.close(handle)
    answer = Path(name)
    answer.chmod(0o666)  # the child may be another user
    if number := os.fork():
        return number, answer
    code = BUG
    try:
        code, value = _ended(function, arguments)
        with answer.open("wb") as stream:
            pickle.dump(value, stream)
    finally:
        os._exit(code)  # what the parent opened is not the child's to close


def _ended(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Ended:
    try:
        return Ended(0, function(*arguments))
    except L7MeterError as error:
        return Ended(error.exit_code, str(error))
    except BaseException:
        return Ended(BUG, traceback.format_exc())


def wait(number: int, answer: Path) -> Ended:
    """How a child ended."""
    code = os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])
    content = answer.read_bytes()
    answer.unlink()
    try:
        return Ended(code, pickle.loads(content) if content else None)
    except (EOFError, pickle.UnpicklingError):  # it was killed while it answered
        return Ended(code, None)


def sums(store: Path) -> dict[str, Any]:
    """What a store adds up to; equal for stores that hold the same."""
    with connect(store) as connection:
        made = {name: sorted(connection.sql(sql).fetchall(), key=repr) for name, sql in _SUMS.items()}  # fmt: skip
    opened = Store.open(store)
    made["days"] = [(each.day, each.settled, each.restatements) for each in opened.days()]
    with catalog.reading(opened.catalog) as db:
        made["horizon"] = side.horizon(db)
    return made


def looked_at(store: Path, mend: bool, bounds: bool) -> list[str]:
    """What `verify` finds, but orphans, which a killed process may leave; after `repair` those, too."""
    if not begun(store):
        return []
    with Store.open(store) as opened:
        found = [str(each) for each in _verified(opened, bounds) if each.kind != "orphan"]
        if mend:
            repair(Store.open(store))
            found += [f"repaired: {each}" for each in verify(opened, deep=False)]
    return found


def finished(store: Path, bounds: bool) -> tuple[dict[str, Any], list[str]]:
    """What a store adds up to, and what `verify` finds once what is left over is removed."""
    added = sums(store)
    repair(opened := Store.open(store))
    return added, [str(each) for each in _verified(opened, bounds)]


def _verified(store: Store, bounds: bool) -> list[Any]:
    kept = module._statistics
    if not bounds:
        module._statistics = lambda *_: []
    try:
        return verify(store)
    finally:
        module._statistics = kept


def begun(store: Path) -> bool:
    """Whether there is a store yet: a process may have been killed while it made one."""
    path = store / "catalog.sqlite"
    if not path.is_file() or not path.stat().st_size:
        return False
    with catalog.reading(path) as db:
        return db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is not None


def copied(base: Path, to: Path) -> Path:
    """A copy of a directory, in the place of what is there."""
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(base, to, copy_function=shutil.copy2)
    return to
