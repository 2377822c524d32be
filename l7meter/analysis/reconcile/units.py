"""Units of octets, written out: GB is ten to the ninth, GiB two to the thirtieth.

Bills use "GB" for either. In a month of 62 PB that is 7 % of the money, so a file's own "GB" is never
taken for one of them: the reader of the bill says which (`--unit`).
"""

from __future__ import annotations

import re

from l7meter.errors import UsageError

_PREFIXES = ("K", "M", "G", "T", "P", "E")
UNITS: dict[str, int] = {"bytes": 1}
UNITS |= {f"{prefix}B": 1000**n for n, prefix in enumerate(_PREFIXES, start=1)}
UNITS |= {f"{prefix}iB": 1024**n for n, prefix in enumerate(_PREFIXES, start=1)}
_BY_NAME = {name.lower(): name for name in UNITS} | {
    "b": "bytes",
    "byte": "bytes",
    "octets": "bytes",
}
_SURE = re.compile(r"(?i)(?<![a-z])(bytes?|octets|[kmgtpe]ib)(?![a-z])")


def unit_named(text: str) -> str:
    """The unit of that name, in any case. Raises `UsageError` that lists them for one that is none."""
    if text.lower() not in _BY_NAME:
        raise UsageError(
            f"--unit {text}: no unit; there is: {', '.join(UNITS)} (GB = 1000³, GiB = 1024³)"
        )
    return _BY_NAME[text.lower()]


def unit_said(text: str) -> str | None:
    """The unit that a heading or a cell says without a doubt; None for "GB", which is used for two."""
    match = _SURE.search(text.replace("_", " "))
    return unit_named(match[1]) if match else None
