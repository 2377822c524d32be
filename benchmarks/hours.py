"""Hours of a registry's log as they are delivered: on time, late, twice, packed, and growing.

Everything follows from the seed and the number of the hour, so that what has to come out is known: `truth`.
"""

from __future__ import annotations

import gzip
import os
import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

START = datetime(2025, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
AFTER = timedelta(minutes=5)  # the end of the hour, a run begins
KEPT = 30 * 24  # hours that a log stays where it was delivered
SPOILT = 200  # one line in so many is none
GROWS, GROWING = 4, 40  # the hours at which a log grows by so many lines; it is renamed after a day
ORGANIZATIONS = 40

_AGENTS = ("pip/24.0", "npm/10.2.4 node/v20.11.0 linux x64", "Apache-Maven/3.9.6", "curl/8.5.0", "cargo/1.75.0")  # fmt: skip
_PATHS = tuple(f"/packages/{n % 251:02x}/pkg_{n}-1.{n % 9}-py3-none-any.whl" for n in range(400)) + tuple(f"/simple/pkg-{n}/" for n in range(100))  # fmt: skip


@dataclass
class Truth:
    """What was delivered once: lines, and by day of the exchange records and octets of content."""

    lines: int = 0
    rejects: int = 0
    days: Counter[date] = field(default_factory=Counter)
    octets: Counter[date] = field(default_factory=Counter)


class Deliveries:
    """A directory that gets its logs hour by hour. `truth` is what a meter must have read by then."""

    def __init__(self, folder: Path, lines: int, seed: int = 20251122) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.lines = lines
        self.seed = seed
        self.truth = Truth()

    def deliver(self, hour: int) -> datetime:
        """Put there what arrives in the hour with this number; gives when a run then begins."""
        end = START + (hour + 1) * HOUR
        name = f"{START + hour * HOUR:%Y%m%d%H}"
        if not _is_late(hour):
            self._put(f"edge-{name}.log", hour, end)
        for before in (30, 100):  # hours late: within the open days, and behind them
            if hour >= before and _is_late(hour - before) == before:
                self._put(f"late-{START + (hour - before) * HOUR:%Y%m%d%H}.log", hour - before, end)
        if hour % 20 == 3:
            self._copy(hour, f"again-{name}.log", end)
        if hour % 50 == 9:
            self._copy(hour, f"packed-{name}.log.gz", end)
        if hour % GROWS == 0:
            self._grow(hour, end)
        self._clear(end)
        return end + AFTER

    def _put(self, name: str, hour: int, at: datetime) -> None:
        _write(self.folder / name, self._text(hour, self.lines, "edge"), at)

    def _copy(self, hour: int, name: str, at: datetime) -> None:
        """What was delivered an hour ago, once more."""
        before = self.folder / f"edge-{START + (hour - 1) * HOUR:%Y%m%d%H}.log"
        if before.exists():
            text = before.read_bytes()
            _write(self.folder / name, gzip.compress(text) if name.endswith(".gz") else text, at)

    def _grow(self, hour: int, at: datetime) -> None:
        current = self.folder / "grows.log"
        if hour % 24 == 0 and current.exists():  # GROWS divides a day
            current.rename(self.folder / f"grown-{START + (hour - 1) * HOUR:%Y%m%d}.log")
        text = current.read_bytes() if current.exists() else b""
        _write(current, text + self._text(hour, GROWING, "grows"), at)

    def _clear(self, now: datetime) -> None:
        for path in self.folder.iterdir():
            if now.timestamp() - path.stat().st_mtime > KEPT * 3600:
                path.unlink()

    def _text(self, hour: int, count: int, kind: str) -> bytes:
        chance = random.Random(f"{self.seed} {kind} {hour}")
        begin = START + hour * HOUR
        made = []
        truth = self.truth
        for number in range(count):
            second = number * 3600 // count
            at = f"{begin:%d/%b/%Y:%H}:{second // 60:02}:{second % 60:02} +0000"
            octets = chance.randrange(200, 5_000_000)
            if chance.randrange(SPOILT) == 0:
                made.append(f"spoilt {kind} {hour} {number}")
                truth.rejects += 1
                continue
            client = f"10.{chance.randrange(ORGANIZATIONS + 10)}.{chance.randrange(8)}.{chance.randrange(1, 255)}"
            path = _PATHS[int(len(_PATHS) * chance.random() ** 2)]
            made.append(f'{client} - - [{at}] "GET {path} HTTP/1.1" 200 {octets} "-" "{chance.choice(_AGENTS)}"')  # fmt: skip
            truth.days[begin.date()] += 1
            truth.octets[begin.date()] += octets
        truth.lines += count
        return "".join(f"{line}\n" for line in made).encode()


def _is_late(hour: int) -> int:
    """How many hours late what was logged in an hour arrives."""
    return 100 if hour % 168 == 50 else 30 if hour % 24 == 7 else 0


def _write(path: Path, content: bytes, at: datetime) -> None:
    path.write_bytes(content)
    os.utime(path, (at.timestamp(), at.timestamp()))


def configure(folder: Path) -> Path:
    """A configuration for these logs, as an operator writes it, and the organisations behind them."""
    (folder / "organizations.toml").write_text(
        "".join(
            f'[[organization]]\nname = "Organisation {n}"\nnetworks = ["10.{n}.0.0/16"]\n'
            for n in range(ORGANIZATIONS)
        )
    )
    (folder / "refdata").mkdir(exist_ok=True)
    (path := folder / "l7meter.toml").write_text(
        """\
store = "store"
[[source]]
name = "edge"
paths = ["logs/*.log", "logs/*.log.gz"]
format = "combined"
registry = ["pypi"]
[attribution]
organizations = "organizations.toml"
refdata = "refdata"
[retention]
records = "90d"
rejects = "30d"
snapshots = "7d"
[[report]]
name = "organizations"
query = "top_organizations"
every = "day"
"""
    )
    return path
