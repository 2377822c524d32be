"""Access logs written by a format string: nginx's `log_format`, Apache's `LogFormat` and kin."""

from l7meter.formats.logformat.compile import compile_format
from l7meter.formats.logformat.config import NamedFormat, formats_in
from l7meter.formats.logformat.dialects import dialect
from l7meter.formats.logformat.haproxy import Captures, captures_in, log_formats_in, pattern_with
from l7meter.formats.logformat.reader import LogFormatReader

__all__ = [
    "Captures",
    "LogFormatReader",
    "NamedFormat",
    "captures_in",
    "compile_format",
    "dialect",
    "formats_in",
    "log_formats_in",
    "pattern_with",
]
