"""Which snapshots hold for a day: those pinned for it, else of each series the newest that is not later.

`pins.toml` in the folder of the snapshots holds the pins, each a period (`until` not included) and the
names of its snapshots. A series all of whose snapshots are later than the day gives its earliest:
better than nothing, and said.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple

from l7meter.attribution.reference.shelf import Shelf, Snapshot
from l7meter.attribution.reference.shipped import SERIES, shipped
from l7meter.errors import UsageError

PINS = "pins.toml"
OLD = 35  # days after which reference data is worth a warning


class Pin(NamedTuple):
    """The snapshots that hold from one day until another, which is not included."""

    since: date
    until: date
    snapshots: tuple[str, ...]


def chosen(snapshots: Iterable[Snapshot], pins: Iterable[Pin], day: date) -> list[Snapshot]:
    """The snapshots that hold on a day, by series; of several sources of routes the newest alone.

    Raises `UsageError` where one that is pinned is not at hand.
    """
    there = list(snapshots)
    for pin in pins:
        if pin.since <= day < pin.until:
            return _pinned(there, pin)
    best: dict[str, Snapshot] = {}
    for each in there:
        if each.series not in best or _rank(each, day) > _rank(best[each.series], day):
            best[each.series] = each
    routes = [each for each in best.values() if each.kind == "routes"]
    first = max(routes, key=lambda each: _rank(each, day), default=None)
    return sorted(
        (
            each
            for each in best.values()
            if each.kind != "routes" or _source(each) == _source(first)
        ),
        key=lambda each: each.series,
    )


def _source(snapshot: Snapshot | None) -> str:
    """Whose data it is; a source may publish several parts, such as IPv4 and IPv6."""
    return snapshot.series.partition(".")[0] if snapshot else ""


def _pinned(there: Sequence[Snapshot], pin: Pin) -> list[Snapshot]:
    by_name = {each.name: each for each in there}
    for name in pin.snapshots:
        if name not in by_name:
            raise UsageError(
                f"{name}: pinned from {pin.since} until {pin.until} and no longer at hand: import it "
                f"again, or change the pin in {PINS}"
            )
    return sorted((by_name[name] for name in pin.snapshots), key=lambda each: each.series)


def _rank(snapshot: Snapshot, day: date) -> tuple[bool, int, bool, str, str]:
    """Not later than the day, and then as near as can be; what was imported, and then by name."""
    early = snapshot.as_of <= day
    apart = (day - snapshot.as_of).days
    imported = snapshot.series != SERIES
    return early, -apart if early else apart, imported, snapshot.series, snapshot.digest


def at_hand(shelf: Shelf) -> list[Snapshot]:
    """The snapshot that ships with the package, and those of a shelf."""
    return [shipped(), *shelf.snapshots()]


def doubts(snapshots: Iterable[Snapshot], day: date) -> list[str]:
    """What is to be said of snapshots that hold on a day: those of a later day, and old ones."""
    said = []
    for each in snapshots:
        apart = (day - each.as_of).days
        if apart < 0:
            said.append(f"{each.name} is of a later day than {day}")
        elif apart > OLD:
            said.append(f"{each.name} is {apart} days older than {day}")
    return said


def read_pins(shelf: Shelf) -> list[Pin]:
    """The pins of a folder, by their first day. Raises `UsageError` for what is no pin."""
    path = shelf.folder / PINS
    try:
        text = path.read_text("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise UsageError(
            f"{path}: cannot be read: {error.strerror}; ask its owner, or name another directory of "
            "reference data with --refdata"
        ) from error
    try:
        hunks = tomllib.loads(text)["pin"]
        pins = [Pin(hunk["since"], hunk["until"], tuple(hunk["snapshots"])) for hunk in hunks]
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise UsageError(f"{path}: not as 'l7meter refdata use' writes it: {error}") from error
    return sorted(pins)


def pin(shelf: Shelf, new: Pin) -> None:
    """Add a pin. Raises `UsageError` for an unknown snapshot, or a period that is pinned already."""
    if new.since >= new.until:
        raise UsageError(f"a period from {new.since} until {new.until} has no day")
    known = {each.name for each in at_hand(shelf)}
    for name in new.snapshots:
        if name not in known:
            raise UsageError(f"{name}: no such snapshot; 'l7meter refdata status' lists them")
    pins = read_pins(shelf)
    for old in pins:
        if new.since < old.until and old.since < new.until:
            raise UsageError(
                f"{old.since} until {old.until} is pinned already: take that out of "
                f"{shelf.folder / PINS} first"
            )
    shelf.folder.mkdir(parents=True, exist_ok=True)
    path = shelf.folder / PINS
    fresh = path.with_suffix(".tmp")
    fresh.write_text("\n".join(map(_written, sorted([*pins, new]))), "utf-8")
    fresh.replace(path)


def _written(pin: Pin) -> str:
    names = "".join(f'    "{name}",\n' for name in pin.snapshots)
    return f"[[pin]]\nsince = {pin.since}\nuntil = {pin.until}\nsnapshots = [\n{names}]\n"
