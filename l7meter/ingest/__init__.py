"""One source after another: read, concluded, and into the store."""

from l7meter.ingest.attributing import Reattributed, attribute
from l7meter.ingest.checking import Checked, check
from l7meter.ingest.outcome import Ingested, Source
from l7meter.ingest.parsing import parse
from l7meter.ingest.run import ingest
from l7meter.ingest.source import Reading, Said, open_source

__all__ = [
    "Checked",
    "Ingested",
    "Reading",
    "Reattributed",
    "Said",
    "Source",
    "attribute",
    "check",
    "ingest",
    "open_source",
    "parse",
]
