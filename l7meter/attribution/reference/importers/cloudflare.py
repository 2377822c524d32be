"""Cloudflare's ranges: https://developers.cloudflare.com/api/resources/ips/, or the lists `ips-v4` and `ips-v6`."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from l7meter.attribution.reference import claiming, reading
from l7meter.attribution.reference.importers import Imported, Importer
from l7meter.attribution.reference.shaping import rows, shaped

_KEYS = ("ipv4_cidrs", "ipv6_cidrs")


def _is_list(name: str) -> bool:
    return claiming.stem(name) in ("ips-v4", "ips-v6")


def _claims(name: str, start: bytes) -> bool:
    return _is_list(name) or claiming.has_keys(start, "result", *_KEYS)


def _read(path: Path) -> Imported:
    if _is_list(path.name):
        frame = reading.lines(reading.content(path)).rename({"line": "network"})
    else:
        said = reading.document(path)
        networks = [item for key in _KEYS for item in reading.items(said, "result", key)]
        frame = rows("networks", [{"network": reading.text(network)} for network in networks])
    frame = frame.with_columns(operator=pl.lit("Cloudflare"), network_kind=pl.lit("cdn"))
    return shaped("networks", frame, 'networks in "ipv4_cidrs" of "result", or one a line')


IMPORTER = Importer(
    name="cloudflare",
    title="Cloudflare, /ips: networks of its CDN",
    kind="networks",
    page="https://www.cloudflare.com/ips/",
    licence="none stated",
    claims=_claims,
    read=_read,
    urls=("https://api.cloudflare.com/client/v4/ips",),
)
