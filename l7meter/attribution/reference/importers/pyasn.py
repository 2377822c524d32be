"""Tables that pyasn makes of a routing table: https://github.com/hadiasghari/pyasn#ipasn-data-files.

Tab-separated: prefix and AS number, after comments that start with `;`. "Converted on" is not the day of
the data; the name of the original file (`rib.20261001.0000.bz2`) holds it.
"""

from __future__ import annotations

import re
from pathlib import Path

from l7meter.attribution.reference import claiming, reading
from l7meter.attribution.reference.importers import Imported, Importer
from l7meter.attribution.reference.shaping import shaped

_LINE = claiming.PREFIX + rb"\t[{}0-9,_]+$"
_ORIGINAL = re.compile(rb"^; *Original \w+ *:(.*)$", re.MULTILINE)


def _claims(name: str, start: bytes) -> bool:
    return claiming.first_line_is(_LINE, start)


def _read(path: Path) -> Imported:
    data = reading.content(path)
    original = _ORIGINAL.search(data)
    named = original[1].decode("utf-8", "replace") if original else path.name
    return shaped(
        "routes",
        reading.delimited(data, ("network", "origins"), "\t", comment=";"),
        "prefix and AS number, between tabs",
        reading.day_of_name(named),
    )


IMPORTER = Importer(
    name="pyasn",
    title="pyasn's .dat: prefixes and their origins, from a routing table of one's own",
    kind="routes",
    page="https://github.com/hadiasghari/pyasn#ipasn-data-files",
    licence="that of the routing table",
    claims=_claims,
    read=_read,
)
