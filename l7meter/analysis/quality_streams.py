"""Streams: the sources that one server writes one after the other, told by their names.

Two sources are of one stream if they lie in the same directory and their names differ in digits alone: in a
date, a counter, a unique id. A directory that is nothing but a part of a date (`2026/11/01`, `day=01`) does
not separate. `web1/access.log.2.gz` and `web1/access.log` are one stream, `web2/access.log` is another.
"""

from __future__ import annotations

import polars as pl

_PACKED = r"\.(gz|bz2|xz|zst|lz4|Z)$"
_DATED = r"(^|/)(?:[A-Za-z_]+=)?\d[\dT:._-]*(?:/(?:[A-Za-z_]+=)?\d[\dT:._-]*)*/"  # /2026/11/01/
_MONTH = r"(?i)\b(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)\b"
_UNIQUE = r"\b[0-9a-f]{8,}\b"  # CloudFront: E2EXAMPLE.2026-11-01-05.a1b2c3d4.gz
_DIGITS = r"\d+(?:[-_.:T]*\d+)*"
_ROTATED = r"[-.]#$"  # access.log.2, access.log-20261101


def stream_of(name: pl.Expr) -> pl.Expr:
    """The stream of a source's name: its directory, and its name with `#` for what changes."""
    plain = name.str.replace(_PACKED, "")
    directory = plain.str.extract(r"^(.*/)", 1).fill_null("")
    file = (
        plain.str.extract(r"([^/]*)$", 1)
        .str.replace_all(_UNIQUE, "0")
        .str.replace_all(_MONTH, "0")
        .str.replace_all(_DIGITS, "#")
        .str.replace(_ROTATED, "")
    )
    return pl.concat_str(directory.str.replace_all(_DATED, "${1}#/"), file)


def directory_of(name: pl.Expr) -> pl.Expr:
    """The directory of a source's name; `.` where it says none."""
    return name.str.extract(r"^(.*)/[^/]*$", 1).fill_null(".")
