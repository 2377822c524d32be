"""Where a real cache with a limit is not as predicted: nginx's rules, one at a time.

`python -m benchmarks.real_cache_rules [--requests 4000]`. nginx's manager looks for too much once in ten seconds;
here it is made to look after each fetch, so that what is left are rules. A few lines with those rules have to
give what was measured, to the octet: then nothing is unexplained.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import signal
import tempfile
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.real_cache import (
    Asked,
    Request,
    asked,
    files,
    nginx,
    predicted,
    replay,
    straight,
    traffic,
)

BLOCK = 4096  # of the file system; nginx counts in them
PATIENCE = 2.0  # seconds for the manager to make room
LIMITS = (5_000_000, 10_000_000, 20_000_000, 40_000_000)
SMALL = 2_500  # octets of a small artifact, at most
MEMORY = Path("/dev/shm")


def steady(needed: int = 1 << 30) -> Path | None:
    """A folder in memory with room for `needed` octets: there a file takes the same blocks at any time.

    A disk's file system says another number while it writes the file back, and nginx asks it once.
    None (the usual place for files) where there is none.
    """
    usable = MEMORY.is_dir() and os.access(MEMORY, os.W_OK | os.X_OK)
    return MEMORY if usable and shutil.disk_usage(MEMORY).free > needed else None


def stored_at(folder: Path, path: str) -> Path:
    """The file in which the cache keeps a response (levels=2, the key is the path)."""
    name = hashlib.md5(path.encode(), usedforsecurity=False).hexdigest()
    return folder / "cache" / name[-2:] / name


def occupied(file: Path) -> int:
    """Blocks of a file; some file systems count them late, and then its octets say."""
    found = file.stat()
    return -(-max(found.st_blocks * 512, found.st_size) // BLOCK)


@dataclass
class Keeper:
    """Makes nginx's manager look when the cache in `folder` has reached `limit` octets.

    The manager is ended, and the master starts another, which looks at once. `late` counts how often
    there was still no room after `PATIENCE`.
    """

    folder: Path
    requests: list[Request]
    limit: int | None = None
    blocks: dict[str, int] = field(default_factory=dict)
    late: int = 0

    def __call__(self, number: int) -> None:
        """Before each request: what the one before has fetched is stored, and there is room."""
        if not number or (path := self.requests[number - 1].path) in self.blocks:
            return
        file = stored_at(self.folder, path)
        if not _until(file.exists):
            raise RuntimeError(f"{path}: not stored")
        self.blocks[path] = occupied(file)
        if not self._room():
            _look(self.folder)
            self.late += not _until(self._made)

    def _room(self) -> bool:
        return self.limit is None or sum(self.blocks.values()) < self.limit // BLOCK

    def _made(self) -> bool:
        for path in [each for each in self.blocks if not stored_at(self.folder, each).exists()]:
            del self.blocks[path]
        return self._room()


def _until(true: Callable[[], bool]) -> bool:
    until = time.monotonic() + PATIENCE
    while not (done := true()) and time.monotonic() < until:
        time.sleep(0.0005)
    return done


def _look(folder: Path) -> None:
    master = int((folder / "nginx.pid").read_text())
    for manager in _children(master, b"cache manager"):
        os.kill(manager, signal.SIGTERM)


def _children(parent: int, name: bytes) -> list[int]:
    found = []
    for each in Path("/proc").iterdir():
        if not each.name.isdigit():
            continue
        try:
            # the name in brackets may hold blanks; the parent is the second after it
            of = int((each / "stat").read_text().rpartition(")")[2].split()[1])
            if of == parent and name in (each / "cmdline").read_bytes():
                found.append(int(each.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def kept_up(folder: Path, requests: list[Request], limit: int | None) -> tuple[Asked, Keeper]:
    """What the origin was asked for through a cache that makes room after each fetch."""
    shutil.rmtree(folder / "cache", ignore_errors=True)
    (folder / "origin.log").unlink(missing_ok=True)
    keeper = Keeper(folder, requests, limit)
    with nginx(folder, limit) as (_, cache):
        replay(cache, requests, between=keeper)
    return asked(folder / "origin.log"), keeper


def by_rules(
    requests: list[Request], size: dict[str, int], octets: dict[str, int], limit: int, *, below: bool, conditions: bool, unchanged: int = 0
) -> Asked:  # fmt: skip
    """What an LRU cache of `limit` asks for, responses taking `size` of it and costing `octets`.

    `below`: what it holds has to be less than the limit, and what is larger is let in first, as in
    nginx. `conditions`: a client's condition makes it fetch what it has not, and is a use of what it
    has, as in nginx; else the condition is passed on, costs `unchanged`, and leaves the order as it is.
    """
    held: OrderedDict[str, int] = OrderedDict()
    room = limit - below
    count = total = 0
    for path, kind in requests:
        asks = kind == "again" and not conditions
        if path in held:
            if not asks:
                held.move_to_end(path)
            continue
        count += 1
        total += unchanged if asks else octets[path]
        if asks or (size[path] > room and not below):
            continue
        held[path] = size[path]
        while sum(held.values()) > room:
            held.popitem(last=False)
    return Asked(count, total)


def fetched(log: Path) -> dict[str, int]:
    """Octets of each whole response in a log, by path."""
    lines = (line.split() for line in log.read_text().splitlines())
    return {line[3]: int(line[-2]) for line in lines if line[-3] == "200"}


def mean_unchanged(log: Path) -> int:
    """The mean octets of a 304 in a log."""
    sizes = [int(line.split()[-2]) for line in log.read_text().splitlines() if line.split()[-3] == "304"]  # fmt: skip
    return round(sum(sizes) / len(sizes)) if sizes else 0


def limits(folder: Path, requests: list[Request], sizes: tuple[int, ...]) -> list[str]:
    """Rows of a table: caches of some sizes, and what changes with each of nginx's rules."""
    log = straight(folder, requests)
    _, everything = kept_up(folder, requests, None)
    octets, blocks = fetched(folder / "origin.log"), everything.blocks
    unchanged = mean_unchanged(log)
    share = sum(octets.values()) / (sum(blocks.values()) * BLOCK)
    rows = []
    for limit in sizes:
        measured, keeper = kept_up(folder, requests, limit)
        less = round(limit * share)
        found = predicted(log, folder / "store", [limit, less])
        rules = by_rules(requests, blocks, octets, limit // BLOCK, below=True, conditions=True)
        counted = by_rules(requests, blocks, octets, limit // BLOCK, below=True, conditions=False, unchanged=unchanged)  # fmt: skip
        cells = [measured, found[limit], found[less], counted, rules]
        rows.append(f"| {limit / 1e6:g} MB | {' | '.join(map(_cell, cells))} | {keeper.late} |")
        print(rows[-1], flush=True)
    print(f"{len(octets)} objects, {sum(octets.values()) / 1e6:.2f} MB, take {sum(blocks.values()) * BLOCK / 1e6:.2f} MB")  # fmt: skip
    return rows


def _cell(each: Asked) -> str:
    return f"{each.requests:,}, {each.octets / 1e6:.3f}"


HEAD = "| limit | measured: requests, MB | predicted | predicted, limit less blocks | and sizes in blocks | and conditions fetch | late |\n|---|" + "---:|" * 6  # fmt: skip


def shrink(folder: Path) -> None:
    """Make all artifacts small ones: blocks and heads are most of what they take."""
    for number, file in enumerate(sorted(folder.rglob("*.whl"))):
        os.truncate(file, 200 + number * 7919 % (SMALL - 200))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=4000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=steady()) as name:
        folder = Path(name)
        folder.chmod(0o755)
        paths = files(folder / "files", 600)
        requests = traffic(paths, given.requests)
        for title, sizes in (("Artifacts of 80 kB", LIMITS), ("Small ones", (500_000, 1_000_000, 2_000_000))):  # fmt: skip
            if title == "Small ones":
                shrink(folder / "files")
                shutil.rmtree(folder / "store")
            print(f"\n{title}\n\n{HEAD}")
            limits(folder, requests, sizes)


if __name__ == "__main__":
    main()
