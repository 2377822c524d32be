"""Do the rollups say what the records say that they cover?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Literal, NamedTuple

import duckdb

from l7meter.store.accept import Layout, LiveFile
from l7meter.store.store import Store
from l7meter.store.usage import UNITS, start
from l7meter.store.views import scan

Kind = Literal[
    "missing", "size", "content", "unreadable", "statistics", "ledger", "orphan", "rollup"
]


class Problem(NamedTuple):
    """One thing that is not as recorded: its kind, the file or source, and a sentence."""

    kind: Kind
    where: str
    message: str


def disagreeing(
    store: Store,
    layouts: Mapping[str, Layout],
    files: Mapping[str, Sequence[LiveFile]],
    covered: set[int],
    horizon: date | None,
    sound: bool,
) -> Iterator[Problem]:
    """What is wrong with the rollups; where all files are `sound`, the records of days from `horizon` on are added up."""
    gone = covered - {file.file_id for file in files["records"]}
    if gone:
        message = (
            f"{len(gone)} files that they sum up were ended by another program, so they are not "
            "used; 'l7meter store rollup --rebuild' makes them anew"
        )
        yield Problem("rollup", "usage_hourly", message)
        return
    records = [file for file in files["records"] if file.covered]
    if not sound:
        return
    kept = f"CAST({{start}} AS DATE) >= DATE '{horizon or date.min}' OR {{start}} IS NULL"
    said = scan(store, "records", layouts["records"], records)
    for table, unit in UNITS.items():
        if table not in layouts:
            continue
        begin = start("ts", unit)
        weight = "coalesce(sample_weight, 1)::DOUBLE"
        counted = f"""SELECT {begin} AS start, server_bytes_basis AS basis, {weight} AS weight,
            count(*) AS records, sum(server_bytes)::HUGEINT AS octets
            FROM ({said}) WHERE {kept.format(start=begin)} GROUP BY ALL"""
        summed = f"""SELECT {unit} AS start, server_bytes_basis AS basis, weight,
            sum(records) AS records, sum(server_bytes)::HUGEINT AS octets
            FROM ({scan(store, table, layouts[table], files[table])})
            WHERE {kept.format(start=unit)} GROUP BY ALL"""
        unlike = f"""SELECT * FROM (({counted}) EXCEPT ALL ({summed})
            UNION ALL (({summed}) EXCEPT ALL ({counted}))) ORDER BY start, basis"""
        try:
            with duckdb.connect() as con:
                con.execute("SET TimeZone = 'UTC'")
                found = con.execute(unlike).fetchall()
        except duckdb.Error as error:
            yield Problem("unreadable", f"data/{table}", str(error).partition("\n")[0])
            continue
        for moment in dict.fromkeys(row[0] for row in found):
            message = f"{moment}: it does not say what the records say"
            yield Problem("rollup", table, message)
