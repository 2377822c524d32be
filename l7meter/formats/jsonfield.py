"""Lines that stand in a field of JSON objects, as logging systems hand them on.

Polars reads whole blocks; one that it refuses is halved until the lines it refuses stand alone, which
the standard library reads: both give the same octets (a differential test holds them to it).
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import polars as pl

FEW = 32  # lines that are read one by one
_HALF = re.compile(rb"\\u[dD][89a-fA-F]")  # a surrogate: Polars takes half a pair for a NUL


def lines_in(data: bytes, path: Sequence[str], *, fast: bool = True) -> bytes:
    """The lines with each object replaced by what its field at `path` holds: a text, or an object as JSON.

    A line that is no such object stays as it is. As many lines go out as come in.
    """
    if fast and (read := _bulk(data, path)) is not None:
        return read
    middle = data.find(b"\n", len(data) // 2) + 1
    if fast and data.count(b"\n") > FEW and 0 < middle < len(data):
        return lines_in(data[:middle], path) + lines_in(data[middle:], path)
    return b"\n".join(_one(line, path) for line in data.split(b"\n"))


def _bulk(data: bytes, path: Sequence[str]) -> bytes | None:
    if _HALF.search(data):
        return None
    kind: Any = pl.String
    for name in reversed(path[1:]):
        kind = pl.Struct({name: kind})
    try:
        frame = pl.read_ndjson(data, schema={path[0]: kind})
    except pl.exceptions.PolarsError:
        return None
    end = b"\n" if data.endswith(b"\n") else b""
    if frame.height != data.count(b"\n") + (not end):
        return None
    held = frame[path[0]]
    for name in path[1:]:
        held = held.struct.field(name)
    if held.str.starts_with("[").any():  # octets of journald
        return None
    held = held.str.strip_chars_end("\r\n").str.replace_all("\n", "\\n", literal=True)
    if held.null_count():
        held = held.fill_null(pl.Series(data.decode().split("\n")[: held.len()]))
    joined: str = held.str.join("\n").item()
    return joined.encode() + end


def _one(line: bytes, path: Sequence[str]) -> bytes:
    try:
        held = json.loads(line.decode("utf-8", "surrogateescape"), object_pairs_hook=_first)
        for name in path:
            held = held[name]
        if held is None:
            return line
        if isinstance(held, list):  # journald: octets that are not UTF-8
            return bytes(held).rstrip(b"\r\n").replace(b"\n", b"\\n")
    except (ValueError, LookupError, TypeError, RecursionError):
        return line
    text = held if isinstance(held, str) else json.dumps(held, ensure_ascii=False)
    text = text.rstrip("\r\n").replace("\n", "\\n")
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half a surrogate pair
        return text.encode("utf-8", "backslashreplace")


def _first(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of a key that stands twice the first counts, as in the bulk reader."""
    return dict(reversed(pairs))
