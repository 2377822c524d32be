"""CAIDA's prefix to AS tables: https://www.caida.org/catalog/datasets/routeviews-prefix2as/.

Tab-separated: prefix, its length, origins. `_` parts the origins of a prefix that several systems announce
(MOAS), the most seen first; `,` parts an AS-set.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from l7meter.attribution.reference import claiming, reading
from l7meter.attribution.reference.importers import Imported, Importer
from l7meter.attribution.reference.shaping import shaped

_LINE = claiming.ADDRESS + rb"\t[0-9]{1,3}\t[{}0-9,_]+$"


def _claims(name: str, start: bytes) -> bool:
    return claiming.first_line_is(_LINE, start)


def _read(path: Path) -> Imported:
    frame = reading.delimited(reading.content(path), ("prefix", "length", "origins"), "\t")
    network = pl.concat_str("prefix", "length", separator="/")
    return shaped(
        "routes",
        frame.select("origins", network=network),
        "prefix, length, origins, between tabs",
        reading.day_of_name(path.name),
    )


IMPORTER = Importer(
    name="pfx2as",
    title="CAIDA RouteViews prefix to AS (pfx2as): prefixes and all their origins, daily",
    kind="routes",
    page="https://www.caida.org/catalog/datasets/routeviews-prefix2as/",
    licence="CAIDA AUA",
    attribution="The CAIDA UCSD RouteViews Prefix to AS mappings Dataset, https://www.caida.org/catalog/datasets/routeviews-prefix2as/",
    claims=_claims,
    read=_read,
)
