"""Parquet files, a catalog and a ledger: two operations, append and replace."""

from l7meter.store.accept import LiveFile
from l7meter.store.asking import Connection, select, shell_script
from l7meter.store.datafile import DataFile
from l7meter.store.ledger import SourceRow
from l7meter.store.maintenance import compact, expire, repair
from l7meter.store.reading import statements
from l7meter.store.removing import Taken, forget, holding, take_out
from l7meter.store.retention import rebuild, retain
from l7meter.store.rollups import close, cover
from l7meter.store.side import DayState
from l7meter.store.store import Appended, Store
from l7meter.store.verify import verify
from l7meter.store.verify_usage import Problem
from l7meter.store.views import connect

__all__ = [
    "Appended",
    "Connection",
    "DataFile",
    "DayState",
    "LiveFile",
    "Problem",
    "SourceRow",
    "Store",
    "Taken",
    "close",
    "compact",
    "connect",
    "cover",
    "expire",
    "forget",
    "holding",
    "rebuild",
    "repair",
    "retain",
    "select",
    "shell_script",
    "statements",
    "take_out",
    "verify",
]
