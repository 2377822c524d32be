"""Lifetimes in a real cache beside those predicted: pages that change while they are asked for.

`python -m benchmarks.real_cache_pages [--requests 2000] [--seconds 24]`. nginx compares whole seconds, so that a response of `max-age=N` is
fresh for N to N + 1 seconds. A few lines with that rule have to give what was measured, to the octet.
"""

from __future__ import annotations

import argparse
import random
import re
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from benchmarks.real_cache import (
    KEPT,
    Asked,
    Request,
    asked,
    files,
    nginx,
    predicted,
    replay,
    traffic,
)

FIRST, LINE = 3000, 150  # octets of a page, and of what a release adds to it


@dataclass
class Releases:
    """Pages get longer while requests come, and what was there when each was sent is kept.

    `moments` (seconds since 1970) and `lengths` (octets of the page asked for) have a number for each request.
    """

    folder: Path
    requests: list[Request]
    every: int = 10  # requests from release to release
    seed: int = 5
    moments: list[float] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._draw = random.Random(self.seed)
        self._now = dict.fromkeys(sorted({each.path for each in self.requests}), FIRST)

    def begin(self) -> None:
        """Write the pages as they were first."""
        for page in self._now:
            self._write(page)

    def __call__(self, number: int) -> None:
        """Before each request: a release now and then."""
        if number == len(self.requests):
            return
        if number % self.every == self.every - 1:
            page = self._draw.choice(list(self._now))
            self._now[page] += LINE
            self._write(page)
        self.moments.append(time.time())
        self.lengths.append(self._now[self.requests[number].path])

    def _write(self, page: str) -> None:
        target = self.folder / "files" / page.strip("/") / "index.html"
        new = target.with_suffix(".new")  # the old one may be read meanwhile
        new.write_bytes(b"x" * self._now[page])
        new.replace(target)


def replayed(
    folder: Path,
    requests: list[Request],
    seconds: float,
    lifetime: int,
    *,
    cache: bool,
    every: int = 10,
) -> tuple[Path, Releases]:
    """The origin's log of requests for pages, straight or through a cache."""
    shutil.rmtree(folder / "cache", ignore_errors=True)
    (folder / "origin.log").unlink(missing_ok=True)
    releases = Releases(folder, requests, every)
    releases.begin()
    with nginx(folder, None, lifetime) as ports:
        time.sleep(1 - time.time() % 1)  # each run begins with a second
        replay(ports[cache], requests, seconds, between=releases)
    return (folder / "origin.log").rename(folder / f"pages-{cache}.log"), releases


class Costs(NamedTuple):
    """Octets of the header section before a page, and of a 304."""

    head: int
    unchanged: int

    @classmethod
    def of(cls, log: Path) -> Costs:
        """Those in an origin's log; each is always the same there, and a 304 without one costs nothing."""
        lines = [line.split()[-3:] for line in log.read_text().splitlines()]
        heads = [int(message) - int(body) for status, message, body in lines if status == "200"]
        return cls(
            heads[0], next((int(message) for status, message, _ in lines if status == "304"), 0)
        )


def by_rules(releases: Releases, costs: Costs, lifetime: int) -> Asked:
    """What a cache asks for that validates what it got more than `lifetime` whole seconds ago."""
    held: dict[str, tuple[int, int]] = {}
    count = octets = 0
    for (path, _), moment, length in zip(releases.requests, releases.moments, releases.lengths, strict=True):  # fmt: skip
        had, since = held.get(path, (0, 0))
        if had and int(moment) - since <= lifetime:
            continue
        count += 1
        octets += costs.unchanged if had == length else costs.head + length
        held[path] = length, int(moment)
    return Asked(count, octets)


def whole_seconds(log: Path) -> Path:
    """A log as of a clock of whole seconds."""
    target = log.with_suffix(".seconds")
    target.write_text(re.sub(r"\[(\d+)\.\d+\]", r"[\1.000]", log.read_text()))
    return target


def lifetimes(
    folder: Path, requests: list[Request], seconds: float, lifetime: int
) -> dict[str, Asked]:
    """What the origin is asked for: straight, through a cache, as nginx's rule says, and as predicted thrice."""
    straight, _ = replayed(folder, requests, seconds, lifetime, cache=False)
    log, releases = replayed(folder, requests, seconds, lifetime, cache=True)
    more = lifetime + 1
    kept = {each: {**KEPT, "index": timedelta(seconds=each)} for each in (lifetime, more)}
    clock = whole_seconds(straight)
    return {
        "no cache": asked(straight),
        "measured": asked(log),
        "by nginx's rule": by_rules(releases, Costs.of(log), lifetime),
        f"predicted for {lifetime} s": predicted(straight, folder / "by-ms", [None], kept[lifetime])[None],
        f"predicted for {more} s": predicted(straight, folder / "by-ms", [None], kept[more])[None],
        f"predicted for {more} s by a clock of whole seconds": predicted(clock, folder / "by-s", [None], kept[more])[None],
    }  # fmt: skip


def pages(paths: list[str]) -> list[str]:
    """The pages among paths."""
    return [path for path in paths if path.startswith("/simple/")]


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=24)
    parser.add_argument("--lifetime", type=int, default=2, help="of a page, in seconds")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        requests = traffic(pages(files(folder / "files", 600)), given.requests)
        print("| | requests | octets |\n|---|---:|---:|")
        for what, each in lifetimes(folder, requests, given.seconds, given.lifetime).items():
            print(f"| {what} | {each.requests:,} | {each.octets:,} |")


if __name__ == "__main__":
    main()
