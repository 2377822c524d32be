"""RIPE NCC's list of the names of systems: https://ftp.ripe.net/ripe/asnames/.

`3333 RIPE-NCC-AS Reseaux IP Europeens Network Coordination Centre (RIPE NCC), NL`: handle and holder are not parted.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from l7meter.attribution.reference import claiming, reading
from l7meter.attribution.reference.importers import Imported, Importer
from l7meter.attribution.reference.shaping import shaped

_LINE = r"^([0-9]+) (.*), ([A-Z]{2})$"


def _claims(name: str, start: bytes) -> bool:
    return claiming.first_line_is(_LINE.encode(), start)


def _read(path: Path) -> Imported:
    parts = pl.col("line").str.extract_groups(_LINE)
    frame = reading.lines(reading.content(path)).select(
        parts.struct.rename_fields(["asn", "name", "country"]).alias("parts")
    )
    return shaped("systems", frame.unnest("parts"), "lines `AS number, name, country`")


IMPORTER = Importer(
    name="ripe-asn",
    title="RIPE NCC, asn.txt: names of all systems, daily",
    kind="systems",
    page="https://ftp.ripe.net/ripe/asnames/",
    licence="none stated",
    claims=_claims,
    read=_read,
    urls=("https://ftp.ripe.net/ripe/asnames/asn.txt",),
)
