"""The floor: Polars merely splits the lines (or reads the JSON) and writes Parquet.

`python -m benchmarks.floor nginx|apache|gzip|fastly FILE OUT.parquet`. No reader built on Polars can
be faster; none of the text is checked, typed or unescaped.
"""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl
from isal import igzip

# splitting at quotes: before the request, request, status and size, referrer, blank, agent, nothing
PIECES = {f"piece_{number}": pl.String() for number in range(1, 8)}


def main(format_name: str, source: str, target: str) -> None:
    if format_name == "fastly":
        pl.scan_ndjson(source).sink_parquet(target)
        return
    text = igzip.decompress(Path(source).read_bytes()) if format_name == "gzip" else source
    pl.scan_csv(
        text,
        separator='"',
        quote_char=None,
        has_header=False,
        schema=PIECES,
        truncate_ragged_lines=True,
    ).sink_parquet(target)


if __name__ == "__main__":
    main(*sys.argv[1:])
