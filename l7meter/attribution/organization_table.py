"""The curated table of organisations, `data/organizations.toml`: read, checked, and as of a day."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator
from datetime import date
from functools import cache
from ipaddress import ip_network
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

from l7meter.attribution import snapshot
from l7meter.errors import L7MeterError

TABLE = Path(__file__).parent / "data" / "organizations.toml"


class TableError(L7MeterError):
    """A hunk of `organizations.toml` that cannot be used: names the hunk, the fault and the remedy."""


class Organization(NamedTuple):
    """One hunk of the curated table: an organisation as it was from one day to another."""

    name: str
    kind: str
    why: str
    asns: tuple[int, ...] = ()
    known_as: tuple[str, ...] = ()  # how the AS names of `asns` begin, letter case aside
    prefixes: tuple[str, ...] = ()  # held by it, whoever announces them
    parent: str | None = None
    provider: bool = False  # serves other organisations, whatever its kind
    valid_from: date | None = None  # first day; None: always so
    valid_to: date | None = None  # last day; None: still so
    source: str | None = None

    def valid(self, day: date) -> bool:
        """Whether the hunk holds for `day`; both of its ends are days it holds for."""
        return (self.valid_from or date.min) <= day <= (self.valid_to or date.max)


class NameRule(NamedTuple):
    """What an AS name says of the kind of network."""

    kind: str
    pattern: str
    why: str
    examples: tuple[str, ...]  # names it speaks of
    counter_examples: tuple[str, ...] = ()  # names it must not speak of
    unless: str | None = None
    provider: bool = False


class Table(NamedTuple):
    """The whole of `organizations.toml`."""

    organizations: tuple[Organization, ...]
    name_rules: tuple[NameRule, ...]
    attributable_kinds: frozenset[str]
    any_case: tuple[str, ...]
    as_written: tuple[str, ...]
    leading: tuple[str, ...]

    def valid(self, day: date | None = None) -> list[tuple[int, Organization]]:
        """The hunks that hold for `day` (None: the snapshot's), with their positions."""
        asked = day or date.fromisoformat(snapshot.load().as_of)
        return [(row, each) for row, each in enumerate(self.organizations) if each.valid(asked)]

    def attributable(self, organization: Organization) -> bool:
        """Whether the organisation is the user of its networks, and not their provider."""
        return organization.kind in self.attributable_kinds and not organization.provider


@cache
def table() -> Table:
    """The table that ships with the package. Raises TableError where it is faulty."""
    return parse(TABLE.read_text(encoding="utf-8"))


def parse(text: str) -> Table:
    """The table written in `text`; raises TableError for a hunk that cannot be used."""
    data = tomllib.loads(text)
    organizations = tuple(_organization(hunk) for hunk in data["organization"])
    _check_once("name", ((o.name, o) for o in organizations))
    _check_once("AS number", ((asn, o) for o in organizations for asn in o.asns))
    _check_once("prefix", ((prefix, o) for o in organizations for prefix in o.prefixes))
    forms = data["legal_forms"]
    return Table(
        organizations,
        tuple(NameRule(**_tuples(rule)) for rule in data["name_rule"]),
        frozenset(data["attributable_kinds"]),
        tuple(forms["any_case"]),
        tuple(forms["as_written"]),
        tuple(forms["leading"]),
    )


def _organization(hunk: dict[str, Any]) -> Organization:
    for fault in _faults(hunk):
        raise TableError(
            f"organizations.toml: {hunk.get('name', 'a hunk without a name')}: {fault}"
        )
    return Organization(**_tuples(hunk))


def _faults(hunk: dict[str, Any]) -> Iterator[str]:
    for key in hunk.keys() - set(Organization._fields):
        yield f"no key is called '{key}'; the head of the file lists the keys"
    for key in ("name", "kind", "why"):
        if not hunk.get(key):
            yield f"'{key}' is missing; add it"
    if not hunk.get("asns") and not hunk.get("prefixes"):
        yield "it holds no network; add 'asns' or 'prefixes'"
    if bool(hunk.get("asns")) != bool(hunk.get("known_as")):
        yield "'asns' and 'known_as' belong together; write both or neither"
    if hunk.get("prefixes") and not (hunk.get("source") or hunk.get("valid_to")):
        yield "'prefixes' is a claim no AS name shows; add its 'source'"
    for prefix in hunk.get("prefixes", ()):
        try:
            if str(ip_network(prefix)) != prefix:
                yield f"'{prefix}' is written {ip_network(prefix)}; write it so"
        except ValueError as error:
            yield f"'{prefix}' is no prefix: {error}; correct it"
    ends = [hunk.get("valid_from", date.min), hunk.get("valid_to", date.max)]
    if not all(type(end) is date for end in ends):
        yield "'valid_from' and 'valid_to' are days; write them without quotes, as 2018-10-26"
    elif ends[0] > ends[1]:
        yield f"it ends ({ends[1]}) before it begins ({ends[0]}); swap or correct the days"


def _check_once(what: str, claims: Iterable[tuple[str | int, Organization]]) -> None:
    claimants: dict[str | int, list[Organization]] = {}
    for claim, organization in claims:
        claimants.setdefault(claim, []).append(organization)
    for claim, hunks in claimants.items():
        for one, other in combinations(hunks, 2):
            if one.valid(other.valid_from or date.min) or other.valid(one.valid_from or date.min):
                raise TableError(
                    f"organizations.toml: {other.name}: the {what} {claim} is {one.name}'s on the same "
                    "day; remove it from one hunk, or part them by 'valid_from' and 'valid_to'"
                )


def _tuples(hunk: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in hunk.items()}
