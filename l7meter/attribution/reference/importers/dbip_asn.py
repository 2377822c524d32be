"""DB-IP's IP to ASN Lite: https://db-ip.com/db/download/ip-to-asn-lite; the fields are GeoLite2-ASN's."""

from __future__ import annotations

from functools import partial

from l7meter.attribution.reference import mmdb
from l7meter.attribution.reference.importers import Importer

_TYPE = "DBIP-ASN"  # `DBIP-ASN-Lite (compat=GeoLite2-ASN)`

IMPORTER = Importer(
    name="dbip-asn",
    title="DB-IP IP to ASN Lite (MMDB): networks and the systems that announce them",
    kind="routes",
    page="https://db-ip.com/db/download/ip-to-asn-lite",
    licence="CC-BY-4.0",
    attribution="IP Geolocation by DB-IP, https://db-ip.com",
    claims=mmdb.claims(_TYPE),
    read=partial(mmdb.read, pattern=_TYPE, number="autonomous_system_number"),
)
