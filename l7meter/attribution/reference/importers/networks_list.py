"""A plain list of networks that many share, a prefix a line: of a VPN, say. Only by `--as networks-list`.

`#` starts a comment. Such a list does not say what it lists: it is taken for addresses of VPNs.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from l7meter.attribution.reference import claiming, reading
from l7meter.attribution.reference.importers import Imported, Importer
from l7meter.attribution.reference.shaping import shaped


def _read(path: Path) -> Imported:
    network = pl.col("line").str.replace("#.*$", "").str.strip_chars()
    frame = reading.lines(reading.content(path)).select(network=network)
    frame = frame.filter(pl.col("network") != "").with_columns(
        service=pl.lit(claiming.stem(path.name)), shared_egress=pl.lit("vpn")
    )
    read = shaped("networks", frame, "a prefix a line", reading.day_of_name(path.name))
    return read._replace(part=claiming.part(path.name))


IMPORTER = Importer(
    name="networks-list",
    title="A list of VPNs' networks, a prefix a line",
    kind="networks",
    page="https://www.rfc-editor.org/rfc/rfc4632#section-3.1",
    licence="that of its publisher",
    claims=lambda name, start: False,
    read=_read,
)
