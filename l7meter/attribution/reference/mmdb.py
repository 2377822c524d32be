"""Databases in MaxMind's format: a search tree over address bits, and records.

Specification: https://maxmind.github.io/MaxMind-DB/. What a database is stands at its end, in its metadata.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from l7meter.attribution.reference import claiming, reading
from l7meter.attribution.reference.importers import Imported
from l7meter.attribution.reference.shaping import shaped
from l7meter.errors import UsageError

MARK = b"\xab\xcd\xefMaxMind.com"
_METADATA = 128 << 10  # octets at the end of the file, the mark included
# A string's control octet is 010 and its length; 29 means that one octet more holds the rest of it.
_TYPE = re.compile(rb"\x4ddatabase_type([\x40-\x5c]|\x5d.)", re.DOTALL)


def claims(pattern: str) -> Callable[[str, bytes], bool]:
    """Claim files `*.mmdb` (also compressed) whose type matches, or whose name does where it is no file."""

    def claim(name: str, start: bytes) -> bool:
        if not claiming.base(name).endswith(".mmdb"):
            return False
        path = Path(name)
        said = _cached_type(path, path.stat().st_mtime_ns) if path.is_file() else None
        return _matches(pattern, said if path.is_file() else claiming.base(name))

    return claim


def read(path: Path, pattern: str, number: str) -> Imported:
    """The networks of a database of a type that matches, and the AS number in a field of their records.

    Aliases of the IPv4 tree (`::ffff:0:0/96`, `2002::/16`) are not followed. Raises ValueError for
    another type or a damaged file, `UsageError` where the library is not installed.
    """
    try:
        library: Any = import_module("maxminddb")
    except ImportError as error:
        raise UsageError(
            "MMDB files are read by maxminddb: pip install 'l7meter[mmdb]', and import again"
        ) from error
    data = reading.content(path)
    said = database_type(data)
    if not _matches(pattern, said):
        raise ValueError(f"its database_type is {said!r}; expected one that starts as {pattern}")
    with TemporaryDirectory() as folder:
        plain = Path(folder) / "plain.mmdb"  # the fast reader maps a file, decompressed
        plain.write_bytes(data)
        try:
            with library.open_database(plain) as database:
                networks, origins = _walk(database, number)
                built = database.metadata().build_epoch
        except (library.InvalidDatabaseError, RuntimeError) as error:
            raise ValueError(f"the database is damaged: {error}") from error
    frame = pl.DataFrame({"network": networks, "origins": origins}, schema_overrides=_STRINGS)
    frame = frame.with_columns(pl.col("origins").str.strip_prefix("AS"))
    return shaped("routes", frame, f"records with the field {number}", reading.day(built))


_STRINGS = {"network": pl.String(), "origins": pl.String()}


def database_type(data: bytes) -> str | None:
    """The type that a database says it is of; None where no metadata are found."""
    at = data.rfind(MARK, max(0, len(data) - _METADATA))
    found = _TYPE.search(data, at) if at >= 0 else None
    if found is None:
        return None
    control = found[1]
    length = 29 + control[1] if len(control) == 2 else control[0] & 0x1F
    return data[found.end() : found.end() + length].decode("utf-8", "replace")


def _walk(database: Any, number: str) -> tuple[list[str], list[str | None]]:
    # A loop in Python over networks, once per import: the library gives them one by one.
    networks, origins = [], []
    for network, record in database:
        networks.append(str(network))
        origins.append(reading.number(reading.member(record, number)))
    return networks, origins


def _matches(pattern: str, said: str | None) -> bool:
    return said is not None and re.match(pattern, said, re.IGNORECASE) is not None


@lru_cache(maxsize=8)
def _cached_type(path: Path, changed: int) -> str | None:
    try:
        return database_type(reading.content(path))
    except ValueError:  # broken off
        return None
