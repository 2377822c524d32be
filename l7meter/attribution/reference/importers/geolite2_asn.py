"""GeoLite2-ASN of MaxMind: https://dev.maxmind.com/geoip/docs/databases/asn/.

Its licence has every version destroyed within 30 days of the next: https://www.maxmind.com/en/geolite/eula.
"""

from __future__ import annotations

from functools import partial

from l7meter.attribution.reference import mmdb
from l7meter.attribution.reference.importers import Importer

_TYPE = "GeoLite2-ASN"

IMPORTER = Importer(
    name="geolite2-asn",
    title="MaxMind GeoLite2-ASN (MMDB): networks and the systems that announce them",
    kind="routes",
    page="https://dev.maxmind.com/geoip/docs/databases/asn/",
    licence="GeoLite EULA",
    attribution="This product includes GeoLite Data created by MaxMind, available from https://www.maxmind.com",
    claims=mmdb.claims(_TYPE),
    read=partial(mmdb.read, pattern=_TYPE, number="autonomous_system_number"),
    retain=False,
)
