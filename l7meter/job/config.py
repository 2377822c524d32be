"""The configuration of the batch job, `l7meter.toml`: what a run reads, keeps, forgets and writes.

A key is one field here: its type, its default, its sentence. `docs/run.md` shows them in a table.
"""
# ruff: noqa: RUF009 (`key` gives a `dataclasses.field`)

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from l7meter import tomlfile
from l7meter.errors import UsageError
from l7meter.formats import Options
from l7meter.ingest import Said
from l7meter.job.keys import DURATION, KEEPING, PAIRS, PARAMETERS, PATHS, PERIOD, ZONE
from l7meter.tomlkeys import COUNT, FLAG, NAME, PATH, SHARE, TEXT, choice, key, many

FILE = "l7meter.toml"
VARIABLE = "L7METER_CONFIG"

Addresses = Literal["full", "truncated", "pseudonymous", "none"]
Queries = Literal["keep", "drop"]
Referrers = Literal["keep", "origin", "drop"]
UserNames = Literal["keep", "pseudonymous", "drop"]
Every = Literal["run", "day", "month"]
ReportFormat = Literal["csv", "json", "jsonl", "parquet", "markdown"]
LogFormat = Literal["auto", "human", "json"]
Level = Literal["debug", "info", "warning", "error"]

_KEEP_OR_DROP = choice(Queries)
_SUFFIXES = {"markdown": "md"}


@dataclass(frozen=True, kw_only=True)
class SourceConfig:
    """Logs or captures of one origin, alike in format. There may be none yet."""

    name: str = key(NAME, "What `status` and errors call it; no other has it.")
    paths: tuple[str, ...] = key(PATHS, "Files, directories (read in depth) and globs.")
    format: str | None = key(TEXT, "One of `l7meter formats`; told by content if neither this nor one of the next two is given.", None)  # fmt: skip
    log_format: str | None = key(TEXT, "Format string of nginx, Apache, HAProxy or Envoy, or the path of a server's configuration with `:NAME`.", None)  # fmt: skip
    map: tuple[str, ...] = key(PAIRS, "For JSON, or CSV with a header: `field=column` pairs, or the path of a mapping file.", ())  # fmt: skip
    registry: tuple[str, ...] = key(many(TEXT, 'registry = ["pypi"]'), "What the logs are of, where host and path do not tell: purl types, or `HOST=TYPE`.", ())  # fmt: skip
    trusted_hops: int = key(COUNT, "Proxies of your own in front of the server that logs.", 0)
    timezone: str = key(ZONE, "Zone of times that are logged without one.", "UTC")
    engine: str | None = key(TEXT, "What reads packet captures: `columnar` (so if not given), `exact` or `tshark`.", None)  # fmt: skip
    tls_keys: Path | None = key(PATH, "Key log that opens TLS and QUIC in captures.", None)
    every: timedelta | None = key(PERIOD, "How often it should deliver; `status` says how late it is. Nothing is expected if not given.", None)  # fmt: skip
    settle: timedelta = key(DURATION, "Files that were written to within this time are left for the next run.", "0s")  # fmt: skip
    max_reject_share: float = key(SHARE, "A larger share of lines that are no records makes the run exit with 4.", 0.05)  # fmt: skip

    def said(self) -> Said:
        """What is said of the format, as the commands take it."""
        options = Options(self.trusted_hops, self.timezone)
        return Said(self.format, self.log_format, self.map, options, self.engine, self.tls_keys)


@dataclass(frozen=True, kw_only=True)
class AttributionConfig:
    """Who is who: the foundation's own file, and the reference data of others."""

    organizations: Path | None = key(PATH, "The foundation's own organisations (TOML).", None)
    refdata: Path | None = key(PATH, "Directory of reference data; the user's own if not given.", None)  # fmt: skip
    update: tuple[str, ...] = key(many(TEXT, 'update = ["aws", "gcp"]'), "What a run fetches anew: names of `l7meter refdata sources`. Nothing if empty.", ())  # fmt: skip
    max_age: timedelta | None = key(KEEPING, "Older reference data is fetched anew where `update` names it, else warned of.", "35d")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class PrivacyConfig:
    """What of a person reaches the disk (docs/privacy.md)."""

    addresses: Addresses = key(choice(Addresses), "Addresses of clients.", "full")
    key_file: Path | None = key(PATH, "Keys of pseudonyms (`l7meter privacy new-key`).", None)
    queries: Queries = key(_KEEP_OR_DROP, "Query strings of request targets.", "keep")
    referrers: Referrers = key(choice(Referrers), "Referer fields.", "keep")
    user_names: UserNames = key(choice(UserNames), "Names that requests authenticate by.", "keep")
    agents: Queries = key(_KEEP_OR_DROP, "User-Agent fields; what was concluded of them stays.", "keep")  # fmt: skip
    fingerprints: Queries = key(_KEEP_OR_DROP, "TLS fingerprints.", "keep")
    rejects: Queries = key(_KEEP_OR_DROP, "Text of rejected lines.", "keep")


@dataclass(frozen=True, kw_only=True)
class RetentionConfig:
    """How long a run keeps what the store has; what is older is deleted."""

    records: timedelta | None = key(KEEPING, "Records, by their time.", "90d")
    rejects: timedelta | None = key(KEEPING, "Rejected lines, by the day they were read.", "30d")
    rollups: timedelta | None = key(KEEPING, "Hourly and daily sums.", "forever")
    snapshots: timedelta | None = key(KEEPING, "Earlier states of the store, for `--snapshot`.", "7d")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class DaysConfig:
    """When a day is complete."""

    close_after: timedelta = key(DURATION, "A UTC day is closed so long after its end; what comes later restates it.", "3d")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class RollupsConfig:
    """Hourly and daily sums beside the records."""

    enabled: bool = key(FLAG, "Whether they are kept.", True)


@dataclass(frozen=True, kw_only=True)
class CompactionConfig:
    """Small files made into large ones."""

    enabled: bool = key(FLAG, "Whether a run does so.", True)
    files: int = key(COUNT, "Small files that make it worth while.", 64)


@dataclass(frozen=True, kw_only=True)
class ReportConfig:
    """A question answered into a file."""

    name: str = key(NAME, "What errors and the file call it; no other has it.")
    query: str = key(TEXT, "One of `l7meter query`, or the path of an .sql file.")
    parameters: Mapping[str, Any] = key(PARAMETERS, "Parameters of the question; `since` and `until` are those of the period.", {})  # fmt: skip
    every: Every = key(choice(Every), "When it is written: once of each closed day or month, or of everything at the end of each run.", "day")  # fmt: skip
    format: ReportFormat = key(choice(ReportFormat), "How it is written.", "csv")
    path: Path = key(PATH, "Where: {name}, {period} (`2026-11-30`, `2026-11`, `all`) and {suffix} are filled in.", "reports/{name}-{period}.{suffix}")  # fmt: skip

    def file(self, period: str) -> Path:
        """The file of a period: a day, a month, or `all`."""
        suffix = _SUFFIXES.get(self.format, self.format)
        filled = str(self.path)
        for word, value in (("{name}", self.name), ("{period}", period), ("{suffix}", suffix)):
            filled = filled.replace(word, value)
        return Path(filled)


@dataclass(frozen=True, kw_only=True)
class PublishConfig:
    """What reports leave out, so that they can be shown to others."""

    min_clients: int = key(COUNT, "Rows of fewer distinct clients are folded; 0 folds none.", 0)
    digits: int = key(COUNT, "Significant digits of sums; 0 leaves them exact.", 0)


@dataclass(frozen=True, kw_only=True)
class MetricsConfig:
    """Metrics for Prometheus."""

    textfile: Path | None = key(PATH, "File (.prom) in the textfile directory of node_exporter; none is written if not given.", None)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class LogConfig:
    """What a run says on standard error."""

    format: LogFormat = key(choice(LogFormat), "`auto` is human on a terminal, JSON otherwise.", "auto")  # fmt: skip
    level: Level = key(choice(Level), "The least that is said.", "info")


@dataclass(frozen=True, kw_only=True)
class Config:
    """A configuration as read: all paths absolute, all defaults filled in; None of a duration is forever."""

    store: Path = key(PATH, "Directory of the store; made if it is not there.")
    sources: tuple[SourceConfig, ...] = ()
    attribution: AttributionConfig = AttributionConfig()
    privacy: PrivacyConfig = PrivacyConfig()
    retention: RetentionConfig = RetentionConfig()
    days: DaysConfig = DaysConfig()
    rollups: RollupsConfig = RollupsConfig()
    compaction: CompactionConfig = CompactionConfig()
    reports: tuple[ReportConfig, ...] = ()
    publish: PublishConfig = PublishConfig()
    metrics: MetricsConfig = MetricsConfig()
    log: LogConfig = LogConfig()
    path: Path = Path(FILE)  # of the file, absolute
    digest: str = ""  # its SHA-256


TABLES: dict[str, type] = {
    "attribution": AttributionConfig,
    "privacy": PrivacyConfig,
    "retention": RetentionConfig,
    "days": DaysConfig,
    "rollups": RollupsConfig,
    "compaction": CompactionConfig,
    "publish": PublishConfig,
    "metrics": MetricsConfig,
    "log": LogConfig,
}
ARRAYS: dict[str, type] = {"source": SourceConfig, "report": ReportConfig}


def read(path: Path) -> Config:
    """Read and check a configuration.

    Paths are relative to the directory of the file. Raises `UsageError` that names every fault
    with its line: what is no TOML, keys that are not known, values of another type, formats, zones,
    questions and reference data that there are not, what contradicts itself.
    """
    from l7meter.job.rules import contradictions
    from l7meter.tomlreading import Reader

    reader = Reader(tomlfile.read(path))
    made = reader.read(Config, TABLES, ARRAYS)
    for place, problem in contradictions(made):
        reader.fault(place, problem)
    if reader.faults:
        raise UsageError("\n".join(reader.said()))
    return made
