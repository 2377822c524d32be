"""What l7meter is to reach beside its peers, and what it reached."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import median

from benchmarks.capture_contenders import DPKT, PYSHARK, TSHARK
from benchmarks.contenders import BARE_SUM, CHDB, FLOOR, GOACCESS, L7METER
from benchmarks.measure import Run

FASTER = {GOACCESS.name: 10.0, CHDB.name: 3.0}  # at least so many times the peer's lines a second
SLOWER = {FLOOR.name: 2.5, BARE_SUM.name: 3.0}  # at most so many times the peer's seconds
FASTER_THAN_TSHARK = {  # at least so many times its packets a second, by case
    "capture-downloads": 20.0,
    "capture-small": 8.0,
    "capture-tls": 15.0,
    "capture-loss": 10.0,
}
WITHOUT_TARGET = (PYSHARK.name, DPKT.name)
SPEED = {"capture-downloads": 400e6}  # octets of the file a second, at least
MEMORY_LIMIT = 1_000_000_000  # peak of a memory case, octets
MEMORY_CASES = ("memory", "capture-memory", "capture-memory-half")


@dataclass(frozen=True)
class Ratio:
    """l7meter beside a peer: the median, least and greatest ratio of the rounds."""

    peer: str
    of: str
    middle: float
    least: float
    greatest: float
    target: str
    met: bool | None  # None: there is no target


def ratios(case: str, unit: str, runs: Mapping[str, list[Run]]) -> Iterator[Ratio]:
    """Yield l7meter's ratio to each peer that is compared and ran in the same rounds."""
    faster = dict(FASTER)
    if case in FASTER_THAN_TSHARK:
        faster[TSHARK.name] = FASTER_THAN_TSHARK[case]
    for peer in (*faster, *SLOWER, *WITHOUT_TARGET):
        pairs = list(zip(runs.get(L7METER.name, ()), runs.get(peer, ()), strict=False))
        if not pairs:
            continue
        if peer in SLOWER:
            values = [ours.seconds / theirs.seconds for ours, theirs in pairs]
            of, limit = "time", SLOWER[peer]
            target, met = f"≤ {limit:g}", median(values) <= limit
        else:
            values = [theirs.seconds / ours.seconds for ours, theirs in pairs]
            of, least = f"{unit} a second", faster.get(peer)
            target, met = (f"≥ {least:g}", median(values) >= least) if least else ("none", None)
        yield Ratio(peer, of, median(values), min(values), max(values), target, met)


def absolute(case: str, octets: int | None, runs: list[Run]) -> Iterator[str]:
    """Yield a sentence for each target that is no ratio."""
    if case in MEMORY_CASES:
        peak = max(run.peak_rss for run in runs)
        reached = met(peak <= MEMORY_LIMIT)
        yield f"Peak {peak / 1e6:,.0f} MB, target ≤ {MEMORY_LIMIT / 1e6:,.0f} MB: {reached}."
    if octets and (least := SPEED.get(case)):
        speed = octets / median(run.seconds for run in runs)
        yield f"{speed / 1e6:,.0f} MB/s, target ≥ {least / 1e6:,.0f} MB/s: {met(speed >= least)}."


def met(is_met: bool | None) -> str:
    """The word for it in a table."""
    return "" if is_met is None else "met" if is_met else "**missed**"
