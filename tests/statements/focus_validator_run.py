"""Runs in the environment of requirements/focus.txt: the validator over a FOCUS file.

Arguments: the CSV file, the report to write (JUnit's XML). Release 1.0.0 of the validator asks for five columns under
names that the specification had before 1.0; the file that it sees has those columns twice, so that every rule is run:
https://github.com/FinOps-Open-Cost-and-Usage-Spec/FOCUS_Spec/tree/v1.0/specification/columns
"""

from __future__ import annotations

import csv
import os
import sys
from pathlib import Path

import focus_validator
from focus_validator.validator import Validator

BEFORE = {
    "InvoiceIssuer": "InvoiceIssuerName",
    "Provider": "ProviderName",
    "Publisher": "PublisherName",
    "ResourceID": "ResourceId",
    "ChargeType": "ChargeCategory",
}

if __name__ == "__main__":
    source, report = (Path(each).resolve() for each in sys.argv[1:])
    twice = source.with_suffix(".twice.csv")
    with source.open(newline="") as given, twice.open("w", newline="") as copy:
        reader = csv.DictReader(given)
        writer = csv.DictWriter(copy, [*(reader.fieldnames or ()), *BEFORE])
        writer.writeheader()
        writer.writerows(
            row | {name: row[now] for name, now in BEFORE.items() if now in row} for row in reader
        )
    # it reads its currencies from a path relative to where it is installed
    os.chdir(Path(focus_validator.__file__).parent.parent)
    Validator(str(twice), str(report), "unittest", rules_version="1.0").validate()
