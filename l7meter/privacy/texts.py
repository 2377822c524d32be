"""Request targets, referrers and other free text: what of them may be kept, and addresses inside of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import polars as pl

from l7meter.privacy.addresses import UNKNOWN, host, truncated

Replace = Callable[[str], str]

# RFC 3986 §3.2.1. `//@scope/name` is a path (RFC 9112 §3.2.1), `user@host:443` an authority (§3.2.3).
_USERINFO = r"^([A-Za-z][A-Za-z0-9+.-]*://)?[^/?#]*@"
_ORIGIN = r"^([A-Za-z][A-Za-z0-9+.-]*://)(?:[^/?#]*@)?([^/?#]*)"
_QUERY = r"(?s)[?#].*$"

# What could hold an address at all; most text does not (0.1 µs a value).
LIKELY = r"[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]|(?i:(?::|%3a)[0-9a-f]{0,4}(?::|%3a))"
_ALONE = r"(?:(?<![0-9A-Za-z])|(?<=%[0-9A-Fa-f]{2}))"  # `%20192.0.2.1` begins with a blank
_V4 = r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}"
_COLON = r"(?::|%3[Aa])"
_HEX = "[0-9A-Fa-f]"
_V6 = (
    rf"(?:{_HEX}{{1,4}}{_COLON}|{_COLON}{{2}})(?:{_HEX}{{0,4}}{_COLON}){{0,7}}"
    rf"(?:{_V4}|{_HEX}{{1,4}}|(?<=::)|(?<=%3[Aa]%3[Aa]))"
)
_ADDRESS = re.compile(
    rf"{_ALONE}{_V6}(?![0-9A-Za-z])"
    rf"|(?:(?<![0-9])(?<![0-9]\.)|(?<=%[0-9A-Fa-f]{{2}})){_V4}(?![0-9])(?!\.[0-9])"
)


def without_userinfo(text: pl.Series) -> pl.Series:
    """Targets and referrers without the user name and password of their authority."""
    return text.str.replace(_USERINFO, "${1}")


def without_query(text: pl.Series) -> pl.Series:
    """Targets and referrers up to their query or fragment."""
    return text.str.replace(_QUERY, "")


def origin(text: pl.Series) -> pl.Series:
    """Scheme, host and port of each referrer (RFC 6454 §4), with `/`; null for what has none."""
    return text.str.extract(_ORIGIN, 1) + text.str.extract(_ORIGIN, 2) + "/"


def in_place_of(mode: str) -> Replace:
    """What stands where an address stood in other text, under a mode of `Policy.addresses`.

    A pseudonym would join what a client wrote in one place to what it did elsewhere: there is none.
    """
    if mode == "truncated":
        return lambda address: truncated(address) or UNKNOWN
    return lambda _: UNKNOWN


def addresses_in(text: str) -> Iterator[bytes]:
    """Whose the addresses in a text are (`host`), percent-encoded colons read as colons."""
    for match in _ADDRESS.finditer(text):
        octets = host(_decoded(match[0]))
        if octets is not None:
            yield octets


def replaced(text: str, replace: Replace, only: frozenset[bytes] | None = None) -> str:
    """The text with its addresses replaced: all, or those of these hosts."""

    def change(match: re.Match[str]) -> str:
        address = _decoded(match[0])
        octets = host(address)
        if octets is None or (only is not None and octets not in only):
            return match[0]
        return replace(address)

    return _ADDRESS.sub(change, text)


def without_addresses(text: pl.Series, replace: Replace, after: str = "") -> pl.Series:
    """Texts with all addresses replaced; with `after`, only behind the first of its characters.

    Meant for distinct values; a Python loop over those few that look as if they held one.
    """
    rows = text.str.contains(LIKELY).fill_null(False).arg_true()
    if not rows.len():
        return text
    changed = [_changed_after(each, replace, after) for each in text[rows].to_list()]
    return text.clone().scatter(rows, pl.Series(changed, dtype=pl.String))


def _changed_after(text: str, replace: Replace, after: str) -> str:
    if not after:
        return replaced(text, replace)
    start = min((at for mark in after if (at := text.find(mark)) >= 0), default=len(text))
    return text[:start] + replaced(text[start:], replace)


def _decoded(text: str) -> str:
    return text.replace("%3A", ":").replace("%3a", ":")
