"""Parquet files, a catalog and a ledger: two operations, append and replace."""

from l7meter.store.accept import LiveFile
from l7meter.store.asking import Connection, select, shell_script
from l7meter.store.datafile import DataFile
from l7meter.store.ledger import SourceRow
from l7meter.store.maintenance import compact, expire, repair
from l7meter.store.reading import statements
from l7meter.store.store import Appended, Store
from l7meter.store.verify import Problem, verify
from l7meter.store.views import connect

__all__ = [
    "Appended",
    "Connection",
    "DataFile",
    "LiveFile",
    "Problem",
    "SourceRow",
    "Store",
    "compact",
    "connect",
    "expire",
    "repair",
    "select",
    "shell_script",
    "statements",
    "verify",
]
