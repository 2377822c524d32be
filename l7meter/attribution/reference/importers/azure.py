"""Azure's service tags: https://learn.microsoft.com/azure/virtual-network/service-tags-overview.

A tag is `Storage.WestEurope`; `AzureCloud` lists every range. The file is weekly, its name dated
(`ServiceTags_Public_20261005.json`), its page another every week: https://www.microsoft.com/download/details.aspx?id=56519.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from l7meter.attribution.reference import claiming, reading
from l7meter.attribution.reference.importers import Imported, Importer
from l7meter.attribution.reference.shaping import rows, shaped

OPERATOR = "Microsoft Azure"


def _claims(name: str, start: bytes) -> bool:
    return claiming.has_keys(start, "changeNumber", "values", "addressPrefixes")


def _read(path: Path) -> Imported:
    prefixes = [
        {
            "network": reading.text(prefix),
            "service": reading.text(reading.member(tag, "name")),
            "region": reading.text(reading.member(tag, "properties", "region")),
            "operator": OPERATOR,
        }
        for tag in reading.items(reading.document(path), "values")
        for prefix in reading.items(tag, "properties", "addressPrefixes")
    ]
    service = pl.col("service").str.extract(r"^([^.]*)")
    door = service.str.starts_with("AzureFrontDoor")
    # Of equal networks the later row wins: those of a region, and of those the ones of a service.
    rank = (pl.col("region").fill_null("") != "", service != "AzureCloud")
    frame = (
        rows("networks", prefixes)
        .with_columns(
            service=service,
            network_kind=pl.when(door).then(pl.lit("cdn")).otherwise(pl.lit("cloud")),
        )
        .sort(*rank, maintain_order=True)
    )
    return shaped(
        "networks", frame, 'tags with "addressPrefixes" in "values"', reading.day_of_name(path.name)
    )


IMPORTER = Importer(
    name="azure",
    title="Microsoft Azure, ServiceTags_Public JSON: networks by service and region, weekly",
    kind="networks",
    page="https://learn.microsoft.com/azure/virtual-network/service-tags-overview",
    licence="none stated",
    claims=_claims,
    read=_read,
)
