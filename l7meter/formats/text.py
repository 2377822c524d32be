"""Undoing what loggers do to text: escapes and words for a missing value."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import unquote_to_bytes

import polars as pl

from l7meter.columns import map_distinct

# "-" and "" everywhere; "(null)" of Varnish and Fastly, "N/A" of Azure, HAProxy's; '"-"' quoted twice
MISSING = ("-", "", "(null)", "N/A", "<BADREQ>", '"-"')

# nginx writes \xHH for " \ controls and octets above 0x7E (ngx_http_log_escape); Apache writes
# \" \\ \b \n \r \t \v and \xhh (ap_escape_logitem).
_NAMED = {"b": 8, "n": 10, "r": 13, "t": 9, "v": 11, "f": 12}
_ESCAPE = re.compile(rb'\\(?:x([0-9A-Fa-f]{2})|([bnrtvf])|(["\\/]))')


def unescape_clf(series: pl.Series) -> pl.Series:
    """Undo the escaping of nginx and Apache exactly once.

    Escaped octets that are no UTF-8 stay escaped as `\\xhh`: text has no other way to hold them.
    """
    return _changed(series, "\\", _unescape)


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
    return _changed(series, "%", _unquote)


def _unquote(text: str) -> str:
    return unquote_to_bytes(text).decode("utf-8", "backslashreplace")


def _changed(series: pl.Series, sign: str, change: Callable[[str], str]) -> pl.Series:
    """The column with the values that hold `sign` changed, each distinct one once."""
    rows = series.str.contains(sign, literal=True).arg_true()
    if not rows.len():
        return series

    def each(values: pl.Series) -> pl.Series:
        return pl.Series(values.name, [change(value) for value in values], dtype=pl.String)

    return series.scatter(rows, map_distinct(series[rows], each))


def unescape_hash(series: pl.Series) -> pl.Series:
    """Undo HAProxy's escaping: `#22` stands for a quotation mark (lf_encode_chunk)."""
    return _changed(series, "#", _unhash)


def _unhash(text: str) -> str:
    octets = _HASHED.sub(lambda found: bytes((int(found[1], 16),)), text.encode())
    return octets.decode("utf-8", "backslashreplace")


_HASHED = re.compile(rb"#([0-9A-F]{2})")
UNESCAPE = {
    "none": lambda series: series,
    "clf": unescape_clf,
    "percent": unescape_percent,
    "hash": unescape_hash,
}
