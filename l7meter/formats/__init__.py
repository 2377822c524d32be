"""Lines to records: one file a format (`shipped/`), a reader for each family of them."""

from l7meter.formats.assembly import assemble, behind_hops, parse
from l7meter.formats.catalog import by_name, from_log_format, from_mapping, from_pairs, shipped
from l7meter.formats.contract import REJECTS, Format, Options, Parsed, Raw, Segment
from l7meter.formats.detection import Claim, claims, detect, sample
from l7meter.formats.parquet import ParquetReader

__all__ = [
    "REJECTS",
    "Claim",
    "Format",
    "Options",
    "ParquetReader",
    "Parsed",
    "Raw",
    "Segment",
    "assemble",
    "behind_hops",
    "by_name",
    "claims",
    "detect",
    "from_log_format",
    "from_mapping",
    "from_pairs",
    "parse",
    "sample",
    "shipped",
]
