"""ipverse's as-metadata: https://github.com/ipverse/as-metadata, as JSON or (without kinds) CSV.

`description` is the holder. Of its categories, `business` holds non-profit organisations too, and `hosting` clouds
and content providers; education and research are one, taken for `education`.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from l7meter.attribution.reference import claiming, reading
from l7meter.attribution.reference.importers import Imported, Importer
from l7meter.attribution.reference.shaping import rows, shaped

KINDS = {
    "isp": "access",
    "hosting": "hosting",
    "business": "enterprise",
    "education_research": "education",
    "government_admin": "government",
}
# asn,handle,description,country-code: a description may hold commas, quoted or not.
_LINE = r"^([0-9]+),([^,]*),(.*?)(?:,([A-Za-z]{2}))?$"


def _claims(name: str, start: bytes) -> bool:
    of_json = claiming.has_keys(start, "asn", "metadata", "handle", "description")
    return of_json or claiming.first_line_is(rb"asn,handle,description", start)


def _read(path: Path) -> Imported:
    data = reading.content(path)
    expected = "a list of objects with asn and metadata, or the columns asn, handle, description"
    if claiming.first_line(data[:200]).startswith(b"asn,"):
        return shaped("systems", _of_csv(data), expected)
    said = reading.parsed(data)
    systems = [
        {
            "asn": reading.number(reading.member(item, "asn")),
            "name": reading.text(reading.member(item, "metadata", "handle")),
            "organization": reading.text(reading.member(item, "metadata", "description")),
            "country": reading.text(reading.member(item, "metadata", "countryCode")),
            "network_kind": KINDS.get(str(reading.member(item, "metadata", "category"))),
        }
        for item in (said if isinstance(said, list) else ())
    ]
    return shaped("systems", rows("systems", systems), expected)


def _of_csv(data: bytes) -> pl.DataFrame:
    parts = pl.col("line").str.extract_groups(_LINE)
    named = parts.struct.rename_fields(["asn", "name", "organization", "country"])
    frame = reading.lines(data).slice(1).select(named.alias("parts")).unnest("parts")
    bare = pl.col("name", "organization").str.strip_chars('"').str.replace_all('""', '"')
    return frame.with_columns(bare)


IMPORTER = Importer(
    name="ipverse",
    title="ipverse as-metadata (JSON or CSV): names, holders and kinds of systems, daily",
    kind="systems",
    page="https://github.com/ipverse/as-metadata",
    licence="CC0-1.0",
    claims=_claims,
    read=_read,
    urls=("https://raw.githubusercontent.com/ipverse/as-metadata/master/as.json",),
)
