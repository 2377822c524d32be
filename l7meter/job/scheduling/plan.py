"""What a scheduler has to know of the job: when it runs, what it reads and writes, with how much memory."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from l7meter.analysis.parameters import TYPES
from l7meter.errors import UsageError
from l7meter.job.config import Config, SourceConfig
from l7meter.job.looking import anchor, writes

BUSY = 5  # exit code: another run is at work; no failure for a scheduler
_DAY = 86_400
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_NAME = re.compile(r"[a-z]([a-z0-9-]{0,40}[a-z0-9])?")  # as DNS labels, units and DAGs all allow


class Unit(NamedTuple):
    """A file of a scheduler: where it belongs (or is kept), and its text."""

    file: str
    text: str


class Times(NamedTuple):
    """When the job runs: every day at a time, or so often. Of UTC, for cron of the machine's zone."""

    at: str = "02:30"
    every: timedelta | None = None

    @classmethod
    def parse(cls, at: str | None, every: str | None) -> Times:
        """Of `--at HH:MM` or `--every 1h`.

        Raises `UsageError` for what is no time, both, and periods that do not part an hour or a day evenly.
        """
        if at and every:
            raise UsageError("--at and --every contradict each other: give one of them")
        if at and not _CLOCK.fullmatch(at):
            raise UsageError(f"--at {at}: no time of a day; write it as in 02:30")
        if not every:
            return cls(at or cls().at)
        try:
            period = TYPES["duration"].parse(every)
            assert isinstance(period, timedelta)
        except (ValueError, OverflowError):
            raise UsageError(f"--every {every}: no duration; write it as in 15m, 1h or 1d") from None  # fmt: skip
        made = cls(every=period)
        if period == timedelta(days=1):
            return cls()
        if not made.cron:
            raise UsageError(f"--every {every}: give minutes that part an hour evenly, or hours that part a day: 15m, 1h, 6h, 1d")  # fmt: skip
        return made

    @property
    def seconds(self) -> int:
        """From one run to the next."""
        return int(self.every.total_seconds()) if self.every else _DAY

    @property
    def _clock(self) -> tuple[int, int]:
        hour, minute = self.at.split(":")
        return int(hour), int(minute)

    @property
    def cron(self) -> str:
        """The five fields of cron; empty where they cannot say it."""
        if self.every is None:
            hour, minute = self._clock
            return f"{minute} {hour} * * *"
        minutes, rest = divmod(self.seconds, 60)
        if rest or not minutes or self.every.total_seconds() % 1:
            return ""
        if minutes < 60:
            return "" if 60 % minutes else f"*/{minutes} * * * *"
        hours, rest = divmod(minutes, 60)
        if rest or 24 % hours or hours == 24:
            return ""
        return "5 * * * *" if hours == 1 else f"5 */{hours} * * *"

    @property
    def calendar(self) -> str:
        """`OnCalendar=` of systemd (systemd.time(7))."""
        minute, hour, *_ = self.cron.split()
        if minute.startswith("*/"):
            return f"*-*-* *:00/{int(minute[2:]):02}:00 UTC"
        hours = "*" if hour == "*" else f"00/{int(hour[2:]):02}" if "/" in hour else f"{int(hour):02}"  # fmt: skip
        return f"*-*-* {hours}:{int(minute):02}:00 UTC"


@dataclass(frozen=True)
class Plan:
    """A job to be scheduled. `command` runs it; the paths are those of the configuration."""

    config: Config
    times: Times
    command: tuple[str, ...]
    name: str = "l7meter"
    user: str = "l7meter"
    memory: int = 4 << 30  # octets
    image: str = "l7meter"
    mail: str = "root"

    @property
    def writes(self) -> list[Path]:
        """The directories a run writes into."""
        return writes(self.config)

    @property
    def logs(self) -> list[Path]:
        """What the sources are read from: files, or directories that their globs start from."""
        return _outermost(anchor(path) for source in self.config.sources for path in source.paths)

    @property
    def texts(self) -> list[Path]:
        """Files that the configuration names and that are no secrets."""
        found = {self.config.attribution.organizations}
        found |= {path for source in self.config.sources for path in _mapped(source)}
        found |= {self.config.path.parent / report.query for report in self.config.reports if report.query.endswith(".sql")}  # fmt: skip
        return sorted(path for path in found if path)

    @property
    def secrets(self) -> list[Path]:
        """Files that nobody else may read: keys of pseudonyms, and of TLS."""
        keys = {self.config.privacy.key_file, *(source.tls_keys for source in self.config.sources)}
        return sorted(path for path in keys if path)

    @property
    def fetches(self) -> bool:
        """Whether a run asks the network."""
        return bool(self.config.attribution.update)


def planned(
    config: Config,
    times: Times,
    program: str,
    *,
    name: str = "l7meter",
    user: str = "l7meter",
    memory: str = "4GiB",
    image: str = "l7meter",
    mail: str = "root",
) -> Plan:
    """A plan of what was typed.

    Raises `UsageError` for names and sizes that are none, and paths that no scheduler can carry.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"--name {name}: write small letters, digits and hyphens, as in l7meter-cdn")  # fmt: skip
    for option, word in (("--user", user), ("--image", image), ("--mail", mail)):
        if not word or not word.isprintable() or set(word) & set(" '\"\\%$"):
            raise UsageError(f"{option} {word!r}: write it without blanks, quotes, \\, % and $")
    try:
        octets = TYPES["bytes"].parse(memory)
        assert isinstance(octets, int)
    except ValueError:
        raise UsageError(f"--memory {memory}: no size; write it as in 4GiB") from None
    if octets < 1 << 29:
        raise UsageError(f"--memory {memory}: a run needs 512MiB at least")
    if not program.startswith("/"):
        raise UsageError(f"--program {program}: write it from the root on, as in /usr/bin/l7meter")
    command = (program, "run", "--config", str(config.path))
    plan = Plan(config, times, command, name, user, octets, image, mail)
    for path in (*plan.writes, *plan.logs, *plan.texts, *plan.secrets, *command):
        if not str(path).isprintable():
            raise UsageError(f"{str(path)!r}: no scheduler takes such a path; rename it")
    return plan


def _mapped(source: SourceConfig) -> list[Path]:
    """The files that hold a source's format."""
    said = [source.log_format or ""] if source.log_format else []
    if len(source.map) == 1 and "=" not in source.map[0]:
        said.append(source.map[0])
    names = [name for text in said for name in (text, text.rpartition(":")[0])]
    return [Path(name).absolute() for name in names if name and "$" not in name and "%" not in name and os.path.isfile(name)]  # fmt: skip  # noqa: PTH113


def _outermost(paths: object) -> list[Path]:
    every = set(paths)  # type: ignore[call-overload]
    return sorted(path for path in every if not every.intersection(path.parents))
