"""The foundation's own file of organisations: who its customers say they are, checked as it is read.

A file holds `[[organization]]` hunks; their keys are the fields of `Declaration`. What it declares goes before
all that is found elsewhere, in this order: the credential of a request, the longest of the networks that
hold its address, the system that announces it, a pattern of its user agent (which anybody may claim).
"""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date
from hashlib import sha256
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, NamedTuple

from l7meter.errors import UsageError

Network = IPv4Network | IPv6Network
VARIABLE = "L7METER_ORGANIZATIONS"
_FIRST, _LAST = date.min, date.max
_HUNK = re.compile(r"\s*\[\[\s*organization\s*\]\]")


class Declaration(NamedTuple):
    """What one hunk says. Networks, ASNs, credentials and agents may be empty, but not all of them."""

    name: str  # of the organisation, as reports show it
    line: int  # of the hunk in the file
    networks: tuple[Network, ...] = ()
    asns: tuple[int, ...] = ()
    credentials: tuple[str, ...] = ()  # names that requests authenticate by, never secrets
    agents: tuple[str, ...] = ()  # regular expressions that its user agents match
    parent: str | None = None  # who owns it
    category: str | None = None  # the foundation's own word: `sponsor`, `member`
    exempt: bool = False  # from paying a share
    contact: str | None = None
    valid_from: date = _FIRST
    valid_to: date = _LAST  # the last day

    def holds(self, day: date) -> bool:
        """Whether it is valid on a day."""
        return self.valid_from <= day <= self.valid_to


class Declared(NamedTuple):
    """A file of declarations. `notes` says what a reader should know: networks inside of others'."""

    organizations: tuple[Declaration, ...] = ()
    notes: tuple[str, ...] = ()
    digest: str = ""  # SHA-256 of the file

    def days(self) -> list[date]:
        """The days on which something begins or ceases to hold, ascending."""
        begin = {each.valid_from for each in self.organizations} - {_FIRST}
        end = {each.valid_to for each in self.organizations} - {_LAST}
        return sorted(begin | {date.fromordinal(day.toordinal() + 1) for day in end})


NOTHING = Declared()


def read(path: Path) -> Declared:
    """Read and check a file.

    Raises `UsageError` (file, line, next step) for what is no TOML, unknown keys, values of the wrong
    type, networks that are none, patterns that are none, and what two organisations declare alike.
    """
    try:
        octets = path.read_bytes()
        text = octets.decode("utf-8")
        data = tomllib.loads(text)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 at octet {error.start}") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: not TOML: {error}") from error
    hunks = _Hunks(path, text.splitlines())
    if unknown := sorted(set(data) - {"organization"}):
        raise hunks.error(None, unknown[0], f"unknown key {unknown[0]}: there are [[organization]] hunks")  # fmt: skip
    found = data.get("organization", [])
    if not isinstance(found, list):
        raise hunks.error(None, "organization", "write [[organization]], once for each")
    made = tuple(_declaration(hunks, place, hunk) for place, hunk in enumerate(found))
    return Declared(made, tuple(_checked(hunks, made)), sha256(octets).hexdigest())


class _Hunks:
    """The lines of a file, to say where something is wrong in it."""

    def __init__(self, path: Path, lines: Sequence[str]) -> None:
        self.path = path
        self._lines = lines
        self._starts = [at for at, line in enumerate(lines) if _HUNK.match(line)]

    def line(self, place: int | None) -> int:
        """Of the head of a hunk, from 1."""
        return self._starts[place] + 1 if place is not None and place < len(self._starts) else 1

    def error(self, place: int | None, word: str, problem: str) -> UsageError:
        """An error that names the line of the hunk on which the word stands."""
        begin = self.line(place) - 1
        after = [start for start in self._starts if start > begin]
        end = after[0] if after and place is not None else len(self._lines)
        at = next((n for n in range(begin, end) if word in self._lines[n]), begin)
        return UsageError(f"{self.path}: line {at + 1}: {problem}")


def _declaration(hunks: _Hunks, place: int, hunk: dict[str, Any]) -> Declaration:
    known = {name for name in Declaration._fields if name != "line"}
    if unknown := sorted(set(hunk) - known):
        near = ", ".join(sorted(known))
        raise hunks.error(place, unknown[0], f"unknown key {unknown[0]}: there are {near}")
    values: dict[str, Any] = {}
    for key, value in hunk.items():
        kind, what = _KINDS[key]
        if type(value) is not kind or (kind is list and not all(map(_of[key], value))):
            raise hunks.error(place, key, f"{key} is not {what}")
        values[key] = tuple(value) if kind is list else value
    if not values.get("name", "").strip():
        raise hunks.error(place, "name", "an organisation needs a name")
    values["networks"] = tuple(_network(hunks, place, text) for text in values.get("networks", ()))
    for pattern in values.get("agents", ()):
        _pattern(hunks, place, pattern)
    made = Declaration(line=hunks.line(place), **values)
    if not (made.networks or made.asns or made.credentials or made.agents):
        raise hunks.error(place, "name", f"{made.name} declares nothing: give it networks, asns, credentials or agents")  # fmt: skip
    if made.valid_from > made.valid_to:
        raise hunks.error(place, "valid_to", f"{made.name} ends before it begins")
    return made


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_asn(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 32


_KINDS: dict[str, tuple[Any, str]] = {
    "name": (str, "text"),
    "networks": (list, 'a list of networks, as in ["192.0.2.0/24"]'),
    "asns": (list, "a list of AS numbers, as in [64500]"),
    "credentials": (list, "a list of names"),
    "agents": (list, "a list of regular expressions"),
    "parent": (str, "text"),
    "category": (str, "text"),
    "exempt": (bool, "true or false"),
    "contact": (str, "text"),
    "valid_from": (date, "a day, as in 2026-01-31"),
    "valid_to": (date, "a day, as in 2026-01-31"),
}
_of = {"networks": _is_text, "asns": _is_asn, "credentials": _is_text, "agents": _is_text}


def _network(hunks: _Hunks, place: int, text: str) -> Network:
    try:
        return ip_network(text.strip())
    except ValueError as error:
        raise hunks.error(place, text, f"{text} is no network: {error}") from error


def _pattern(hunks: _Hunks, place: int, pattern: str) -> None:
    import polars as pl

    try:
        pl.Series([""]).str.contains(pattern)
    except pl.exceptions.ComputeError as error:
        raise hunks.error(place, pattern, f"{pattern} is no regular expression: {error}") from error


def _checked(hunks: _Hunks, made: Sequence[Declaration]) -> Iterator[str]:
    """Raise where two organisations declare the same; say which networks are inside of others'."""
    for key in ("networks", "asns", "credentials", "agents"):
        said: dict[object, list[int]] = defaultdict(list)
        for place, each in enumerate(made):
            for value in getattr(each, key):
                for other in said[value]:
                    if made[other].name != each.name and _meet(made[other], each):
                        raise hunks.error(
                            place, str(value), f"{value} of {each.name} is declared by {made[other].name}, too (line {made[other].line}): take it out of one, or give them valid_from and valid_to"
                        )  # fmt: skip
                said[value].append(place)
    nets = sorted(
        ((net, place) for place, each in enumerate(made) for net in each.networks),
        key=lambda pair: (pair[0].version, pair[0].network_address, pair[0].prefixlen),
    )
    around: list[tuple[Network, int]] = []
    for net, place in nets:
        while around and not _inside(net, around[-1][0]):
            around.pop()
        if around and made[around[-1][1]].name != made[place].name:
            outer, other = around[-1]
            yield (
                f"{hunks.path}: line {made[place].line}: {net} of {made[place].name} is inside of "
                f"{outer} of {made[other].name}; the longer one wins"
            )
        around.append((net, place))


def _inside(net: Network, outer: Network) -> bool:
    return net.version == outer.version and net.subnet_of(outer)  # type: ignore[arg-type]


def _meet(one: Declaration, other: Declaration) -> bool:
    return one.valid_from <= other.valid_to and other.valid_from <= one.valid_to
