"""Format strings inside configuration files of nginx and Apache."""

from __future__ import annotations

import re
from typing import NamedTuple

_NGINX = re.compile(
    r"^\s*log_format\s+(?P<name>\S+)\s+(?:escape=(?P<escape>\w+)\s+)?"
    r"(?P<body>(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|[^\s;'\"]+|\s+|\#[^\n]*\n)+);",
    re.MULTILINE | re.DOTALL,
)
_PARTS = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"|#[^\n]*\n|([^\s;'\"]+)", re.DOTALL)
_APACHE = re.compile(
    r'^\s*LogFormat\s+"((?:[^"\\]|\\.)*)"(?:\s+(\S+))?', re.MULTILINE | re.IGNORECASE
)
_ESCAPED = {r"\n": "\n", r"\t": "\t", r"\r": "\r"}


class NamedFormat(NamedTuple):
    """A format string under its name in the configuration; `escape` is nginx's (default, json, none)."""

    name: str
    text: str
    escape: str = "default"


def formats_in(configuration: str) -> list[NamedFormat]:
    """The format strings of a configuration, in its order; line continuations are joined."""
    joined = re.sub(r"\\\r?\n", "", configuration)
    nginx = [
        NamedFormat(found["name"], _unquoted(found["body"]), found["escape"] or "default")
        for found in _NGINX.finditer(configuration)
    ]
    apache = [NamedFormat(found[2] or "LogFormat", found[1]) for found in _APACHE.finditer(joined)]
    return nginx + apache


def _unquoted(body: str) -> str:
    parts = ["".join(part or "" for part in found.groups()) for found in _PARTS.finditer(body)]
    return re.sub(r"\\(.)", lambda found: _ESCAPED.get(found[0], found[1]), "".join(parts))
