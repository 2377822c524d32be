"""CAIDA's map of systems to organisations: https://www.caida.org/catalog/datasets/as-organizations/.

Two tables in one file, each after a line that names its columns (`# format:aut|changed|aut_name|org_id|…`,
`# format:org_id|changed|org_name|country|source`), or a JSON object a line with `type` `ASN` or `Organization`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from l7meter.attribution.reference import claiming, reading
from l7meter.attribution.reference.importers import Imported, Importer
from l7meter.attribution.reference.shaping import shaped

NO_TABLE = "a line belongs to no table"
_FORMAT = r"^#\s*format:\s*(.+)$"
_SYSTEM = {"aut": "asn", "aut_name": "name", "name": "name", "org_id": "org"}
_HOLDER = {
    "org_id": "org",
    "org_name": "organization",
    "name": "organization",
    "country": "country",
}
_JSON = ("type", "asn", "name", "organizationId", "country")


def _claims(name: str, start: bytes) -> bool:
    by_line = claiming.has_keys(start, "organizationId", "type", "changed")
    return by_line or any(
        line.replace(b" ", b"").startswith((b"#format:aut|", b"#format:org_id|"))
        for line in start.split(b"\n")
    )


def _read(path: Path) -> Imported:
    data = reading.content(path)
    tables = _of_json(data) if data[:1] == b"{" else _of_text(data)
    systems, holders, unknown = tables
    frame = systems.join(holders.unique("org", keep="last"), on="org", how="left")
    return shaped(
        "systems", frame, "tables after `# format:` lines", reading.day_of_name(path.name), unknown
    )


def _of_text(data: bytes) -> tuple[pl.DataFrame, pl.DataFrame, dict[str, int]]:
    line = pl.col("line")
    of = line.str.extract(_FORMAT).str.replace_all(" ", "").forward_fill()
    lines = reading.lines(data).with_columns(of=of).filter(~line.str.starts_with("#"))
    is_system = pl.col("of").str.starts_with("aut|").fill_null(False)
    is_holder = pl.col("of").str.starts_with("org_id|").fill_null(False)
    unknown = lines.filter(~is_system & ~is_holder).height
    return (
        _table(lines.filter(is_system), _SYSTEM),
        _table(lines.filter(is_holder), _HOLDER),
        {NO_TABLE: unknown},
    )


def _table(lines: pl.DataFrame, names: dict[str, str]) -> pl.DataFrame:
    schema = dict.fromkeys(dict.fromkeys(names.values()), pl.String())
    tables = [pl.DataFrame(schema=schema)]
    for (of,), part in lines.partition_by("of", as_dict=True).items():
        fields = pl.col("line").str.split("|").list
        columns = {
            names[column]: fields.get(place, null_on_oob=True)
            for place, column in enumerate(str(of).split("|"))
            if column in names
        }
        tables.append(part.select(**columns))
    return pl.concat(tables, how="diagonal")


def _of_json(data: bytes) -> tuple[pl.DataFrame, pl.DataFrame, dict[str, int]]:
    # A loop over 200,000 lines, once per import (1 s): a line that is broken does not lose the others.
    objects = [_object(line) for line in data.splitlines() if line.strip()]
    columns = {name: [reading.number(each.get(name)) for each in objects] for name in _JSON}
    rows = pl.DataFrame(columns, schema=dict.fromkeys(_JSON, pl.String()))
    rows = rows.rename({"organizationId": "org"})
    is_system, is_holder = pl.col("type") == "ASN", pl.col("type") == "Organization"
    holders = rows.filter(is_holder).select("org", "country", organization="name")
    unknown = rows.filter(~(is_system | is_holder).fill_null(False)).height
    return rows.filter(is_system).select("asn", "name", "org"), holders, {NO_TABLE: unknown}


def _object(line: bytes) -> dict[str, Any]:
    try:
        said = reading.parsed(line)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


IMPORTER = Importer(
    name="as2org",
    title="CAIDA AS to organisation (text or JSON lines): names and holders of systems",
    kind="systems",
    page="https://www.caida.org/catalog/datasets/as-organizations/",
    licence="CAIDA AUA",
    attribution="The CAIDA UCSD AS to Organization Mapping Dataset, https://www.caida.org/catalog/datasets/as-organizations/",
    claims=_claims,
    read=_read,
)
