"""The phenomena: each a function that makes its capture; its docstring is the table's sentence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from captures.lab import Lab


@dataclass(frozen=True)
class Phenomenon:
    """One capture: what it shows, by which software, with which files."""

    name: str
    shows: str
    software: str
    suffixes: tuple[str, ...]
    make: Callable[[Lab], None]


ALL: dict[str, Phenomenon] = {}


def phenomenon(
    name: str, software: str, *suffixes: str
) -> Callable[[Callable[[Lab], None]], Callable[[Lab], None]]:
    """Enter a function as the maker of `NAME.pcap`, or of NAME with each of `suffixes`."""

    def enter(make: Callable[[Lab], None]) -> Callable[[Lab], None]:
        shows = " ".join((make.__doc__ or "").split()).rstrip(".")
        ALL[name] = Phenomenon(name, shows, software, suffixes or (".pcap",), make)
        return make

    return enter
