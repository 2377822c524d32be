"""Google Cloud's ranges for customers: https://cloud.google.com/compute/docs/faq#find_ip_range (`cloud.json`)."""

from __future__ import annotations

from pathlib import Path

from l7meter.attribution.reference import claiming, prefixes
from l7meter.attribution.reference.importers import Imported, Importer


def _claims(name: str, start: bytes) -> bool:
    return claiming.has_keys(start, "syncToken", "creationTime", "prefixes", "scope")


def _read(path: Path) -> Imported:
    return prefixes.read(path, operator="Google Cloud", network_kind="cloud")


IMPORTER = Importer(
    name="gcp",
    title="Google Cloud, cloud.json: networks of customers by region",
    kind="networks",
    page="https://cloud.google.com/compute/docs/faq#find_ip_range",
    licence="none stated",
    claims=_claims,
    read=_read,
    urls=("https://www.gstatic.com/ipranges/cloud.json",),
)
