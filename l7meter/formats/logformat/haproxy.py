"""HAProxy's captured headers: which field stands where, as its configuration says.

The log has them between bars, in the order of the `capture` lines of the frontend that logs
(https://docs.haproxy.org/dev/configuration.html#8.8).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from l7meter.formats.logformat.apache import REQUEST_FIELDS, RESPONSE_FIELDS

ANY_FRONTEND = r"[^\ ~\"]+"  # in the shipped patterns, where a frontend is named
# and where the captured headers stand, in braces or, in CLF, in quotation marks
ANY_BRACES, ANY_QUOTES = r"(?:\ \{[^}]*\}){0,2}", r'(?:\ "[^"]*")*'

_SECTION = re.compile(
    r"^(global|defaults|frontend|listen|backend|[a-z-]+)[ \t]*(\S+)?", re.MULTILINE
)
_CAPTURE = re.compile(
    r"^\s+(?:capture\s+(?P<side>request|response)\s+header\s+(?P<field>\S+)"
    r"|declare\s+capture\s+(?P<declared>request|response)"
    r"|(?P<rule>http-request)\s+capture\s+(?:req\.f?hdr\((?P<of>[^),]+)[^)]*\)\S*|.+?))\s+len\s+\d+",
    re.MULTILINE,
)

_LOG_FORMAT = re.compile(r"""^\s+log-format\s+("(?:[^"\\]|\\.)*"|'[^']*'|(?:[^\s"'\\]|\\.)+)""", re.MULTILINE)  # fmt: skip


class Captures(NamedTuple):
    """The fields a frontend captures, in the order of its log; None where it is no header field."""

    frontend: str
    request: tuple[str | None, ...]
    response: tuple[str | None, ...]


def captures_in(configuration: str) -> list[Captures]:
    """What each frontend of a configuration captures; empty where it is not HAProxy's, or none does."""
    return [
        captures
        for kind, name, section in _sections(configuration)
        if kind in ("frontend", "listen") and any((captures := _of(name, section))[1:])
    ]


def log_formats_in(configuration: str) -> list[tuple[Captures, str]]:
    """The `log-format` strings of a configuration, with what is captured where they stand."""
    return [
        (_of(name or kind, section), _unquoted(found[1]))
        for kind, name, section in _sections(configuration)
        if kind in ("frontend", "listen", "defaults")
        for found in _LOG_FORMAT.finditer(section)
    ]


def _sections(text: str) -> list[tuple[str, str, str]]:
    starts = list(_SECTION.finditer(text))
    ends = [*(found.start() for found in starts[1:]), len(text)]
    return [(found[1], found[2] or "", text[found.end() : end]) for found, end in zip(starts, ends, strict=True)]  # fmt: skip


def _unquoted(text: str) -> str:
    if text.startswith("'"):
        return text.strip("'")
    bare = text[1:-1] if text.startswith('"') else text
    return re.sub(r"\\(.)", r"\1", bare)


def _of(frontend: str, section: str) -> Captures:
    request: list[str | None] = []
    response: list[str | None] = []
    for found in _CAPTURE.finditer(section):
        of_response = "response" in (found["side"], found["declared"])
        (response if of_response else request).append(found["field"] or found["of"])
    return Captures(frontend, tuple(request), tuple(response))


def pattern_with(pattern: str, frontends: list[Captures]) -> str:
    """A shipped pattern that reads what these frontends capture, and other frontends' lines as before."""
    return "|".join([*(_with(pattern, each, n) for n, each in enumerate(frontends, 1)), pattern])


def _with(pattern: str, captures: Captures, number: int) -> str:
    """The pattern for one frontend; its groups get a number, for names must differ."""
    braces, quotes = "", ""
    for fields, known in ((captures.request, REQUEST_FIELDS), (captures.response, RESPONSE_FIELDS)):
        readings = [known[field.lower()][0] if field and field.lower() in known else None for field in fields]  # fmt: skip
        if readings:
            braces += r"(?:\ \{" + r"\|".join(_group(each, "|}") for each in readings) + r"\})?"
            quotes += "(?:" + "".join(rf'\ "{_group(each, chr(34))}"' for each in readings) + ")?"
    made = pattern.replace(ANY_FRONTEND, re.escape(captures.frontend))
    made = made.replace(ANY_BRACES, braces).replace(ANY_QUOTES, quotes)
    seen: set[str] = set()

    def numbered(found: re.Match[str]) -> str:
        if found[1] in seen:  # a field captured twice: the first counts
            return "(?:"
        seen.add(found[1])
        return f"(?P<{found[1]}__{number}>"

    return re.sub(r"\(\?P<(\w+)>", numbered, made)


def _group(reading: str | None, stops: str) -> str:
    return f"(?P<{reading}>[^{stops}]*)" if reading else f"[^{stops}]*"
