"""Lists in the form that Google introduced, and the operators of robots took over.

`{"creationTime": …, "prefixes": [{"ipv4Prefix": "192.0.2.0/24", "service": …, "scope": …}, …]}`:
https://developers.google.com/search/docs/crawling-indexing/verifying-googlebot. Amazonbot's has `ip_prefix`.
"""

from __future__ import annotations

from pathlib import Path

from l7meter.attribution.reference import reading
from l7meter.attribution.reference.importers import Imported
from l7meter.attribution.reference.shaping import rows, shaped

KEYS = ("ipv4Prefix", "ipv6Prefix", "ip_prefix", "ipv6_prefix")


def read(
    path: Path,
    operator: str | None,
    service: str | None = None,
    network_kind: str | None = None,
) -> Imported:
    """The networks of such a list; `service` where the list itself names none."""
    said = reading.document(path)
    networks = [
        {
            "network": next(filter(None, (_named(item, key) for key in KEYS)), None),
            "operator": operator,
            "service": _named(item, "service") or service,
            "region": _named(item, "scope"),
            "network_kind": network_kind,
        }
        for item in reading.items(said, "prefixes")
    ]
    as_of = reading.day(reading.member(said, "creationTime"))
    expected = 'objects with "ipv4Prefix" or "ipv6Prefix" in "prefixes"'
    return shaped("networks", rows("networks", networks), expected, as_of)


def _named(item: object, key: str) -> str | None:
    return reading.text(reading.member(item, key))
