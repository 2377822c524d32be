"""The foundation's own file of organisations: who its customers say they are, checked as it is read.

A file holds `[[organization]]` hunks; their keys are the fields of `Declaration`. What it declares goes before
all that is found elsewhere, in this order: the credential of a request, the longest of the networks that
hold its address, the system that announces it, a pattern of its user agent (which anybody may claim).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, NamedTuple

from l7meter import tomlfile
from l7meter.tomlfile import Place, TomlFile

Network = IPv4Network | IPv6Network
VARIABLE = "L7METER_ORGANIZATIONS"
_FIRST, _LAST = date.min, date.max


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
    file = tomlfile.read(path)
    if unknown := sorted(set(file.data) - {"organization"}):
        raise file.error((unknown[0],), f"unknown key {unknown[0]}: there are [[organization]] hunks")  # fmt: skip
    found = file.data.get("organization", [])
    if not isinstance(found, list) or not all(isinstance(hunk, dict) for hunk in found):
        raise file.error(("organization",), "write [[organization]], once for each")
    made = tuple(_declaration(file, number, hunk) for number, hunk in enumerate(found))
    return Declared(made, tuple(_checked(file, made)), file.digest)


def _declaration(file: TomlFile, number: int, hunk: dict[str, Any]) -> Declaration:
    place = ("organization", number)
    known = {name for name in Declaration._fields if name != "line"}
    if unknown := sorted(set(hunk) - known):
        near = ", ".join(sorted(known))
        raise file.error((*place, unknown[0]), f"unknown key {unknown[0]}: there are {near}")
    values: dict[str, Any] = {}
    for key, value in hunk.items():
        kind, what = _KINDS[key]
        if type(value) is not kind or (kind is list and not all(map(_of[key], value))):
            raise file.error((*place, key), f"{key} is not {what}")
        values[key] = tuple(value) if kind is list else value
    if not values.get("name", "").strip():
        raise file.error((*place, "name"), "an organisation needs a name")
    networks = enumerate(values.get("networks", ()))
    values["networks"] = tuple(_network(file, (*place, "networks", at), text) for at, text in networks)  # fmt: skip
    for at, pattern in enumerate(values.get("agents", ())):
        _pattern(file, (*place, "agents", at), pattern)
    made = Declaration(line=file.line(*place), **values)
    if not (made.networks or made.asns or made.credentials or made.agents):
        raise file.error((*place, "name"), f"{made.name} declares nothing: give it networks, asns, credentials or agents")  # fmt: skip
    if made.valid_from > made.valid_to:
        raise file.error((*place, "valid_to"), f"{made.name} ends before it begins")
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


def _network(file: TomlFile, place: Place, text: str) -> Network:
    try:
        return ip_network(text.strip())
    except ValueError as error:
        raise file.error(place, f"{text} is no network: {error}") from error


def _pattern(file: TomlFile, place: Place, pattern: str) -> None:
    import polars as pl

    try:
        pl.Series([""]).str.contains(pattern)
    except pl.exceptions.ComputeError as error:
        raise file.error(place, f"{pattern} is no regular expression: {error}") from error


def _checked(file: TomlFile, made: Sequence[Declaration]) -> Iterator[str]:
    """Raise where two organisations declare the same; say which networks are inside of others'."""
    for key in ("networks", "asns", "credentials", "agents"):
        said: dict[object, list[int]] = defaultdict(list)
        for number, each in enumerate(made):
            for at, value in enumerate(getattr(each, key)):
                for other in said[value]:
                    if made[other].name != each.name and _meet(made[other], each):
                        raise file.error(
                            ("organization", number, key, at), f"{value} of {each.name} is declared by {made[other].name}, too (line {made[other].line}): take it out of one, or give them valid_from and valid_to"
                        )  # fmt: skip
                said[value].append(number)
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
                f"{file.path}: line {made[place].line}: {net} of {made[place].name} is inside of "
                f"{outer} of {made[other].name}; the longer one wins"
            )
        around.append((net, place))


def _inside(net: Network, outer: Network) -> bool:
    return net.version == outer.version and net.subnet_of(outer)  # type: ignore[arg-type]


def _meet(one: Declaration, other: Declaration) -> bool:
    return one.valid_from <= other.valid_to and other.valid_from <= one.valid_to
