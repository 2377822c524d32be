"""A sample of the requests of a large records file and their sums, kept beside it: where they are, how they are asked.

A records file never changes, so what is made of it holds for as long as it is there; a file that has
none yet is asked itself, so that no answer waits for them. They go when their file goes, as addresses
are in them. DuckDB's `hash`, which draws the sample, is that of a version: for another one they are made anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path

import duckdb

from l7meter.store.accept import LiveFile

FOLDER = "samples"
OBJECT = "hash(server_address, url_path)"  # what a cache keeps, as SQL
RATE = 0.01  # of all objects are in a kept sample, and more of those with many octets
ALIKE = (
    *("exchange_kind", "organization", "attributable", "client_asn", "client_as_name"),
    *("network_kind", "agent_name", "agent_kind", "package_ecosystem", "server_address"),
    *("artifact_kind", "request_method", "response_status_code", "complete", "sample_weight"),
)
"""The columns of records that all requests of a sum have in common, besides the day."""
_SAMPLED = (*ALIKE, "ts", "client_network", "client_address", "url_path", "server_bytes")
_FORMAT = 1  # of the files; another one is another folder
_SUMS = ".sums.parquet"
_DAY = "CAST(make_timestamp(epoch_us(ts)) AS DATE)"


@cache
def _hashing() -> str:
    """A word that is another one where DuckDB hashes in another way."""
    with duckdb.connect() as con:
        ((number,),) = con.execute("SELECT hash('registry.example', '/a-1.0.tar.gz')").fetchall()
    return f"{number:016x}"


def folder(data: Path) -> Path:
    """Where this version keeps the samples of a store whose data files are in `data`."""
    return data / FOLDER / f"{_FORMAT}-{_hashing()}"


def paths(data: Path, name: str) -> tuple[Path, Path]:
    """The sample and the sums of the records file `name`; where the sums are, the sample is."""
    place = folder(data)
    return place / name, place / name.replace(".parquet", _SUMS)


def kept(data: Path, files: Iterable[LiveFile]) -> set[str]:
    """The names of those records files that have both; of a merged file that holds later rows, none."""
    if not (data / FOLDER).is_dir():  # then DuckDB need not be asked how it hashes
        return set()
    try:
        there = {path.name for path in folder(data).iterdir()}
    except (FileNotFoundError, NotADirectoryError):
        return set()
    return {
        f.name
        for f in files
        if f.rows_until is None and {each.name for each in paths(data, f.name)} <= there
    }


def sampled(rows: str, mean: float) -> str:
    """The SQL of a sample of the HTTP requests of `rows` (SQL of records): each object with all of its
    requests, drawn with a chance that grows with its octets, to 1 for those of 50 times the `mean`.
    """
    size = f"server_bytes / {max(mean, 1.0) / RATE / 2!r}"
    return f"""
    SELECT {", ".join(_SAMPLED)}, {OBJECT} AS object, least(1, greatest({RATE}, {size}))::DOUBLE AS chance_kept
    FROM ({rows}) WHERE exchange_kind = 'http' AND {drawn(OBJECT, "chance_kept")}"""


def drawn(hashed: str, chance: str) -> str:
    """The SQL that holds for objects drawn with a chance, by the hash of their names."""
    return f"{hashed}::DOUBLE / {2.0**64} < {chance}"


def summed(rows: str) -> str:
    """The SQL of the sums of the HTTP requests of `rows`: `requests` and `server_bytes` (null where those were
    not measured) by the day and `ALIKE`.
    """
    alike = ", ".join(ALIKE)
    return f"""
    SELECT {_DAY} AS day, {alike}, count(*) AS requests, sum(server_bytes)::BIGINT AS server_bytes
    FROM ({rows}) WHERE exchange_kind = 'http' GROUP BY day, {alike}, server_bytes IS NULL"""


def views(sample_files: str = "", sum_files: str = "", *, rest: str) -> list[str]:
    """The statements that make `sampled_requests` and `summed_requests` of files (lists, as SQL), and of the
    records that have none (`rest`, SQL).
    """
    each = f"SELECT *, {OBJECT} AS object, 1::DOUBLE AS chance_kept"
    one = f"SELECT {_DAY} AS day, {', '.join(ALIKE)}, 1::BIGINT AS requests, server_bytes"
    made = []
    for name, files, columns in (("sampled_requests", sample_files, each), ("summed_requests", sum_files, one)):  # fmt: skip
        kept = f" UNION ALL BY NAME FROM read_parquet({files})" if files else ""
        made.append(f"CREATE OR REPLACE VIEW {name} AS {columns} FROM (SELECT {', '.join(_SAMPLED)} FROM ({rest})) WHERE exchange_kind = 'http'{kept}")  # fmt: skip
    return made
