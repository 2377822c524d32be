"""One file per source of reference data: what it is, under which terms, and how its files are read.

An importer turns one file into a frame of one of the `KINDS`. `load` walks this folder: a new source
is a new file with an `IMPORTER`, and there is no list to edit. Ranges may nest, overlap and repeat:
`making` flattens them, drops what cannot be the origin of a route, and says what it dropped.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping
from datetime import date
from functools import cache
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import polars as pl

from l7meter.errors import UsageError

_TEXT = pl.String()

KINDS: dict[str, pl.Schema] = {
    # which system announced a network; `origins` as the file has them: `13335`, `{1,2}`, `174_209`
    "routes": pl.Schema({"network": _TEXT, "origins": _TEXT}),
    # what a system is called, and who holds it
    "systems": pl.Schema(
        {
            "asn": pl.UInt32(),
            "name": _TEXT,  # as registered
            "organization": _TEXT,  # its holder, equal for all systems of one holder
            "country": _TEXT,  # ISO 3166-1 alpha-2
            "network_kind": _TEXT,  # of the schema's kinds; null where the source does not say
        }
    ),
    # what an operator says of its own networks, or a list says of networks
    "networks": pl.Schema(
        {
            "network": _TEXT,
            "operator": _TEXT,  # organisation, as reports show it
            "service": _TEXT,  # the operator's own word: `EC2`, `actions`, `GPTBot`
            "region": _TEXT,  # the operator's own word: `us-east-1`
            "network_kind": _TEXT,
            "shared_egress": _TEXT,  # `ci`, `vpn`, `tor`, `proxy`: many users behind one address
        }
    ),
    # who holds a network that another may announce
    "holders": pl.Schema({"network": _TEXT, "organization": _TEXT}),
}
"""The columns of each kind. `network` is a prefix (`192.0.2.0/24`), an address, or inclusive
`first-last`; any column but `network` and `asn` may be null."""

START = 64 << 10  # octets of a file by which an importer claims it


class Imported(NamedTuple):
    """What a file holds."""

    table: pl.DataFrame  # in the columns of its kind
    as_of: date | None = None  # the day of the data, where the file says it
    dropped: Mapping[str, int] = MappingProxyType({})  # rows that could not be read, by reason
    part: str = ""  # which of the importer's lists it is, where one does not replace another
    names: pl.DataFrame | None = None  # of routes: asn and name of the systems, where it has them


class Importer(NamedTuple):
    """One source of reference data."""

    name: str  # of the series of its snapshots: `iptoasn`, `aws`
    title: str  # one line: who makes it, and what it holds
    kind: str  # one of KINDS
    page: str  # where it is documented
    licence: str  # SPDX identifier, or the name of its terms
    claims: Callable[[str, bytes], bool]  # file name, first octets (decompressed): is it one?
    read: Callable[[Path], Imported]  # raises ValueError for a file that is none
    attribution: str = ""  # the words its terms ask to be shown; "" for none
    urls: tuple[str, ...] = ()  # where the operator publishes it, without registration
    retain: bool = True  # false: terms demand that old versions be destroyed


@cache
def load() -> dict[str, Importer]:
    """The importers of this folder by name, in alphabetical order."""
    modules = sorted(found.name for found in pkgutil.iter_modules(__path__))
    importers = [import_module(f"{__name__}.{module}").IMPORTER for module in modules]
    return {importer.name: importer for importer in importers}


def tell(name: str, start: bytes) -> Importer:
    """The one importer that claims a file by its name and first octets.

    Raises `UsageError` where none does, or several.
    """
    claiming = [importer for importer in load().values() if importer.claims(name, start)]
    if len(claiming) == 1:
        return claiming[0]
    names = ", ".join(importer.name for importer in claiming or load().values())
    why = "several importers claim it" if claiming else "no importer claims it"
    raise UsageError(f"{name}: {why}; name one by --as: {names}")
