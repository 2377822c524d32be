"""Runs of an ingest in processes that are killed, or that race, each forked from this one.

Arguments: `kill` or `race`, a directory for the stores, the number of kills, the sources. The
constants are small, so that a source spans several batches and a run several commits. `kill` lets
runs die after an amount of processor time that a seeded generator picks; a store whose run came to
its end is followed by a new one. Prints the stores, one a line.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from itertools import count
from pathlib import Path

from l7meter.ingest import Said, ingest, run, source
from l7meter.sources import identity
from l7meter.store import Store

DIED = -signal.SIGPROF


def shrink() -> None:
    """Blocks of 8 KiB, batches of 24 KiB, identities by the first 16 KiB."""
    source.BLOCK = 8 << 10
    run.BATCH = 24 << 10
    identity.PREFIX_BYTES = 16 << 10


def start(store: Path, names: list[str], seconds: float, report: Path | None = None) -> int:
    """Fork an ingest into the store that dies after so much processor time (0: never); its id."""
    if child := os.fork():
        return child
    try:
        signal.setitimer(signal.ITIMER_PROF, seconds)  # what it sends ends a process where it is
        with Store.open_or_create(store) as opened:
            done = ingest(names, opened, Said(format="combined"))
        if report:
            used = sum(os.times()[:2])
            report.write_text(json.dumps({**done.as_dict(), "used": used}))
    except BaseException as error:
        print(repr(error), file=sys.stderr, flush=True)
        os._exit(1)
    os._exit(0)


def ended(child: int) -> int:
    """How it ended: 0, or minus the signal."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main(what: str, folder: Path, kills: int, names: list[str]) -> None:
    shrink()
    clean = folder / "clean"
    assert ended(start(clean, names, 0, folder / "clean.json")) == 0
    print(clean)
    if what == "race":
        both = [start(folder / "raced", names, 0, folder / f"{each}.json") for each in "ab"]
        assert [ended(child) for child in both] == [0, 0]
        print(folder / "raced")
        return
    used = json.loads((folder / "clean.json").read_text())["used"]
    choice = random.Random(20261122)
    for number in count():
        store = folder / f"killed-{number}"
        while (status := ended(start(store, names, choice.uniform(0.2, 1.1) * used))) == DIED:
            kills -= 1
        assert status == 0
        print(store)
        if kills <= 0:
            return


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
