"""Values to text: what every writer and the terminal table agree on."""

from __future__ import annotations

import polars as pl
import polars.selectors as cs

from l7meter.columns import without_nulls

# C0, DEL and C1 move cursors and colour terminals; bidirectional, zero-width and tag characters and
# fillers hide text (https://www.unicode.org/reports/tr36/#Recommendations_General).
_CONTROLS = (
    *range(0x20),
    *range(0x7F, 0xA0),
    0xAD,
    0x034F,
    0x061C,
    0x115F,
    0x1160,
    *range(0x180B, 0x1810),
    *range(0x200B, 0x2010),
    *range(0x2028, 0x202F),
    *range(0x2060, 0x2070),
    0x3164,
    0xFEFF,
    0xFFA0,
    *range(0xFFF9, 0xFFFC),
    *range(0xE0000, 0xE0080),
)


def _escape(code: int) -> str:
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


_VISIBLE = {chr(code): _escape(code) for code in _CONTROLS}
# Octets of a file's name that are no UTF-8 (PEP 383), and other halves of surrogate pairs.
_OCTETS = {chr(0xDC00 + octet): f"\\x{octet:02x}" for octet in range(0x80, 0x100)}
_HALVES = {chr(code): _escape(code) for code in range(0xD800, 0xE000)}
_TRANSLATION = str.maketrans(_VISIBLE | _HALVES | _OCTETS)


def visible(text: str) -> str:
    """Text with every character that steers a terminal or hides text written as its escape."""
    return text.translate(_TRANSLATION)


def visible_column(text: pl.Expr) -> pl.Expr:
    """The same for a column."""
    return text.str.replace_many(_VISIBLE)


def flat(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with numbers, booleans and text only.

    Timestamps become ISO 8601 with microseconds, in UTC with `Z` where they have a zone; dates and
    times ISO 8601; durations seconds; binary hexadecimal; lists and structs JSON, fields that are
    null left out.
    """
    aware = [name for name, type_ in frame.schema.items() if getattr(type_, "time_zone", None)]
    return frame.with_columns(
        pl.col(aware).dt.convert_time_zone("UTC").dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ"),
        (cs.datetime() - cs.by_name(aware)).dt.strftime("%Y-%m-%dT%H:%M:%S%.6f"),
        cs.date().dt.strftime("%Y-%m-%d"),
        cs.time().dt.strftime("%H:%M:%S%.6f"),
        cs.duration().dt.total_microseconds() / 1e6,
        cs.binary().bin.encode("hex"),
        (cs.categorical() | cs.enum() | cs.by_dtype(pl.Null)).cast(pl.String),
        *(_json(name, frame.schema[name]) for name in nested(frame.schema)),
    )


def nested(schema: pl.Schema) -> list[str]:
    """Names of the columns of lists, arrays and structs."""
    return [name for name, type_ in schema.items() if type_.is_nested()]


def _json(name: str, type_: pl.DataType) -> pl.Expr:
    # `{"v":[1,2]}` without its frame; a null would read `null`.
    text = pl.struct(pl.col(name).alias("v")).struct.json_encode()
    bare = text.str.strip_prefix('{"v":').str.strip_suffix("}")
    if isinstance(type_, pl.Struct):
        bare = without_nulls(bare)
    return pl.when(pl.col(name).is_not_null()).then(bare).alias(name)
