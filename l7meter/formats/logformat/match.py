"""The exact path: a format as one regular expression over the whole line."""

from __future__ import annotations

import re

import polars as pl

from l7meter.formats.logformat.template import Item, Lit, Shape

_QUOTED = r'((?:[^"\\]|\\.)*)'  # an escaped quotation mark does not end the text
_SHAPES: dict[Shape, str] = {
    "time": r"([^\[\]]+)",
    "number": r"([^ ]*?)",  # whether it is one is for the reading to say
    "token": r"([^ ]*?)",
    "host": r"([^ /]*?)",
    "text": r"(.*?)",
}


def expression(items: list[Item], *, escapes: bool) -> str:
    """The expression that takes each variable of the format as a group, in order."""
    pieces = ["^"]
    quotes = 0
    for place, item in enumerate(items):
        if isinstance(item, Lit):
            quotes += item.text.count('"')
            pieces.append(re.escape(item.text).replace(r"\ ", " "))
            continue
        after = items[place + 1] if place + 1 < len(items) else None
        quoted = quotes % 2 == 1 and escapes and item.shape == "text"
        alone = quoted and isinstance(after, Lit) and after.text.startswith('"')
        shape = f"([^\\[\\]]{{{item.width}}})" if item.width else _SHAPES[item.shape]
        if not escapes:  # a quotation mark may be a client's, but none stands in these
            shape = shape.replace("[^ ", '[^ "')
        pieces.append(_QUOTED if alone else shape)
    return "".join([*pieces, r"\n?$"])


def match(lines: pl.Series, pattern: str, width: int) -> tuple[pl.DataFrame, pl.Series]:
    """The `width` variables of each line as columns `0`, `1`, ..., and which lines match."""
    groups = lines.str.extract_groups(pattern).struct.unnest()
    names = {old: str(place) for place, old in enumerate(groups.columns)}
    assert len(names) == width
    return groups.rename(names), lines.str.contains(pattern)
