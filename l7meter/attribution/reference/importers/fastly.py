"""Fastly's ranges: https://www.fastly.com/documentation/reference/api/utils/public-ip-list/."""

from __future__ import annotations

from pathlib import Path

from l7meter.attribution.reference import claiming, reading
from l7meter.attribution.reference.importers import Imported, Importer
from l7meter.attribution.reference.shaping import rows, shaped

_KEYS = ("addresses", "ipv6_addresses")


def _claims(name: str, start: bytes) -> bool:
    return claiming.has_keys(start, *_KEYS)


def _read(path: Path) -> Imported:
    said = reading.document(path)
    networks = [
        {"network": reading.text(network), "operator": "Fastly", "network_kind": "cdn"}
        for key in _KEYS
        for network in reading.items(said, key)
    ]
    return shaped("networks", rows("networks", networks), 'networks in "addresses"')


IMPORTER = Importer(
    name="fastly",
    title="Fastly, public-ip-list: networks of its CDN",
    kind="networks",
    page="https://www.fastly.com/documentation/reference/api/utils/public-ip-list/",
    licence="none stated",
    claims=_claims,
    read=_read,
    urls=("https://api.fastly.com/public-ip-list",),
)
