"""ClickHouse's regular-expression reader, embedded: `python chdb_reader.py nginx|apache FILE OUT`.

Runs in the peers' own virtual environment. The time is left as text, which spares this peer the
parsing of it. Without arguments it prints its versions.
"""

from __future__ import annotations

import sys
from importlib.metadata import version

import chdb

QUOTED = {"nginx": r'[^"]*', "apache": r'(?:[^"\\]|\\.)*'}
COLUMNS = (
    "client String, user String, time String, request String, status UInt16, size String, "
    "referrer String, agent String"
)


def main(format_name: str, source: str, target: str) -> None:
    quoted = f'"({QUOTED[format_name]})"'
    line = rf"^(\S+) - (\S+) \[([^\]]+)\] {quoted} (\d{{3}}) (\d+|-) {quoted} {quoted}$"
    pattern = line.replace("\\", "\\\\").replace("'", "\\'")
    chdb.query(
        f"""
        INSERT INTO FUNCTION file('{target}', 'Parquet')
        SELECT * REPLACE toUInt64OrZero(size) AS size FROM file('{source}', 'Regexp', '{COLUMNS}')
        SETTINGS format_regexp = '{pattern}', format_regexp_escaping_rule = 'Raw',
                 format_regexp_skip_unmatched = 1
        """
    )


if __name__ == "__main__":
    if sys.argv[1:]:
        main(*sys.argv[1:])
    else:
        engine = chdb.query("SELECT version()").data().strip().strip('"')
        print(f"chdb {version('chdb')} (ClickHouse {engine})")
