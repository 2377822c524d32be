"""Oracle Cloud's ranges: https://docs.oracle.com/en-us/iaas/Content/General/Concepts/addressranges.htm.

Tags are `OCI` (customers' networks), `OSN` (Oracle's services) and `OBJECT_STORAGE`; of several the last is taken.
"""

from __future__ import annotations

from pathlib import Path

from l7meter.attribution.reference import claiming, reading
from l7meter.attribution.reference.importers import Imported, Importer
from l7meter.attribution.reference.shaping import rows, shaped


def _claims(name: str, start: bytes) -> bool:
    return claiming.has_keys(start, "last_updated_timestamp", "regions", "cidrs")


def _read(path: Path) -> Imported:
    said = reading.document(path)
    networks = [
        {
            "network": reading.text(reading.member(item, "cidr")),
            "operator": "Oracle Cloud",
            "service": next(map(reading.text, reversed(reading.items(item, "tags"))), None),
            "region": reading.text(reading.member(region, "region")),
            "network_kind": "cloud",
        }
        for region in reading.items(said, "regions")
        for item in reading.items(region, "cidrs")
    ]
    as_of = reading.day(reading.member(said, "last_updated_timestamp"))
    return shaped("networks", rows("networks", networks), 'objects with "cidr" in "cidrs"', as_of)


IMPORTER = Importer(
    name="oracle",
    title="Oracle Cloud, public_ip_ranges.json: networks by region",
    kind="networks",
    page="https://docs.oracle.com/en-us/iaas/Content/General/Concepts/addressranges.htm",
    licence="none stated",
    claims=_claims,
    read=_read,
    urls=("https://docs.oracle.com/en-us/iaas/tools/public_ip_ranges.json",),
)
