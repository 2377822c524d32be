"""Self-published geolocation: RFC 8805, https://www.rfc-editor.org/rfc/rfc8805.

Comma-separated: prefix, country, region (ISO 3166-2), city, postal code. A feed does not say who publishes
it: the operator is told by the file's name where `OPERATORS` has it, and is null otherwise.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from l7meter.attribution.reference import claiming, reading
from l7meter.attribution.reference.importers import Imported, Importer
from l7meter.attribution.reference.shaping import shaped

OPERATORS: dict[str, tuple[str, str]] = {
    # what a file's name holds: operator, kind of network
    "digitalocean": ("DigitalOcean", "cloud"),  # https://docs.digitalocean.com/platform/
    "linode": ("Linode", "cloud"),  # https://geoip.linode.com/
    "vultr": ("Vultr", "cloud"),  # https://geofeed.constant.com/
}
_COLUMNS = ("network", "country", "area")
_LINE = claiming.ADDRESS + rb'(?:/[0-9]{1,3})?,"?(?:[A-Za-z]{2})?"?(?:,|$)'


def _claims(name: str, start: bytes) -> bool:
    return claiming.first_line_is(_LINE, start)


def _read(path: Path) -> Imported:
    named = [value for key, value in OPERATORS.items() if key in claiming.base(path.name)]
    operator, network_kind = named[0] if len(named) == 1 else (None, None)
    frame = reading.delimited(reading.content(path), _COLUMNS, ",", comment="#")
    frame = frame.with_columns(pl.all().str.strip_chars(' "\r'))
    frame = frame.select(
        "network",
        region=pl.coalesce(pl.when(pl.col("area") != "").then("area"), "country"),
        operator=pl.lit(operator, pl.String),
        network_kind=pl.lit(network_kind, pl.String),
    )
    read = shaped("networks", frame, "prefix, country, region, city, by commas")
    return read._replace(part=claiming.part(path.name))


IMPORTER = Importer(
    name="geofeed",
    title="A geofeed (RFC 8805): networks and where their operator has them",
    kind="networks",
    page="https://www.rfc-editor.org/rfc/rfc8805",
    licence="that of its publisher",
    claims=_claims,
    read=_read,
)
