"""Undoing what loggers do to text: escapes and words for a missing value."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

import polars as pl

from l7meter.columns import map_distinct

# "-" and "" everywhere; "(null)" of Varnish and Fastly, "N/A" of Azure, '"-"' quoted twice
MISSING = ("-", "", "(null)", "N/A", '"-"')

# nginx writes \xHH for " \ controls and octets above 0x7E (ngx_http_log_escape); Apache writes
# \" \\ \b \n \r \t \v and \xhh (ap_escape_logitem).
_NAMED = {"b": 8, "n": 10, "r": 13, "t": 9, "v": 11, "f": 12}
_ESCAPE = re.compile(r'\\(?:x([0-9A-Fa-f]{2})|([bnrtvf])|(["\\/]))'.encode())


def present(text: pl.Expr) -> pl.Expr:
    """The text, null where it is a word for a missing value."""
    return pl.when(text.is_in(MISSING)).then(None).otherwise(text)


def unescape_clf(series: pl.Series) -> pl.Series:
    """Undo the escaping of nginx and Apache exactly once.

    Escaped octets that are no UTF-8 stay escaped as `\\xhh`: text has no other way to hold them.
    """
    escaped = series.str.contains("\\", literal=True)
    if not escaped.any():
        return series
    return map_distinct(series, _unescape_values)


def _unescape_values(values: pl.Series) -> pl.Series:
    texts = [value if value is None or "\\" not in value else _unescape(value) for value in values]
    return pl.Series(values.name, texts, dtype=pl.String)  # distinct values only


def _unescape(text: str) -> str:
    if "\\\\" not in text:  # pip's agents are full of quotation marks
        text = text.replace("\\x22", '"')
        if "\\" not in text:
            return text
    return _ESCAPE.sub(_octet, text.encode()).decode("utf-8", "backslashreplace")


def _octet(found: re.Match[bytes]) -> bytes:
    code, name, itself = found.groups()
    if code:
        return bytes((int(code, 16),))
    return bytes((_NAMED[name.decode()],)) if name else itself


def unescape_percent(series: pl.Series) -> pl.Series:
    """Undo percent-encoding once (CloudFront): `%2520` says that the client sent `%20`."""
    escaped = series.str.contains("%", literal=True)
    if not escaped.any():
        return series
    return map_distinct(series, _unquote_values)


def _unquote_values(values: pl.Series) -> pl.Series:
    texts = [
        value if value is None else unquote_to_bytes(value).decode("utf-8", "backslashreplace")
        for value in values  # distinct values only
    ]
    return pl.Series(values.name, texts, dtype=pl.String)


UNESCAPE = {"none": lambda series: series, "clf": unescape_clf, "percent": unescape_percent}
