"""A job on a machine of its own: logs, a configuration, runs at instants that the test names."""

from __future__ import annotations

from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from l7meter.job.config import Config, read
from l7meter.job.run import Result, run
from l7meter.store import Store, connect, select

NOW = datetime(2026, 11, 10, 2, 30, tzinfo=UTC)
DAY = date(2026, 11, 1)
SOURCE = """
[[source]]
name = "{name}"
paths = ["logs/{name}*.log"]
format = "combined"
"""


def line(day: date, client: int = 1, size: int = 100, path: str = "/") -> str:
    return f'192.0.2.{client} - - [{day:%d/%b/%Y}:03:04:05 +0000] "GET {path} HTTP/1.1" 200 {size} "-" "pip/23.3"\n'


class Job:
    """Logs, `l7meter.toml` and a store in a folder."""

    def __init__(self, folder: Path, more: str = "", *names: str) -> None:
        self.folder = folder
        self.logs = folder / "logs"
        self.logs.mkdir(parents=True, exist_ok=True)
        self.file = folder / "l7meter.toml"
        top, _, tables = more.partition("\n\n")
        sources = "".join(SOURCE.format(name=name) for name in names or ("cdn",))
        self.file.write_text(f'store = "store"\n{sources}{top}\n{tables}')

    @property
    def config(self) -> Config:
        return read(self.file)

    def log(self, name: str, *lines: str) -> Path:
        """Lines at the end of a log."""
        with (path := self.logs / f"{name}.log").open("a") as stream:
            stream.writelines(lines)
        return path

    def run(self, now: datetime = NOW, **more: Any) -> Result:
        return run(self.config, now=now, **more)

    @property
    def store(self) -> Store:
        return Store.open(self.folder / "store")

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        with connect(self.folder / "store") as connection:
            return select(connection, sql).rows()

    def sums(self) -> list[tuple[Any, ...]]:
        """Requests and octets by day and organisation, by the records and by the rollups."""
        records = self.ask(
            "SELECT CAST(ts AS DATE), organization, count(*), sum(server_bytes) FROM records GROUP BY ALL ORDER BY ALL"
        )
        usage = self.ask(
            "SELECT CAST(day AS DATE), organization, CAST(sum(records) AS BIGINT), CAST(sum(server_bytes) AS BIGINT) "
            "FROM usage_daily GROUP BY ALL ORDER BY ALL"
        )
        return [*records, ("rollups",), *usage]

    def tree(self) -> dict[str, str]:
        """All files below the folder, with hashes."""
        return {
            str(path.relative_to(self.folder)): sha256(path.read_bytes()).hexdigest()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file()
        }
