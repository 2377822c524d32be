"""Numbers as people read and write them: SI bytes, grouped counts, percentages."""

from __future__ import annotations

import re
from decimal import Decimal

_SIZES = {prefix: 1000**n for n, prefix in enumerate(("", *"kmgtpe"))}
_SIZES |= {f"{prefix}i": 1024**n for n, prefix in enumerate("kmgtpe", start=1)}
_PREFIXES = ("", "k", "M", "G", "T", "P", "E", "Z")


def bytes_text(octets: float) -> str:
    """Octets in SI units with three digits: `512 B`, `1.50 kB`, `62.3 PB`."""
    size, step = float(octets), 0
    # 999.5 would print as 1000 in three digits: it belongs to the next prefix.
    while abs(size) >= (999.5 if step else 1000) and step < len(_PREFIXES) - 1:
        size, step = size / 1000, step + 1
    if step == 0:
        return f"{size:.0f} B"
    digits = 2 if abs(size) < 9.995 else 1 if abs(size) < 99.95 else 0
    return f"{size:.{digits}f} {_PREFIXES[step]}B"


def count_text(count: int) -> str:
    """A count with its thousands grouped: `1,234,567`."""
    return f"{count:,}"


def number_text(number: float) -> str:
    """A number with four significant digits: `0.4959`."""
    return f"{number:.4g}"


def percent_text(ratio: float, *, signed: bool = False) -> str:
    """A ratio as a percentage: 0.123 is `12.3 %`; what rounds to nothing but is not is `< 0.1 %`."""
    if not signed and 0 < ratio < 0.0005:
        return "< 0.1 %"
    return f"{ratio * 100:+,.1f} %" if signed else f"{ratio * 100:,.1f} %"


def octets(text: str) -> int:
    """The octets that a text says: `10GB`, `10 GiB`, `1500`. Raises `ValueError` for any other."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgtpe]?i?)b?", text.strip(), re.IGNORECASE)
    if match is None or match[2].lower() not in _SIZES:
        raise ValueError(text)
    return int(Decimal(match[1]) * _SIZES[match[2].lower()])
