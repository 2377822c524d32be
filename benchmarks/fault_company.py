"""Several processes on one store at once, and a clock that goes back and leaps.

`python -m benchmarks.fault_company [--rounds 3]`. Three ingests of the same logs, compaction, rollups and a reader
work at the same time. In each read the ledger, a scan and the rollups must say the same.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

from benchmarks.fault_scenes import DAY, FIRST, SCENES, Clock, _attribution, lines, logs, small
from benchmarks.fault_state import child, finished, start, wait
from l7meter.errors import Conflict
from l7meter.ingest import Said, ingest
from l7meter.job.config import read
from l7meter.job.run import run
from l7meter.store import Store, close, compact, connect, cover

READ = """
SELECT (SELECT struct_pack(records := sum(records), octets := sum(server_bytes_content)) FROM sources),
    (SELECT struct_pack(records := count(*), octets := sum(server_bytes)) FROM records),
    (SELECT struct_pack(records := sum(records), octets := sum(server_bytes)) FROM usage_daily),
    (SELECT struct_pack(records := sum(records), octets := sum(server_bytes)) FROM usage_hourly),
    (SELECT struct_pack(records := sum(rejects), octets := null) FROM sources),
    (SELECT struct_pack(records := count(*), octets := null) FROM rejects)
"""


def together(folder: Path, count: int, seed: int) -> dict[str, Any]:
    """Run them all until the ingests have ended; what was seen, and whether the end is right."""
    logs(folder, count, 60)
    alone = folder / "alone"
    store = folder / "store"
    _right(child(_ingest, folder, alone, 0))
    wanted, _ = _right(child(finished, alone, False))
    _right(child(_create, store))
    over = folder / "over"
    ingests = [start(_ingest, folder, store, seed + number) for number in range(3)]
    others = {
        "compact": start(_until, over, store, _compact),
        "roll up": start(_until, over, store, _roll_up),
        "read": start(_until, over, store, _read),
        "read too": start(_until, over, store, _read),
    }
    codes = [wait(*each) for each in ingests]
    over.touch()
    seen: dict[str, Any] = {name: wait(*each) for name, each in others.items()}
    found: dict[str, Any] = {name: each.value if each.code else dict(each.value) for name, each in seen.items()}  # fmt: skip
    found["ingests"] = [each.code for each in codes]
    told = [each.value["ingested"] for each in codes if not each.code]
    _right(child(_end, alone))
    _right(child(_end, store))
    wanted, _ = _right(child(finished, alone, False))
    added, problems = _right(child(finished, store, False))
    names = [name for name in wanted if added[name] != wanted[name] and name != "days"]
    found["once"] = f"{sum(told)} of {count} logs were ingested, by {told}"
    found["end"] = f"unlike {names}, verify {problems}" if names or problems else "right"
    return found


def _create(store: Path) -> None:
    Store.open_or_create(store)


def _ingest(folder: Path, store: Path, seed: int) -> dict[str, int]:
    names = [str(path) for path in sorted((folder / "logs").iterdir())]
    random.Random(seed).shuffle(names)
    with Store.open_or_create(store) as opened:
        done = ingest(names, opened, Said(format="combined"), attribution=_attribution(folder, "one"))  # fmt: skip
    return dict(Counter(each.status for each in done.sources)) | {"ingested": sum(each.status == "ingested" for each in done.sources)}  # fmt: skip


def _until(over: Path, store: Path, act: Any) -> Counter[str]:
    seen: Counter[str] = Counter()
    while True:
        last = over.exists()
        try:
            seen[act(store)] += 1
        except Conflict:
            seen["conflict"] += 1
        if last:
            return seen


def _compact(store: Path) -> str:
    with Store.open(store) as opened:
        return "merged" if compact(opened) + compact(opened, "rejects") else "nothing to do"


def _roll_up(store: Path) -> str:
    with Store.open(store) as opened:
        return "summed up" if cover(opened, rows=500) else "nothing to do"


def _read(store: Path) -> str:
    with connect(store) as connection:
        sources, *others, rejected, rejects = connection.sql(READ).fetchall()[0]
    zero = {name: value or 0 for name, value in sources.items()}
    alike = [{name: value or 0 for name, value in each.items()} == zero for each in others]
    if not all(alike) or (rejected["records"] or 0) != rejects["records"]:
        return f"WRONG: {sources}, {others}, {rejected}, {rejects}"
    return "right" if zero["records"] else "right, of nothing"


def _end(store: Path) -> None:
    with Store.open(store) as opened:
        close(opened, (FIRST + 4 * DAY).date())


def clock(folder: Path) -> list[str]:
    """Runs while the clock goes back by two days, leaps by sixty and returns: what is not as it should be."""
    folder.mkdir(parents=True)
    _right(child(next(each for each in SCENES if each.name == "l7meter run").begin, folder))
    store, now = folder / "store", FIRST + 4.5 * DAY
    wrong = []
    _right(child(_run, folder, now))  # reads what the scene left to be read
    before, _ = _right(child(finished, store, False))
    for name, at in (("back", now - 2 * DAY), ("forward", now + 60 * DAY), ("back again", now + timedelta(hours=1))):  # fmt: skip
        (folder / "logs" / f"{name}.log").write_text(lines(name, 50, FIRST + 3 * DAY))
        said = _right(child(_run, folder, at))
        after, problems = _right(child(finished, store, False))
        grown = sum(row[3] for row in after["records"]) - sum(row[3] for row in before["records"])
        if grown != 49 or problems or "clock" not in said or after["horizon"] != before["horizon"]:
            wrong.append(f"{name}: {grown} records more, verify {problems}, {said}")
        before = after
    said = _right(child(_run, folder, now + timedelta(hours=2)))
    if "clock" in said:
        wrong.append(f"an hour later: {said}")
    return wrong


def _run(folder: Path, now: Any) -> dict[str, Any]:
    Clock.at = now
    return run(read(folder / "l7meter.toml"), now=now).as_dict()


def _right(ended: Any) -> Any:
    if ended.code:
        raise RuntimeError(f"exit {ended.code}: {ended.value}")
    return ended.value


def main() -> None:
    """Print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--logs", type=int, default=60)
    given = parser.parse_args()
    small()
    bad = False
    with tempfile.TemporaryDirectory() as temporary:
        for number in range(given.rounds):
            seen = together(Path(temporary) / str(number), given.logs, number)
            print(json.dumps(seen, indent=1), flush=True)
            bad |= seen["end"] != "right" or "WRONG" in str(seen)
        wrong = clock(Path(temporary) / "clock")
        print("clock:", wrong or "right")
    sys.exit(bad or bool(wrong))


if __name__ == "__main__":
    main()
