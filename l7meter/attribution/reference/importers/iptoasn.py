"""IPtoASN's tables of ranges: https://iptoasn.com/ (`ip2asn-combined.tsv.gz`, `-v4`, `-v6`; not `-u32`).

Tab-separated: first and last address, AS number, country, description. Number 0 is "Not routed".
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from l7meter.attribution.reference import claiming, reading
from l7meter.attribution.reference.importers import Imported, Importer
from l7meter.attribution.reference.shaping import shaped

_COLUMNS = ("first", "last", "origins", "country", "name")
_LINE = claiming.ADDRESS + rb"\t" + claiming.ADDRESS + rb"\t[0-9]+\t[^\t]*\t"


def _claims(name: str, start: bytes) -> bool:
    return claiming.first_line_is(_LINE, start)


def _read(path: Path) -> Imported:
    frame = reading.delimited(reading.content(path), _COLUMNS, "\t")
    network = pl.concat_str("first", "last", separator="-")
    return shaped(
        "routes",
        frame.select("origins", "name", network=network),
        "first, last, AS number, between tabs",
    )


IMPORTER = Importer(
    name="iptoasn",
    title="IPtoASN (TSV): ranges and the systems that announce them, hourly",
    kind="routes",
    page="https://iptoasn.com/",
    licence="PDDL-1.0",
    claims=_claims,
    read=_read,
    urls=("https://iptoasn.com/data/ip2asn-combined.tsv.gz",),
)
