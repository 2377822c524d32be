"""What a configuration meets on this machine now: the files of each source, and what is not there."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from l7meter.attribution import declared
from l7meter.attribution.reference.listing import holding
from l7meter.attribution.reference.shelf import Shelf
from l7meter.errors import L7MeterError
from l7meter.ingest import check
from l7meter.job.config import Config, SourceConfig
from l7meter.job.seeing import ABSENT, hindrance, is_dir, is_file, who
from l7meter.sources import discover


@dataclass
class Found:
    """A source now: its files, what they are, and what cannot be read. Octets are those on disk, compressed or not."""

    source: str
    files: int = 0
    octets: int = 0
    newest: datetime | None = None
    waiting: int = 0  # files that were written to within `settle`
    format: str | None = None  # of the newest file that holds something
    size: str | None = None  # what the octets of that format count
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass
class Look:
    """All that was found. A run would fail of `problems`, and not of `notes`."""

    sources: list[Found] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def look(config: Config, now: datetime | None = None) -> Look:
    """Look at what a configuration names; the newest file of each source is read in part.

    Raises `UsageError` where the file of organisations is faulty.
    """
    now = now or datetime.now(UTC)
    made = Look()
    seen: dict[str, str] = {}
    for source in config.sources:
        found, names = _source(source, now)
        shared = {seen[name] for name in names if name in seen}
        found.notes += [f"it has files in common with {other}: the first one reads them" for other in sorted(shared)]  # fmt: skip
        seen |= {name: source.name for name in names if name not in seen}
        made.sources.append(found)
    if not config.sources:
        made.notes.append("there is no source: a run would read nothing; write [[source]]")
    made.problems += [*_missing(config), *_unwritable(config)]
    made.notes += [*_to_be_made(config), *_doubts(config, now)]
    return made


def _source(source: SourceConfig, now: datetime) -> tuple[Found, list[str]]:
    found = Found(source.name)
    names, missing = discover(source.paths)
    for name, problem in missing:
        folder = Path(name) if is_dir(Path(name)) else anchor(name)
        if why := hindrance(folder):
            place = name if name == str(folder) else f"{name}: {folder}"
            found.problems.append(f"{place}: {why}")
        else:
            found.notes.append(f"{name}: {problem}")
    newest: list[tuple[float, str]] = []
    for name in names:
        try:
            state = Path(name).stat()
        except OSError as error:  # gone since
            found.problems.append(f"{name}: {error.strerror}")
            continue
        found.files += 1
        found.octets += state.st_size
        found.waiting += now.timestamp() - state.st_mtime < source.settle.total_seconds()
        if why := hindrance(Path(name)):
            found.problems.append(f"{name}: {why}")
        elif state.st_size:
            newest.append((state.st_mtime, name))
    if newest:
        time, name = max(newest)
        found.newest = datetime.fromtimestamp(time, UTC)
        _tell(found, name, source)
    return found, names


def _tell(found: Found, name: str, source: SourceConfig) -> None:
    try:
        told = check(name, source.said())
    except L7MeterError as error:
        found.problems.append(str(error))
        return
    if told.format is None:
        found.problems.append(f"{name}: no format claims it; 'l7meter check {name}' says what is near")  # fmt: skip
    else:
        found.format, found.size = told.format.name, told.format.size
        rejects = told.rejects.height
        if rejects > source.max_reject_share * told.lines:
            found.notes.append(f"{name}: {rejects:,} of its first {told.lines:,} lines are no records of {told.format.name}; 'l7meter check {name}' says why")  # fmt: skip
    if told.problem:
        found.notes.append(f"{name}: {told.problem}")


def anchor(pattern: str) -> Path:
    """The part of a path that stands before its first wildcard."""
    parts = Path(pattern).parts
    fixed = [_ESCAPED.sub(r"\1", part) for part in parts]
    end = next((n for n, part in enumerate(parts) if glob.has_magic(_ESCAPED.sub("", part))), len(parts))  # fmt: skip
    return Path(*fixed[:end])


_ESCAPED = re.compile(r"\[([*?[])\]")  # as `glob.escape` writes


def _missing(config: Config) -> Iterator[str]:
    """What has to be there before a run."""
    for what, path, step in (
        ("organisations", config.attribution.organizations, "write it, or take the key out"),
        ("keys of pseudonyms", config.privacy.key_file, "'l7meter privacy new-key' makes it"),
    ):
        if path and (why := hindrance(path)):
            yield f"{path}: the file of {what}: {why}; {step}"
    refdata = config.attribution.refdata
    if refdata and not config.attribution.update and (why := hindrance(refdata)):
        yield f"{refdata}: the directory of reference data: {why}; 'l7meter refdata update --refdata' makes it"  # fmt: skip


def writes(config: Config) -> list[Path]:
    """The directories that a run writes into, each once, none inside of another."""
    wanted = {config.store, *(_before_words(report.path).parent for report in config.reports)}
    if config.metrics.textfile:
        wanted.add(config.metrics.textfile.parent)
    if config.attribution.refdata and config.attribution.update:
        wanted.add(config.attribution.refdata)
    plain = {Path(os.path.normpath(path)) for path in wanted}
    return sorted(path for path in plain if not plain.intersection(path.parents))


def _before_words(path: Path) -> Path:
    parts = path.parts
    end = next((n for n, part in enumerate(parts) if "{" in part), len(parts) - 1)
    return Path(*parts[: end + 1])


def _unwritable(config: Config) -> Iterator[str]:
    for path in writes(config):
        there = next(each for each in (path, *path.parents) if is_dir(each) or is_file(each))
        if is_file(there):
            yield f"{there}: is no directory; name another"
        elif not os.access(there, os.W_OK | os.X_OK):
            yield f"{path}: cannot be written: {who()} may not write into {there}"


def _to_be_made(config: Config) -> Iterator[str]:
    if not is_dir(config.store):
        yield f"{config.store}: the store is not there yet; the first run makes it"


def _doubts(config: Config, now: datetime) -> Iterator[str]:
    said = config.attribution
    organizations, shelf = said.organizations, Shelf(said.refdata)
    if organizations and not hindrance(organizations):
        yield from declared.read(organizations).notes
    if hindrance(shelf.folder) not in (None, ABSENT):
        yield f"{shelf.folder}: the reference data there: {hindrance(shelf.folder)}; name a directory in [attribution] refdata"  # fmt: skip
        return
    limit = said.max_age
    for each in holding(shelf, now.date()):
        age = now.date() - each.as_of
        if limit is not None and age > limit:
            step = "the next run fetches what [attribution] update names" if said.update else "'l7meter refdata update' fetches newer"  # fmt: skip
            yield f"reference data {each.name} is {age.days} days old, more than max_age: {step}"
