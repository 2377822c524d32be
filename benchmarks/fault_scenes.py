"""What is done while faults happen: each scene has a beginning, which is made once, and an act.

An act is what a command does; done again after it was cut short, it does what is left. Sizes are small, so that
a log is of several blocks and an ingest of several commits.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from l7meter.attribution import Attribution
from l7meter.ingest import Said, ingest
from l7meter.ingest import run as ingest_run
from l7meter.ingest import source as ingest_source
from l7meter.ingest.attributing import attribute
from l7meter.job.config import read
from l7meter.job.run import run
from l7meter.sources import identity
from l7meter.store import Store, catalog, close, compact, cover, expire, forget, retain, side

DAY = timedelta(days=1)
FIRST = datetime(2024, 1, 2, tzinfo=UTC)
_AGENTS = ("pip/24.0", "curl/8.5.0", "Apache-Maven/3.9.6")


class Scene(NamedTuple):
    """`begin(folder)` makes `folder/store` and what is read; `act(folder)` is what may be cut short."""

    name: str
    begin: Callable[[Path], None]
    act: Callable[[Path], None]


class Clock(datetime):
    """What snapshots take for now."""

    at = FIRST

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return cls.at


def small() -> None:
    """Blocks of 8 KiB, batches of 24 KiB, identities by the first 16 KiB; the same salt in all stores."""
    ingest_source.BLOCK = 8 << 10
    ingest_run.BATCH = 24 << 10
    identity.PREFIX_BYTES = 16 << 10
    catalog.datetime = Clock  # type: ignore[attr-defined]
    side.secrets.token_hex = lambda count: "5a" * count  # type: ignore[attr-defined]


def lines(seed: object, count: int, begin: datetime = FIRST, hours: float = 1) -> str:
    """Lines of a log, from `begin` on; one of fifty is spoilt."""
    chance = random.Random(str(seed))
    made = []
    for number in range(count):
        at = begin + timedelta(hours=hours) * number / count
        if number % 50 == 49:
            made.append(f"spoilt {seed} {number}")
            continue
        client = f"10.{chance.randrange(4)}.0.{chance.randrange(1, 60)}"
        path = f"/packages/ab/p_{chance.randrange(9)}-1.0-py3-none-any.whl"
        made.append(f'{client} - - [{at:%d/%b/%Y:%H:%M:%S} +0000] "GET {path} HTTP/1.1" 200 {chance.randrange(1, 90_000)} "-" "{chance.choice(_AGENTS)}"')  # fmt: skip
    return "".join(f"{line}\n" for line in made)


def logs(folder: Path, count: int, size: int, days: int = 3, prefix: str = "log") -> None:
    """Logs of some hours each, spread over days."""
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    for number in range(count):
        begin = FIRST + days * DAY * number / count
        text = lines(f"{prefix} {number}", size, begin)
        (folder / "logs" / f"{prefix}-{number:03}.log").write_text(text)


def _organizations(folder: Path, word: str) -> Path:
    path = folder / f"{word}.toml"
    if not path.exists():  # a full disk is the act's, not this helper's
        path.write_text("".join(f'[[organization]]\nname = "{word} {n}"\nnetworks = ["10.{n}.0.0/16"]\n' for n in range(3)))  # fmt: skip
    return path


def _attribution(folder: Path, word: str) -> Attribution:
    (folder / "refdata").mkdir(exist_ok=True)
    return Attribution(("pypi",), organizations=_organizations(folder, word), refdata=folder / "refdata")  # fmt: skip


def _declared(folder: Path) -> None:
    """The files that acts read: a disk may be full by then."""
    (folder / "refdata").mkdir(exist_ok=True)
    _organizations(folder, "two")


def read_all(folder: Path) -> None:
    """Ingest all logs."""
    names = [str(path) for path in sorted((folder / "logs").iterdir())]
    with Store.open_or_create(folder / "store") as store:
        ingest(names, store, Said(format="combined"), attribution=_attribution(folder, "one"))


def _many(folder: Path) -> None:
    logs(folder, 16, 60)


def _large(folder: Path) -> None:
    (folder / "logs").mkdir(parents=True)
    (folder / "logs" / "large.log").write_text(lines(1, 2500, hours=70))


def _grown(folder: Path) -> None:
    logs(folder, 6, 150)
    read_all(folder)
    for number, path in enumerate(sorted((folder / "logs").iterdir())):
        path.write_text(path.read_text() + lines(900 + number, 120, FIRST + DAY))


def _regrown(folder: Path) -> None:
    """Logs whose last line was not whole: what was read of them is replaced."""
    logs(folder, 5, 150)
    whole = {path: path.read_text() for path in (folder / "logs").iterdir()}
    for path, text in whole.items():
        path.write_text(text[:-25])
    read_all(folder)
    with Store.open(folder / "store") as store:
        cover(store)
    for number, (path, text) in enumerate(whole.items()):
        path.write_text(text + lines(700 + number, 80, FIRST + DAY))


def _stored(folder: Path) -> None:
    logs(folder, 18, 60)
    read_all(folder)


def _closed(folder: Path) -> None:
    _stored(folder)
    _declared(folder)
    with Store.open(folder / "store") as store:
        close(store, (FIRST + 2 * DAY).date())


def _compact(folder: Path) -> None:
    with Store.open(folder / "store") as store:
        for table in ("records", "rejects"):
            compact(store, table, max_rows=500)


def _attribute(folder: Path) -> None:
    with Store.open(folder / "store") as store:
        attribute(store, _attribution(folder, "two"))


def _retain(folder: Path) -> None:
    day = (FIRST + DAY).date()
    with Store.open(folder / "store") as store:
        retain(store, records=day, rejects=day)


def _expire(folder: Path) -> None:
    with Store.open(folder / "store") as store:
        expire(store, store.snapshot())


def _expirable(folder: Path) -> None:
    _closed(folder)
    _compact(folder)


def _forget(folder: Path) -> None:
    with Store.open(folder / "store") as store:
        there = store.ledger()
        ids = there.filter(there["name"].str.ends_with("5.log"))["source_id"].to_list()
        if ids:
            forget(store, ids)


def _rollups(folder: Path) -> None:
    with Store.open(folder / "store") as store:
        cover(store, rows=300)
        close(store, date(2024, 1, 4))


CONFIG = """\
store = "store"
[[source]]
name = "edge"
paths = ["logs/*.log"]
format = "combined"
registry = ["pypi"]
[attribution]
organizations = "one.toml"
refdata = "refdata"
[retention]
records = "4d"
rejects = "4d"
snapshots = "1d"
[days]
close_after = "1d"
[compaction]
files = 8
[[report]]
name = "organizations"
query = "top_organizations"
every = "day"
"""


def _nightly(folder: Path) -> None:
    """A store of runs on two days; the third is to come: days that close, and records that go."""
    logs(folder, 12, 60, days=3)
    _declared(folder)
    _organizations(folder, "one")
    (folder / "l7meter.toml").write_text(CONFIG)
    _at(folder, FIRST + 3 * DAY)
    logs(folder, 10, 60, days=2, prefix="more")
    _at(folder, FIRST + 4.5 * DAY)
    late = folder / "logs" / "late.log"
    late.write_text(lines(77, 100, FIRST + 2 * DAY))
    grown = folder / "logs" / "log-011.log"
    grown.write_text(grown.read_text() + lines(78, 60, FIRST + 3 * DAY))


def _at(folder: Path, now: datetime) -> None:
    Clock.at = now
    result = run(read(folder / "l7meter.toml"), now=now)
    if result.exit_code:
        raise RuntimeError(f"run: {result.problems}")


def _night(folder: Path) -> None:
    _at(folder, FIRST + 6 * DAY)


SCENES = (
    Scene("ingest, many small", _many, read_all),
    Scene("ingest, one large", _large, read_all),
    Scene("ingest, grown: continued", _grown, read_all),
    Scene("ingest, grown: replaced", _regrown, read_all),
    Scene("compact", _closed, _compact),
    Scene("attribute", _closed, _attribute),
    Scene("retention", _closed, _retain),
    Scene("expire", _expirable, _expire),
    Scene("forget", _closed, _forget),
    Scene("rollups: cover, close", _stored, _rollups),
    Scene("l7meter run", _nightly, _night),
)
