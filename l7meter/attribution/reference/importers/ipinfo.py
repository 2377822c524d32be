"""IPinfo Lite, and IPinfo's ASN database: https://ipinfo.io/developers/ipinfo-lite-database.

Both have `asn` (`AS64500`); a network of Lite without it (a country is known, no route) is counted and left out.
"""

from __future__ import annotations

from functools import partial

from l7meter.attribution.reference import mmdb
from l7meter.attribution.reference.importers import Importer

_TYPE = "ipinfo"

IMPORTER = Importer(
    name="ipinfo",
    title="IPinfo Lite (MMDB): networks and the systems that announce them",
    kind="routes",
    page="https://ipinfo.io/developers/ipinfo-lite-database",
    licence="CC-BY-SA-4.0",
    attribution="IP address data powered by IPinfo, https://ipinfo.io",
    claims=mmdb.claims(_TYPE),
    read=partial(mmdb.read, pattern=_TYPE, number="asn"),
)
