"""Any CSV with a day, and octets or requests: its columns are named so, or by the user."""

from __future__ import annotations

from collections.abc import Iterator

from l7meter.analysis.reconcile.bill import (
    File,
    Left,
    Line,
    Provider,
    Refused,
    day_of,
    meanings,
    number_of,
)
from l7meter.analysis.reconcile.units import unit_said
from l7meter.errors import UsageError

DAY, REGION, BYTES, REQUESTS = "day", "region", "bytes", "requests"
MEANINGS = (DAY, REGION, BYTES, REQUESTS)
COLUMNS = {"day": DAY, "date": DAY, "region": REGION, "bytes": BYTES, "requests": REQUESTS}


def tells(file: File) -> bool:
    """Whether it is a CSV file that says days, and octets or requests."""
    told = meanings(file, COLUMNS)
    return not file.is_json and DAY in told and bool({BYTES, REQUESTS} & set(told))


def read(file: File) -> Iterator[Line | Refused | Left]:
    """The lines of a CSV file; `UsageError` where no column is the day, or none has a figure."""
    column = meanings(file, COLUMNS)
    if DAY not in column or not {BYTES, REQUESTS} & set(column):
        raise UsageError(
            f"{file.name}: which column is the day, and which the bytes or the requests? It has: "
            f"{', '.join(file.header())}; say --map COLUMN=day --map COLUMN=bytes"
        )
    unit = unit_said(column[BYTES]) if BYTES in column else None
    for number, row in file.rows():
        cells = {meaning: row.get(name, "") for meaning, name in column.items()}
        try:
            day = day_of(cells[DAY])
            octets, asked = (
                number_of(cells[name]) if cells.get(name) else None for name in (BYTES, REQUESTS)
            )
        except ValueError as error:
            yield Refused(number, str(error))
            continue
        yield Line(number, day, cells.get(REGION) or None, bytes=octets, requests=asked, unit=unit)


PROVIDER = Provider(
    name="generic",
    title="CSV with a day, and bytes or requests",
    documentation="docs/quality.md",
    meaning="not known: taken as octets of responses to clients, header fields included, without hops",
    counts_fields=True,
    counts_hops=False,
    tells=tells,
    read=read,
)
