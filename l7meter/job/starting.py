"""A first configuration, written from what the machine shows: logs, their format, zone, metrics."""

from __future__ import annotations

import glob
import os
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from l7meter import __version__
from l7meter.errors import L7MeterError, UsageError
from l7meter.ingest import Said, check
from l7meter.job.places import ACCESS, LOGS, TEXTFILE, Usual, textfile_directory, zone
from l7meter.sources import discover
from l7meter.tomlreference import toml

_PERIODS = {"1h": 3600, "6h": 21_600, "12h": 43_200, "1d": 86_400, "1w": 604_800}


@dataclass
class Candidate:
    """Logs at a place: what they are, and what hinders them from being a source."""

    name: str
    pattern: str
    files: int = 0
    format: str | None = None
    size: str | None = None  # what its octets count
    every: str | None = None  # how often files were finished
    problem: str | None = None


@dataclass
class Start:
    """What was found on the machine."""

    candidates: list[Candidate] = field(default_factory=list)
    zone: str = "UTC"
    textfile: Path | None = None

    @property
    def sources(self) -> list[Candidate]:
        """Those that can be read."""
        return [each for each in self.candidates if each.format]


def find(paths: Sequence[str] = (), root: Path = Path("/")) -> Start:
    """Look at the paths given (files, directories, globs), or at the usual places below `root`.

    Raises `UsageError` for a path that names nothing.
    """
    start = Start(zone=zone(root), textfile=textfile_directory(root))
    wanted = [_given(path) for path in paths] if paths else _usual(root)
    for name, pattern in wanted:
        names = {each.name for each in start.candidates}
        numbered = [name, *(f"{name}-{number}" for number in range(2, len(names) + 3))]
        start.candidates.append(_told(next(each for each in numbered if each not in names), pattern))  # fmt: skip
    return start


def _usual(root: Path) -> Iterator[tuple[str, str]]:
    for place in LOGS:
        directory = root / place.directory.lstrip("/")
        if not directory.is_dir():
            continue
        if not os.access(directory, os.R_OK | os.X_OK):
            if directory.name == place.name:  # its own, not all of /var/log
                yield place.name, str(directory)
        elif pattern := _matching(directory, place):
            yield place.name, pattern


def _matching(directory: Path, place: Usual) -> str | None:
    for pattern in place.patterns:
        text = str(Path(glob.escape(str(directory))) / pattern)
        if discover([text])[0]:
            return text
    return None


def _given(text: str) -> tuple[str, str]:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise UsageError(f"{text!r}: no UTF-8, which TOML needs; give a glob, or its directory") from None  # fmt: skip
    path = Path(os.path.abspath(text))  # noqa: PTH100 (links are kept, `..` is not)
    if not path.exists() and not glob.has_magic(text):
        raise UsageError(f"{text}: no such file or directory; give files, directories or globs of logs")  # fmt: skip
    name = "".join(each for each in path.name.partition(".")[0] if each not in "*?[]/\\{}").strip()
    pattern = _matching(path, Usual("", "", ACCESS)) if path.is_dir() else None
    return name or "logs", pattern or str(path)


def _told(name: str, pattern: str) -> Candidate:
    made = Candidate(name, pattern)
    names, missing = discover([pattern])
    made.files = len(names)
    if not names:
        closed = Path(pattern).is_dir() and not os.access(pattern, os.R_OK | os.X_OK)
        made.problem = "may not be read by this user" if closed else missing[0].problem
        return made
    states = [(Path(each).stat(), each) for each in names if Path(each).exists()]
    made.every = _period([state.st_mtime for state, _ in states])
    filled = [(state.st_mtime, each) for state, each in states if state.st_size]
    if not filled:
        made.problem = "all files are empty"
        return made
    newest = max(filled)[1]
    try:
        checked = check(newest, Said())
    except L7MeterError as error:
        made.problem = str(error)
        return made
    if checked.format is None:
        made.problem = f"no format claims {newest}"
    else:
        made.format, made.size = checked.format.name, checked.format.size
    return made


def _period(times: list[float]) -> str | None:
    """How often files were finished, where the times between them say so: within a quarter of a period."""
    apart = [later - sooner for sooner, later in zip(sorted(times), sorted(times)[1:], strict=False)]  # fmt: skip
    if len(apart) < 2:
        return None
    usual = statistics.median(apart)
    return next((text for text, size in _PERIODS.items() if abs(usual - size) < size / 4), None)


def text(start: Start, store: Path) -> str:
    """The configuration: what was found, and what else there is, in comments."""
    parts = [_HEAD.format(version=__version__), f"store = {toml(str(store))}\n"]
    parts += [_source(each, start.zone) for each in start.sources]
    if not start.sources:
        parts.append(_NO_SOURCE.format(zone=toml(start.zone)))
    for each in start.candidates:
        if each.problem:
            parts.append(f"\n# {toml(each.pattern)}: {toml(each.problem)[1:-1]}\n# 'l7meter check FILE' says what a file is; [[source]] takes format, log_format or map.\n")  # fmt: skip
    textfile = start.textfile / TEXTFILE if start.textfile else None
    metrics = f'[metrics]\ntextfile = {toml(str(textfile))}\n' if textfile else _NO_METRICS  # fmt: skip
    # Beside the store: the file may be in /etc. A brace in a path would be taken for a word to fill in.
    folder = "" if "{" in str(store.parent) else f"{store.parent}/"
    rest = _REST.replace("@REPORTS@", toml(folder + "reports/{name}-{period}.{suffix}"))
    return "".join(parts) + rest + metrics


def _source(each: Candidate, zone: str) -> str:
    lines = [
        "",
        "[[source]]",
        f"name = {toml(each.name)}",
        f"paths = [{toml(each.pattern)}]",
        f"format = {toml(each.format)}  # told by content",
        f"# Its octets are {toml(each.size)[1:-1]}.",
    ]
    lines.append('# registry = ["pypi"]  # what the logs are of, where host and path do not tell')
    if zone != "UTC":
        lines.append(f"timezone = {toml(zone)}  # this machine's; for times that are logged without one")  # fmt: skip
    if each.every:
        lines.append(f"every = {toml(each.every)}  # so often files were finished; 'l7meter status' says how late it is")  # fmt: skip
    else:
        lines.append("# every = \"1d\"  # how often it delivers; 'l7meter status' then says how late it is")  # fmt: skip
    return "\n".join(lines) + "\n"


_HEAD = """\
# The batch job of l7meter {version}. `l7meter config check` says whether this file is right and what it
# matches, `l7meter run` runs it, `l7meter schedule` makes it run every night.
# Relative paths start from the directory of this file. All keys: docs/run.md.

"""
_NO_SOURCE = """
# No logs were found in the usual places, so there is nothing to read yet. Take the marks away and fill in:
# [[source]]
# name = "cdn"
# paths = ["/var/log/cdn/*.gz"]  # files, directories, globs
# format = "combined"            # of 'l7meter formats'; without it, it is told by content
# registry = ["pypi"]            # what the logs are of, where host and path do not tell
# timezone = {zone}
# every = "1h"                   # how often it delivers; 'l7meter status' then says how late it is
"""
_REST = """
[attribution]
# organizations = "organizations.toml"  # your own customers: networks, ASNs, credentials (docs/reference-data.md)
update = []  # reference data that a run fetches anew, names of 'l7meter refdata sources'; nothing is fetched if empty

[privacy]
addresses = "full"  # or truncated (/24, /48), pseudonymous (needs key_file), none: docs/privacy.md
queries = "keep"    # query strings; or drop
referrers = "keep"  # or origin, drop
user_names = "keep" # or pseudonymous, drop

[retention]
records = "90d"     # older ones are deleted; "forever" keeps them
rejects = "30d"
rollups = "forever"

[[report]]
name = "top"
query = "top_organizations"  # one of 'l7meter query', or an .sql file of yours
every = "day"                # written when the day is closed: three days after its end, [days] close_after
path = @REPORTS@

[publish]
min_clients = 0  # rows of fewer clients are folded in reports; 10 before you show them to others

"""
_NO_METRICS = """\
# No textfile directory of node_exporter was found.
# [metrics]
# textfile = "/var/lib/node_exporter/textfile_collector/l7meter.prom"
"""
