"""Whether a robot is who it says it is: its address against the lists its operator publishes.

An agent is a claim. Rules for robots that a company runs from addresses of its own name the company
(`operator`) and, where it publishes them and `data/bots.parquet` has them, the lists that hold the
robot's addresses (`ranges`). Lists are kept apart: one of Google's holds addresses from which anyone's
scripts can fetch, and a Googlebot from there is not Google's.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from l7meter.attribution import address_text, special
from l7meter.attribution.agents_rules import Rule, shipped
from l7meter.attribution.ranges import Keys, Ranges, disjoint, keys_of

BOTS = Path(__file__).parent / "data" / "bots.parquet"
VERDICTS = ("verified", "claimed", "unverifiable")

_VERIFIED, _CLAIMED, _UNVERIFIABLE, _NULL = 0, 1, 2, -1
# Sets of lists that some robot's addresses stand in are bits from 0; these are none of them.
_NOBODY, _UNCHECKED = 63, 62
_NOWHERE = np.uint64(1 << 61)  # no address, or one of a special purpose


class Claim(NamedTuple):
    """Who is said to run a robot, and in which of the operator's lists its addresses stand."""

    operator: str
    ranges: tuple[str, ...]


def conclude(pairs: pl.DataFrame) -> pl.Series:
    """For each pair of agent_name and client_address, whether the robot is its operator's.

    `verified`: the address stands in a list of the operator's for this robot; `claimed`: it stands in none
    of them; `unverifiable`: the operator publishes no list, or none that is at hand. Null: the agent is
    no robot of an operator, or the address is null, no address, or one of a special purpose (of a proxy
    within, say), which is nobody's on the Internet. Meant for distinct pairs; same height and order.
    """
    robots = pairs["agent_name"].replace_strict(_robots(), default=_NOBODY, return_dtype=pl.UInt64)
    asked = robots != _NOBODY  # few as a rule: package clients are no robots
    robot = robots.filter(asked).to_numpy()
    stands = _stands(pairs["client_address"].filter(asked).cast(pl.String))
    found = np.where(stands & (np.uint64(1) << robot), _VERIFIED, _CLAIMED)
    found[robot == _UNCHECKED] = _UNVERIFIABLE
    found[stands & _NOWHERE > 0] = _NULL
    verdict = np.full(pairs.height, _NULL)
    verdict[asked.to_numpy()] = found
    # The last of these is null, and -1 is the place of the last.
    return pl.Series("agent_verification", [*VERDICTS, None]).gather(verdict)


@cache
def claims() -> dict[str, Claim]:
    """The claim that each agent_name makes; names that make none are absent."""
    return of_rules(shipped().rules)


def of_rules(rules: tuple[Rule, ...]) -> dict[str, Claim]:
    """The claims of some rules by agent_name; the operator `*` is one of the agent's own name."""
    return {
        name: Claim(name if rule.operator == "*" else rule.operator, rule.ranges)
        for rule in rules
        if rule.operator
        for name in ((*rule.token, *rule.word) if rule.name == "*" else (rule.name,))
    }


@cache
def lists() -> dict[str, tuple[str, ...]]:
    """The prefixes of each list."""
    frame = pl.read_parquet(BOTS)
    return {
        str(name): tuple(part["prefix"])
        for (name,), part in frame.partition_by("list", as_dict=True).items()
    }


@cache
def as_of() -> str:
    """The day of the lists, ISO 8601."""
    return pl.read_parquet_metadata(BOTS)["as_of"]


@cache
def _sets() -> tuple[tuple[str, ...], ...]:
    """The different sets of lists that robots are checked against; some fifteen."""
    return tuple(dict.fromkeys(claim.ranges for claim in claims().values() if claim.ranges))


@cache
def _robots() -> dict[str, int]:
    """The bit that each agent_name is checked by."""
    bits = {names: bit for bit, names in enumerate(_sets())}
    return {name: bits.get(claim.ranges, _UNCHECKED) for name, claim in claims().items()}


def _stands(texts: pl.Series) -> NDArray[np.uint64]:
    """For each text, the bits of the sets that hold it, or `_NOWHERE`."""
    parsed = address_text.parse(texts)
    stands = np.full(len(texts), _NOWHERE)
    for rows, keys, marks in (
        (parsed.ipv4_rows, parsed.ipv4, _marks(4)),
        (parsed.ipv6_rows, parsed.ipv6, _marks(6)),
    ):
        stands[rows] = marks.bits[np.searchsorted(marks.starts, keys, side="right") - 1]
    return stands


class _Marks(NamedTuple):
    # All addresses cut into stretches: where each starts, and the bits of the sets that hold it.
    starts: Keys
    bits: NDArray[np.uint64]


@cache
def _marks(version: int) -> _Marks:
    """The sets and the special-purpose blocks as one table: one search an address, not fifteen."""
    sets = [
        (np.uint64(1 << bit), [prefix for name in names for prefix in lists()[name]])
        for bit, names in enumerate(_sets())
    ]
    sets.append((_NOWHERE, [block.prefix for block in special.BLOCKS]))
    held = [(bit, *disjoint(prefixes, version)[:2]) for bit, prefixes in sets]
    size = 2 ** (32 if version == 4 else 128)
    borders = {0, *(start for _, starts, _ in held for start in starts)}
    borders |= {end + 1 for _, _, ends in held for end in ends} - {size}
    keys = keys_of(sorted(borders), version)
    bits = np.zeros(len(keys), np.uint64)
    for bit, starts, ends in held:
        sides = keys_of(starts, version), keys_of(ends, version)
        within = Ranges(*sides, np.zeros(len(starts)))
        bits[within.locate(keys) >= 0] |= bit
    return _Marks(keys, bits)
