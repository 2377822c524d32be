"""Amazon's ranges: https://docs.aws.amazon.com/vpc/latest/userguide/aws-ip-syntax.html.

`AMAZON` lists every range, those of the services again. `CODEBUILD` are hosted builds of many customers.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from l7meter.attribution.reference import claiming, reading
from l7meter.attribution.reference.importers import Imported, Importer
from l7meter.attribution.reference.shaping import rows, shaped

OPERATOR = "Amazon Web Services"


def _claims(name: str, start: bytes) -> bool:
    return claiming.has_keys(start, "createDate") and (
        claiming.has_keys(start, "ip_prefix") or claiming.has_keys(start, "ipv6_prefix")
    )


def _read(path: Path) -> Imported:
    said = reading.document(path)
    prefixes = [
        {
            "network": reading.text(reading.member(item, key)),
            "service": reading.text(reading.member(item, "service")),
            "region": reading.text(reading.member(item, "region")),
            "operator": OPERATOR,
        }
        for key, place in (("ip_prefix", "prefixes"), ("ipv6_prefix", "ipv6_prefixes"))
        for item in reading.items(said, place)
    ]
    service = pl.col("service")
    ci = pl.when(service == "CODEBUILD").then(pl.lit("ci"))
    cdn = pl.when(service.str.starts_with("CLOUDFRONT")).then(pl.lit("cdn"))
    frame = (
        rows("networks", prefixes)
        .with_columns(network_kind=pl.coalesce(ci, cdn, pl.lit("cloud")), shared_egress=ci)
        # Of equal networks the later row wins: what lists everything comes first.
        .sort(service != "AMAZON", maintain_order=True)
    )
    as_of = reading.day(reading.member(said, "createDate"))
    return shaped("networks", frame, 'objects with "ip_prefix" in "prefixes"', as_of)


IMPORTER = Importer(
    name="aws",
    title="Amazon Web Services, ip-ranges.json: networks by service and region",
    kind="networks",
    page="https://docs.aws.amazon.com/vpc/latest/userguide/aws-ip-ranges.html",
    licence="none stated",
    claims=_claims,
    read=_read,
    urls=("https://ip-ranges.amazonaws.com/ip-ranges.json",),
)
