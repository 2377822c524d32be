"""How an importer tells by a file's name and first octets whether it is one of its own."""

from __future__ import annotations

import re

ADDRESS = rb"[0-9A-Fa-f]*[:.][0-9A-Fa-f:.]*"
PREFIX = ADDRESS + rb"/[0-9]{1,3}"

_COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".zstd")


def base(name: str) -> str:
    """A file's name without folder, query and compression, in small letters."""
    last = re.split(r"[/\\]", name.partition("?")[0])[-1].lower()
    return next((last.removesuffix(end) for end in _COMPRESSED if last.endswith(end)), last)


def stem(name: str) -> str:
    """`base` without what follows its first dot."""
    return base(name).partition(".")[0]


def part(name: str) -> str:
    """`stem` as the name of a list: small letters, digits and hyphens."""
    return re.sub("[^a-z0-9]+", "-", stem(name)).strip("-")


def first_line(start: bytes, comments: bytes = b"#;") -> bytes:
    """The first line that is neither blank nor a comment."""
    for line in start.removeprefix(b"\xef\xbb\xbf").split(b"\n"):
        text = line.strip(b"\r")
        if text.strip() and text[:1] not in comments:
            return text
    return b""


def first_line_is(pattern: bytes, start: bytes, comments: bytes = b"#;") -> bool:
    """Whether the first line matches a pattern from its start."""
    return re.match(pattern, first_line(start, comments)) is not None


def has_keys(start: bytes, *keys: str) -> bool:
    """Whether the start of a JSON file names all of these keys."""
    is_json = start.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"[")
    return is_json and all(f'"{key}"'.encode() in start for key in keys)
