"""Disks that are full, that may not be written to, and that give back other octets than they were given.

`python -m benchmarks.fault_disks`. Mounts need root; without it those parts are left out, by name.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.fault_scenes import SCENES, Scene, small
from benchmarks.fault_state import BUG, Ended, child, copied, finished, looked_at
from l7meter.analysis import load
from l7meter.analysis import run as ask
from l7meter.store import Store, catalog, connect, select, verify

NAMES = ("ingest, many small", "ingest, grown: replaced", "compact", "attribute", "retention", "rollups: cover, close", "l7meter run")  # fmt: skip
SEED = 20261122
DISK = 24 << 20
ROOMS = [0, 4096, 16 << 10, 48 << 10, 128 << 10, 300 << 10, 600 << 10]
NOBODY = 65534
ROOT = os.geteuid() == 0


@contextlib.contextmanager
def mounted(folder: Path, *options: str) -> Iterator[Path]:
    """Something mounted at a directory."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", *options, str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def scenes() -> list[Scene]:
    """Acts that write."""
    return [scene for scene in SCENES if scene.name in NAMES]


class Starved:
    """What came of a disk without room: how often it was told as an error with exit 3, and what was not right."""

    def __init__(self) -> None:
        self.tries, self.told, self.sufficed, self.wrong = 0, 0, 0, list[str]()
        self.messages: Counter[str] = Counter()

    def note(self, ended: Ended, what: str) -> None:
        """Note how an act ended that had so much room."""
        self.tries += 1
        said = ended.value if isinstance(ended.value, str) else ""
        if ended.code == 0:
            self.sufficed += 1
        elif ended.code == 3 or (ended.code == BUG and said.strip().splitlines()[-1].startswith("RuntimeError: run: [") and "disk" in said.lower() + "too large"):  # fmt: skip
            self.told += 1
            self.messages[said.strip().splitlines()[-1][-300:]] += 1
        else:
            self.wrong.append(f"{what}: exit {ended.code}: {said[-1500:]}")


def full(scene: Scene, folder: Path, rooms: list[int]) -> Starved:
    """Do an act on a disk with so many octets of room left, make room, do it again, compare."""
    with mounted(folder, "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs"):
        return _starved(scene, folder, rooms, _on_full_disk)


def limited(scene: Scene, folder: Path, rooms: list[int]) -> Starved:
    """Do an act that may write files of so many octets only (RLIMIT_FSIZE), then without that limit."""
    return _starved(scene, folder, rooms, _with_limit)


def _starved(scene: Scene, folder: Path, rooms: list[int], act: Any) -> Starved:
    done = Starved()
    base, work = folder / "base", folder / "work"
    base.mkdir(parents=True)
    _right(child(scene.begin, base))
    copied(base, work)
    _right(child(scene.act, work))
    wanted, _ = _right(child(finished, work / "store", False))
    for room in rooms:
        copied(base, work)
        what = f"{scene.name}, {room:,} octets"
        done.note(act(scene, work, room), what)
        if problems := child(looked_at, work / "store", False, False).value:
            done.wrong.append(f"{what}: verify: {problems}")
        again = child(scene.act, work)
        if again.code:
            done.wrong.append(f"{what}: again: {again.value}")
            continue
        added, problems = _right(child(finished, work / "store", False))
        if problems or added != wanted:
            unlike = [name for name in wanted if wanted[name] != added[name]]
            done.wrong.append(f"{what}: again: unlike {unlike}, verify {problems}")
    return done


def _on_full_disk(scene: Scene, work: Path, room: int) -> Ended:
    free = os.statvfs(work)
    filler = work.parent / "filler"
    with filler.open("wb") as stream:
        os.posix_fallocate(stream.fileno(), 0, max(free.f_bavail * free.f_frsize - room, 1))
    ended = child(scene.act, work)
    filler.unlink()
    return ended


def _with_limit(scene: Scene, work: Path, room: int) -> Ended:
    return child(_limited, scene, work, room)


def _limited(scene: Scene, work: Path, room: int) -> None:
    resource.setrlimit(
        resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY)
    )  # Python ignores SIGXFSZ
    try:
        scene.act(work)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)


def _right(ended: Ended) -> Any:
    if ended.code:
        raise RuntimeError(f"exit {ended.code}: {ended.value}")
    return ended.value


ASKED = {
    "records": "SELECT count(*), sum(server_bytes), count(DISTINCT url_original) FROM records",
    "rejects": "SELECT reason, count(*) FROM rejects GROUP BY ALL ORDER BY ALL",
    "hourly": "SELECT sum(records), sum(server_bytes) FROM usage_hourly",
    "by_day": "",  # the shipped question of this name
    "top_organizations": "",
}


def answers(store: Path) -> dict[str, Any]:
    """What is asked of a store: totals by the records and the rollups, and two questions."""
    return {name: answer(store, name) for name in ASKED}


def answer(store: Path, name: str) -> Any:
    """One of those answers."""
    with connect(store) as connection:
        if sql := ASKED[name]:
            return select(connection, sql).rows()
        query = load(name)
        return ask(connection, query, query.bind({})).rows()


def read_only(folder: Path) -> dict[str, str]:
    """What each thing does with a store that may not be written to: `works`, or what it says."""
    found = {}
    base = folder / "base"
    base.mkdir(parents=True)
    for each in (folder.parent, folder):
        each.chmod(0o755)  # for nobody to come by
    scene = next(each for each in SCENES if each.name == "l7meter run")
    _right(child(scene.begin, base))
    wanted = _right(child(answers, base / "store"))
    for way in ("mode", "mount") if ROOT else ("mode",):
        work = copied(base, folder / "work")
        with contextlib.ExitStack() as stack:
            if way == "mode":
                for path in [work, *work.rglob("*")]:
                    path.chmod(path.stat().st_mode & ~0o222 | 0o044 | (0o111 if path.is_dir() else 0))  # fmt: skip
            else:
                stack.enter_context(mounted(work, "--bind", str(work)))
                subprocess.run(["mount", "-o", "remount,bind,ro", str(work)], check=True)
            found[f"{way}: questions"] = _said(child(_as_nobody, way, answers, work / "store"), wanted)  # fmt: skip
            found[f"{way}: verify"] = _said(child(_as_nobody, way, _verified, work / "store"), [])
            found[f"{way}: info"] = _said(child(_as_nobody, way, _info, work / "store"), None)
            for each in scenes():
                if each.name != "ingest, grown: replaced":
                    found[f"{way}: {each.name}"] = _said(child(_as_nobody, way, each.act, work), None)  # fmt: skip
        for path in [work, *work.rglob("*")] if way == "mode" else []:
            path.chmod(path.stat().st_mode | 0o200)
    return found


def _as_nobody(way: str, function: Any, *arguments: Any) -> Any:
    if ROOT and way == "mode":
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    return function(*arguments)


def _verified(store: Path) -> list[str]:
    return [str(each) for each in verify(Store.open(store))]


def _info(store: Path) -> None:
    opened = Store.open(store)
    opened.info()
    opened.days()
    opened.ledger()


def _said(ended: Ended, wanted: Any) -> str:
    if ended.code == 0:
        return "works" if wanted is None or ended.value == wanted else f"WRONG: {ended.value}"
    last = str(ended.value).strip().splitlines()[-1]
    return f"exit {ended.code}: {last[:230]}" if ended.code != BUG else f"BUG: {last[:400]}"


READS = {
    "records": ("records",),
    "rejects": ("rejects",),
    "usage_hourly": ("hourly", "by_day"),
    "usage_daily": ("top_organizations",),
}


def damaged(folder: Path, flips: int, seed: int) -> dict[str, Counter[str]]:
    """What verify and questions make of damage: counts by kind of file and way of damage."""
    chance = random.Random(seed)
    base, work = folder / "base", folder / "work"
    base.mkdir(parents=True)
    scene = next(each for each in SCENES if each.name == "compact")
    _right(child(scene.begin, base))
    wanted = _right(child(answers, base / "store"))
    found: dict[str, Counter[str]] = {}
    for kind in (*catalog.TABLES, "catalog"):
        for way in ("flip", "cut", "empty", "delete"):
            counts = found.setdefault(f"{kind}, {way}", Counter())
            for _ in range(flips if way == "flip" else 2):
                copied(base, work)
                _damage(work / "store", kind, way, chance)
                counts["tries"] += 1
                told = child(_problems, work / "store")
                counts["verify tells"] += bool(told.code or told.value)
                if told.code == BUG:
                    counts["traceback of verify"] += 1
                    counts[str(told.value).strip().splitlines()[-1][:150]] += 1
                for name in READS.get(kind, wanted):
                    given = child(answer, work / "store", name)
                    right = given.code == 0 and given.value == wanted[name]
                    counts["right" if right else "fails" if given.code else "WRONG"] += 1
                    if given.code == BUG:
                        counts["not our error: " + str(given.value).strip().splitlines()[-1][:60]] += 1  # fmt: skip
    return found


def _problems(store: Path) -> list[str]:
    return [str(each) for each in verify(Store.open(store))]


def _damage(store: Path, kind: str, way: str, chance: random.Random) -> None:
    if kind == "catalog":
        path = store / "catalog.sqlite"
    else:
        with catalog.reading(store / "catalog.sqlite") as db:
            live = [name for (name,) in db.execute("SELECT f.path FROM ducklake_data_file f JOIN ducklake_table t USING (table_id) WHERE table_name = ? AND f.end_snapshot IS NULL ORDER BY 1", (kind,))]  # fmt: skip
        path = store / "data" / kind / chance.choice(live)
    path.chmod(0o644)
    if way == "delete":
        path.unlink()
        return
    content = bytearray(path.read_bytes())
    if way == "flip":
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes({"flip": content, "cut": content[: chance.randrange(1, len(content))], "empty": b""}[way])  # fmt: skip


def main() -> None:
    """Print what was found, part by part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", help="of full, limit, read-only, damage; all if none")
    parser.add_argument("--only", default="", help="acts with this word in their name")
    parser.add_argument(
        "--rooms", type=int, nargs="*", default=ROOMS, help="octets left, or allowed"
    )
    parser.add_argument(
        "--flips", type=int, default=12, help="octets changed, one at a time, by kind of file"
    )
    given = parser.parse_args()
    parts = given.parts or ["full", "limit", "read-only", "damage"]
    small()
    wrong = 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name, fault in (("full", full), ("limit", limited)):
            if name not in parts:
                continue
            if name == "full" and not ROOT:
                print("full disk: left out, as mounts need root")
                continue
            print(f"| {name} | tries | told, exit 3 | had room enough | wrong |\n|---|---:|---:|---:|---:|")  # fmt: skip
            for place, scene in enumerate(each for each in scenes() if given.only in each.name):
                done = fault(scene, folder / f"{name}{place}", given.rooms)
                print(f"| {scene.name} | {done.tries} | {done.told} | {done.sufficed} | {len(done.wrong)} |", flush=True)  # fmt: skip
                print(*done.messages, *done.wrong, sep="\n  ", file=sys.stderr, flush=True)
                wrong += len(done.wrong)
        if "read-only" in parts:
            print(json.dumps(read_only(folder / "read-only"), indent=1), flush=True)
        damage = damaged(folder / "damage", given.flips, SEED) if "damage" in parts else {}
        for name, counts in damage.items():
            print(f"{name}: {dict(counts)}", flush=True)
            wrong += counts["WRONG"]
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
