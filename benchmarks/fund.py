"""A fund of many records: what an allocation, statements and PDFs take.

`python -m benchmarks.fund [--rows 100000000]`. Takes the store of `benchmarks.whatif`, with links to its files, sums it up and closes
its days once (20 minutes for 100 M records): almost each of its records is a row of the daily sums, which is the worst case.
"""

from __future__ import annotations

import argparse
import os
import shutil
from datetime import date
from pathlib import Path

import polars as pl

from benchmarks import measure
from l7meter.store import Store, close

DATA = Path(__file__).parent / "data"
PERIOD = "2026-10"
COMMANDS = {
    "allocation by five rules": ["allocate", "--period", PERIOD, "-o", "csv"],
    "1,000 statements as JSON and HTML": ["statement", "--all", "--limit", "1000", "--period", PERIOD, "--no-cache"],
    "100 statements as PDF": ["statement", "--all", "--limit", "100", "--period", PERIOD, "--no-cache", "--as", "pdf"],
}  # fmt: skip


def summed_up(of: Path) -> Path:
    """The store with closed days: the same files, and a catalog of its own."""
    made = of.with_name(f"{of.name}-closed")
    if not (made / "catalog.sqlite").is_file():
        shutil.rmtree(made, ignore_errors=True)
        shutil.copytree(of, made, copy_function=os.link, ignore=shutil.ignore_patterns("*.sqlite"))
        shutil.copy(of / "catalog.sqlite", made)
    with Store.open(made) as store:
        close(store, date(2026, 11, 20))
    return made


def main() -> None:
    """Run the commands and print what they took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000_000)
    parser.add_argument("--binary", default=".venv/bin/l7meter")
    given = parser.parse_args()
    store = summed_up(DATA / f"popular-{given.rows}")
    policy = DATA / "fund-policy.toml"
    policy.unlink(missing_ok=True)
    measure.run([given.binary, "fund", "policy", str(policy)])
    rows = []
    for name, arguments in COMMANDS.items():
        out = ["--to", str(DATA / "statements")] if arguments[0] == "statement" else []
        done = measure.run([given.binary, "fund", *arguments, "--policy", str(policy), "--store", str(store), *out])  # fmt: skip
        if done.exit_code:
            raise RuntimeError(f"{name}: {done.errors}")
        rows.append({"what": name, "seconds": round(done.seconds, 1), "CPU s": round(done.cpu_seconds, 1), "memory MB": done.peak_anon // 10**6})  # fmt: skip
    print(pl.DataFrame(rows))


if __name__ == "__main__":
    main()
