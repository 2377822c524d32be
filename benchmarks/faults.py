"""Faults, counted: what is killed, starved, damaged or crowded, and what a store is afterwards.

`python -m benchmarks.faults [--kills 200] [--seed N] [--only WORD]`. Half of the kills come at a random moment of an
act, half at a point inside of it (`fault_points`) that a seeded generator picks, points where none
was killed yet first. After each kill `verify` may find nothing but orphans; the act is done again, in
half of the cases after `repair`, and the store must then add up to what it does without a kill. The bounds
of columns, which take longest, are checked after one kill in four, all else after each.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.fault_points import Points, Site
from benchmarks.fault_scenes import SCENES, Scene, small
from benchmarks.fault_state import (
    KILLED,
    Ended,
    child,
    copied,
    finished,
    looked_at,
    start,
    wait,
)


@dataclass
class Killed:
    """What came of the kills of a scene; `points` are those of its act, `covered` those it was killed at."""

    kills: int = 0
    landed: int = 0
    lost: int = 0
    doubled: int = 0
    otherwise: int = 0
    unclean: int = 0
    points: set[Site] = field(default_factory=set)
    covered: set[Site] = field(default_factory=set)
    told: list[str] = field(default_factory=list)


def kill(scene: Scene, folder: Path, timed: int, pointed: int, seed: int) -> Killed:
    """Kill the act of a scene so many times at a moment, and so many times at a point."""
    chance = random.Random(f"{seed} {scene.name}")
    base, work = folder / "base", folder / "work"
    base.mkdir(parents=True)
    _right(child(scene.begin, base))
    copied(base, work)
    began = time.perf_counter()
    _right(child(scene.act, work))
    took = time.perf_counter() - began
    wanted, problems = _right(child(finished, work / "store", True))
    _note(done := Killed(), problems, f"{scene.name} without a kill")
    sites: list[Site] = _right(child(_listed, scene, copied(base, work)))
    done.points = set(sites)
    for number in range(timed + pointed):
        copied(base, work)
        if number < timed:
            what = f"after {(moment := chance.uniform(0, took)):.3f} s"
            ended = _at_moment(scene, work, moment)
        else:
            place = _choose(chance, sites, done.covered)
            what = f"at {place}: {' '.join(sites[place])}"
            ended = child(_killed_at, scene, work, place)
            if ended.code == KILLED:
                done.covered.add(sites[place])
        done.kills += 1
        if ended.code == KILLED:
            done.landed += 1
        else:
            _right(ended)
        _recover(scene, work, wanted, number, done, f"{scene.name} killed {what}")
    return done


def _choose(chance: random.Random, sites: list[Site], covered: set[Site]) -> int:
    fresh = [place for place, site in enumerate(sites) if site not in covered]
    return chance.choice(fresh or range(len(sites)))


def _at_moment(scene: Scene, work: Path, moment: float) -> Ended:
    number, answer = start(_act, scene, work)
    time.sleep(moment)
    os.kill(number, signal.SIGKILL)
    return wait(number, answer)


def _act(scene: Scene, work: Path) -> None:
    scene.act(work)


def _listed(scene: Scene, work: Path) -> list[Site]:
    points = Points()
    points.watch()
    scene.act(work)
    return points.sites


def _killed_at(scene: Scene, work: Path, place: int) -> None:
    Points(place).watch()
    scene.act(work)


def _recover(
    scene: Scene, work: Path, wanted: dict[str, Any], number: int, done: Killed, what: str
) -> None:
    store, bounds = work / "store", number % 4 == 0
    found = child(looked_at, store, number % 2 == 0, bounds)
    _note(done, found.value, what)
    _right(child(scene.act, work))
    added, problems = _right(child(finished, store, bounds))
    _note(done, problems, f"{what}, done again")
    if added != wanted:
        _compare(done, wanted, added, what)


def _note(done: Killed, problems: Any, what: str) -> None:
    if problems:
        done.unclean += 1
        done.told.append(f"{what}: verify: {problems}")


def _compare(done: Killed, wanted: dict[str, Any], found: dict[str, Any], what: str) -> None:
    """Whether rows are missing, or are there more often than they should."""
    unlike = [name for name in wanted if wanted[name] != found[name]]
    rows = [sum(row[3] for row in each["records"]) for each in (wanted, found)]
    if rows[1] < rows[0]:
        done.lost += 1
    elif rows[1] > rows[0]:
        done.doubled += 1
    else:
        done.otherwise += 1
    one, other = (Counter(map(repr, each[unlike[0]])) if isinstance(each[unlike[0]], list) else each[unlike[0]] for each in (wanted, found))  # fmt: skip
    apart = (list(one - other)[:2], list(other - one)[:2]) if isinstance(one, Counter) else (one, other)  # fmt: skip
    done.told.append(f"{what}: other {', '.join(unlike)}: {apart}")


def _right(ended: Ended) -> Any:
    if ended.code:
        raise RuntimeError(f"exit {ended.code}: {ended.value}")
    return ended.value


def table(results: dict[str, Killed]) -> str:
    """What came of the kills, as Markdown."""
    text = ["| killed | kills | landed | points hit, of | lost | doubled | otherwise unlike | not clean |", "|---|" + "---:|" * 7]  # fmt: skip
    total = Killed()
    for name, each in results.items():
        text.append(_row(name, each))
        for count in ("kills", "landed", "lost", "doubled", "otherwise", "unclean"):
            setattr(total, count, getattr(total, count) + getattr(each, count))
        total.points |= {site._replace(call=f"{name} {site.call}") for site in each.points}
        total.covered |= {site._replace(call=f"{name} {site.call}") for site in each.covered}
    return "\n".join([*text, _row("all", total)])


def _row(name: str, each: Killed) -> str:
    return (
        f"| {name} | {each.kills} | {each.landed} | {len(each.covered)}, {len(each.points)} | {each.lost} "
        f"| {each.doubled} | {each.otherwise} | {each.unclean} |"
    )


def main() -> None:
    """Print one table, and what went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=220)
    parser.add_argument("--seed", type=int, default=20261122)
    parser.add_argument(
        "--moments", type=float, default=0.5, help="share of the kills at a random moment"
    )
    parser.add_argument("--only", default="", help="acts with this word in their name")
    given = parser.parse_args()
    os.environ.setdefault("POLARS_MAX_THREADS", "2")
    small()
    results = {}
    scenes = [scene for scene in SCENES if given.only in scene.name]
    with tempfile.TemporaryDirectory() as temporary:
        for place, scene in enumerate(scenes):
            mine = (given.kills * (place + 1)) // len(scenes) - (given.kills * place) // len(scenes)
            timed = int(mine * given.moments)
            done = kill(scene, Path(temporary) / str(place), timed, mine - timed, given.seed)
            results[scene.name] = done
            print(_row(scene.name, done), *done.told, sep="\n  ", file=sys.stderr, flush=True)
    print(table(results))
    sys.exit(any(each.told for each in results.values()))


if __name__ == "__main__":
    main()
