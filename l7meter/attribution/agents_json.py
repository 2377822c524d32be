"""The JSON object that pip, uv and Hatch put behind their product token.

pip sorts its keys, uv does not; all leave out or set to null what they do not know:
https://github.com/pypa/pip/blob/main/src/pip/_internal/network/session.py and
https://github.com/astral-sh/uv/blob/main/crates/uv-client/src/linehaul.rs.

Most distinct agents are new combinations of few members (a Python, an installer, a kernel), so an
object is cut at known members and only distinct parts are parsed: five times as fast as parsing
each object whole (48 k distinct of 100 k agents). Cutting is exact: a part that ends inside a string or an inner object does not
parse, and then the object is parsed whole. `Series.str.json_decode` is no way: it joins rows to one
array, in which an agent `{},{}` is two rows, and one bad row fails all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any
from unicodedata import category

import polars as pl

from l7meter.columns import distinct, spread

LIMIT = 64  # characters of one detail
# Where objects are cut: before these members, in this order, each where it occurs. What has few
# values, or goes with its neighbour, is not worth a cut.
_PIP = ("implementation", "installer", "python", "rustc_version", "setuptools_version", "system")
_UV = ("python", "distro", "system", "cpu")
_UV_BEGINS = '"installer":'
# For each member of an object, which detail stands where in it.
_PLACES: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "installer": (("installer_name", ("name",)), ("installer_version", ("version",))),
    "python": (("language_version", ()),),
    "implementation": (("runtime_name", ("name",)), ("runtime_version", ("version",))),
    "system": (("os_name", ("name",)), ("os_version", ("release",))),
    "distro": (
        ("distribution_name", ("name",)),
        ("distribution_version", ("version",)),
        ("libc_name", ("libc", "lib")),
        ("libc_version", ("libc", "version")),
    ),
    "cpu": (("cpu_architecture", ()),),
    "openssl_version": (("tls_library", ()),),
    "rustc_version": (("compiler", ()),),
}
_READ = "read"
# A string cut short runs to the end.
_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|$)|[{}\[\],]', re.DOTALL)
# How pip's object ends, as a rule: the part that a machine has to itself.
_LAST = re.compile(r'"system":\{"name":"([!#-\[\]-~]{1,64})","release":"([!#-\[\]-~]{1,64})"\}\}')
_CLOSING = {"{": "}", "[": "]"}
_scan = json.JSONDecoder().scan_once  # type: ignore[attr-defined]

Details = dict[str, str | None]


def conclude(agents: pl.DataFrame) -> pl.DataFrame:
    """Column row and those of `agents_details.FIELDS` that any agent tells, in any order of rows.

    Takes columns row and agent, among others.
    """
    body = pl.col("agent").str.splitn("{", 2).struct.field("field_1").alias("body")
    frame = agents.select("row", body).drop_nulls()
    is_uv = pl.col("body").str.starts_with(_UV_BEGINS)
    parts = [_in_parts(frame.filter(is_uv), _UV), _in_parts(frame.filter(~is_uv), _PIP)]
    unread = pl.concat([part.filter(~pl.col(_READ)).select("row", "body") for part in parts])
    parts.append(pl.concat([unread, _of_distinct(unread["body"], _broken)], how="horizontal"))
    return pl.concat([part.filter(_READ).drop("body", _READ) for part in parts], how="diagonal")


def _in_parts(frame: pl.DataFrame, members: tuple[str, ...]) -> pl.DataFrame:
    """Columns row, body, those told, and `_READ`: whether all parts are members of an object."""
    octets = frame.select(pl.col("body").cast(pl.Binary), start=0, end=0)
    parts = []
    for member in members:
        at = frame["body"].str.find(f',"{member}":', literal=True)
        octets = octets.with_columns(end=pl.max_horizontal("start", at))
        parts.append(_of_distinct(_slice(octets), _closed))
        # Behind the comma; a member that does not follow is not cut at.
        start = pl.when(pl.col("end") > pl.col("start")).then(pl.col("end") + 1).otherwise("start")
        octets = octets.with_columns(start=start)
    parts.append(_of_distinct(_slice(octets.with_columns(end=pl.col("body").bin.size())), _open))
    frame = frame.with_columns(pl.all_horizontal(part[_READ] for part in parts).alias(_READ))
    # Of two parts that tell the same the last counts, as the last of equal keys does.
    told: dict[str, list[pl.Series]] = {}
    for part in reversed(parts):
        for column in part.drop(_READ):
            told.setdefault(column.name, []).append(column)
    return frame.with_columns(pl.coalesce(columns).alias(name) for name, columns in told.items())


def _slice(octets: pl.DataFrame) -> pl.Series:
    """The body of each row from start to end: by octets, since counting characters takes longer."""
    length = pl.col("end") - pl.col("start")
    part = octets.select(pl.col("body").bin.slice("start", length).cast(pl.String, strict=False))
    return part.to_series()


def _of_distinct(texts: pl.Series, read: Callable[[str], Details | None]) -> pl.DataFrame:
    """The details of each text and the column `_READ`; a loop, over distinct texts."""
    values, places = distinct(texts)
    found = [None if text is None else read(text) for text in values.to_list()]
    told = {name for one in found for name in one or ()}
    frame = pl.DataFrame(
        [
            pl.Series(_READ, [one is not None for one in found], pl.Boolean),
            *(
                pl.Series(name, [(one or {}).get(name) for one in found], pl.String)
                for name in told
            ),
        ]
    )
    return spread(frame, places, len(texts))


def _closed(text: str) -> Details | None:
    """Details of members of an object, null unless they are whole."""
    text = "{" + text + "}"
    found, end = _scanned(text)
    return _details(found) if end == len(text) else None


def _open(text: str) -> Details | None:
    """Details of an object's last members and whatever stands behind its end."""
    if usual := _LAST.fullmatch(text):  # a third of the time
        return {"os_name": usual[1], "os_version": usual[2]}
    found, end = _scanned("{" + text)
    return _details(found) if end else None


def _broken(text: str) -> Details | None:
    """Details of an object in any shape; of one cut short, those of its whole members."""
    text = "{" + text
    found, end = _scanned(text)
    if not end:
        found, end = _scanned(_mended(text))
    return _details(found) if end else None


def _scanned(text: str) -> tuple[Any, int]:
    """The value at the start of a text and where it ends, 0 where there is none."""
    try:
        found, end = _scan(text, 0)
    # Not JSON; nested too deep; a number of more than 4,300 digits.
    except (StopIteration, RecursionError, ValueError):
        return None, 0
    return found, end


def _mended(text: str) -> str:
    """A text cut short, without its last member and with its brackets closed."""
    open_: list[str] = []
    kept = ""
    for token in _TOKENS.finditer(text):
        match token[0]:
            case "{" | "[" as bracket:
                open_.append(_CLOSING[bracket])
            case "}" | "]" if not open_:
                break
            case "}" | "]":
                open_.pop()
            case ",":
                kept = text[: token.start()] + "".join(reversed(open_))
    return kept


def _details(found: dict[str, Any]) -> Details:
    details: Details = {}
    for member, value in found.items():
        for name, path in _PLACES.get(member, ()):
            text = value
            for key in path:
                text = text.get(key) if isinstance(text, dict) else None
            details[name] = _clean(text) if isinstance(text, str) else None
        if member == "installer" and isinstance(value, dict):
            details["command"] = _command(value.get("subcommand"))
    if details.get("language_version"):
        details["language_name"] = "Python"
    if rustc := details.get("compiler"):
        details["compiler"] = f"rustc {rustc}"[:LIMIT]
    return details


def _command(words: Any) -> str | None:
    if not isinstance(words, list):
        return None
    return _clean(" ".join(word for word in words if isinstance(word, str)))


def _clean(text: str) -> str | None:
    """A text without control characters, half surrogates and blanks around it; null if empty."""
    if not (text.isascii() and text.isprintable()):
        text = "".join("�" if category(char)[0] == "C" else char for char in text)
    return text[:LIMIT].strip() or None
