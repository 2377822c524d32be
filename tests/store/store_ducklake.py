"""Runs in the environment of requirements/conformance.txt: SQL on a store by DuckLake's extension.

Standard input: JSON, the catalog's path and a list of statements, each `[sql, parameters]`.
Standard output: JSON, the rows of each statement, or its error as a text.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import duckdb

if __name__ == "__main__":
    request = json.load(sys.stdin)
    con = duckdb.connect()
    for name in ("sqlite_scanner", "ducklake"):
        package = Path(duckdb.__file__).parent.parent / f"duckdb_extension_{name}"
        (extension,) = package.rglob("*.duckdb_extension")
        con.execute(f"LOAD '{extension}'")
    con.execute("SET TimeZone = 'UTC'")
    con.execute(f"ATTACH 'ducklake:sqlite:{request['catalog']}' AS lake")
    con.execute("USE lake")
    answers: list[object] = []
    for sql, parameters in request["statements"]:
        try:
            answers.append(con.execute(sql, parameters).fetchall())
        except duckdb.Error as error:
            answers.append(str(error))
    json.dump(answers, sys.stdout, default=str)
