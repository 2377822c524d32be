"""The `asn` tables of ip-location-db: https://github.com/sapics/ip-location-db/blob/main/ASN.md.

Comma-separated: first and last address, AS number, name; the `-num` variants are not read. Licence and sources
differ by release: PDDL since 2026-06-18, before it CC BY 4.0 (RouteViews, DB-IP), for which the words below are shown.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from l7meter.attribution.reference import claiming, reading
from l7meter.attribution.reference.importers import Imported, Importer
from l7meter.attribution.reference.shaping import shaped

_COLUMNS = ("first", "last", "origins", "name")  # the name up to its first comma
_LINE = claiming.ADDRESS + rb"," + claiming.ADDRESS + rb",[0-9]+,"


def _claims(name: str, start: bytes) -> bool:
    return claiming.first_line_is(_LINE, start)


def _read(path: Path) -> Imported:
    frame = reading.delimited(reading.content(path), _COLUMNS, ",")
    network = pl.concat_str("first", "last", separator="-")
    return shaped(
        "routes",
        frame.select("origins", "name", network=network),
        "first, last, AS number, name, by commas",
    )


IMPORTER = Importer(
    name="ip-location-db",
    title="ip-location-db asn (CSV): ranges and the systems that announce them",
    kind="routes",
    page="https://github.com/sapics/ip-location-db",
    licence="CC-BY-4.0",
    attribution="ip-location-db, with data of RouteViews and IP Geolocation by DB-IP, https://db-ip.com",
    claims=_claims,
    read=_read,
)
