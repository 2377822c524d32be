"""Heads of HTTP/1.x messages: start lines, fields, and the length of the content (RFC 9112)."""

from __future__ import annotations

import re
from typing import NamedTuple

from l7meter.captures.base import Side, text

MAX_HEAD = 256 << 10  # octets of start line and fields; servers refuse more than 8 to 64 KiB
MAX_METHOD = 32  # octets; the longest registered method has 17
MAX_FIELDS = 500  # field names kept of a head; Apache refuses more than 100 lines
MAX_LENGTH = (1 << 63) - 1  # octets of content; what a signed 64-bit counter holds

TOO_MANY_FIELDS = f"more than {MAX_FIELDS} field names"
FOLD_FIRST = "white space before the first field"
NO_COLON = "a field line without a colon"
SPACE_BEFORE_COLON = "white space before a field's colon"
BOTH = "both Transfer-Encoding and Content-Length"
NOT_CHUNKED = "Transfer-Encoding does not end in chunked"
OLD_CHUNKED = "Transfer-Encoding in HTTP/1.0"
NO_NUMBER = "Content-Length is not a number"
OVERFLOW = "Content-Length overflows 63 bits"
DIFFERENT = "two different Content-Length values"

TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]"  # RFC 9110 5.6.2
_REQUEST_BEGINS = re.compile(TOKEN + rb"{1,%d}(?: |\Z)" % MAX_METHOD)
_PROTOCOL = re.compile(rb"HTTP/([0-9]\.[0-9])")
_STATUS = re.compile(rb"HTTP/([0-9]\.[0-9])[ \t]{1,8}([0-9]{3})(?![0-9])")
_METHODS = (b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"CONNECT", b"TRACE")  # fmt: skip
_TARGET = re.compile(rb"[A-Z][A-Z_-]{1,%d} (?:[/*]|[A-Za-z0-9.\[-]|\Z)" % MAX_METHOD)
_ALWAYS_KEPT = {b"content-length", b"transfer-encoding", b"upgrade"}  # they decide what follows


def beginning(parts: list[str], rest: str) -> re.Pattern[bytes]:
    """An expression of parts, and of their beginnings where the octets end."""
    for part in reversed(parts[1:]):
        rest = rf"(?:\Z|{part}{rest})"
    return re.compile((parts[0] + rest).encode())


_STATUS_BEGINS = beginning(
    [*"HTTP/", "[0-9]", r"\.", "[0-9]", "[ \t]{1,8}", *["[0-9]"] * 3], "(?![0-9])"
)


class RequestLine(NamedTuple):
    """Method, target and version ("1.1"; "0.9" of a line without one) of a request."""

    method: str
    target: str
    version: str


class StatusLine(NamedTuple):
    """Version ("1.1") and status code of a response."""

    version: str
    status: int


def request_line(line: bytes) -> RequestLine | None:
    """Read a request line (RFC 9112 3), or one of HTTP/0.9 (RFC 1945 4.1)."""
    method, _, rest = line.rstrip(b"\r\n").partition(b" ")
    rest = rest.strip(b" \t")
    target, _, protocol = rest.rpartition(b" ")
    said = _PROTOCOL.fullmatch(protocol)
    if said and target and method != b"PRI":  # PRI is how HTTP/2 begins (RFC 9113 3.4)
        return RequestLine(text(method), text(target.rstrip(b" \t")), text(said[1]))
    bare = method == b"GET" and not target and rest.startswith((b"/", b"http://"))
    return RequestLine("GET", text(rest), "0.9") if bare else None


def status_line(line: bytes) -> StatusLine | None:
    """Read a status line (RFC 9112 4)."""
    said = _STATUS.match(line)
    return StatusLine(text(said[1]), int(said[2])) if said else None


def may_begin(side: Side, octets: bytes | bytearray) -> bool:
    """Whether a start line may begin with these octets, however few they are."""
    if side is Side.ORIG:
        return _REQUEST_BEGINS.match(octets) is not None
    return not octets or _STATUS_BEGINS.match(octets) is not None


def wrong_after(side: Side, octets: bytes | bytearray) -> int | None:
    """After how many octets they begin no start line; None as long as they may."""
    if may_begin(side, octets):
        return None
    return next(n for n in range(1, len(octets) + 1) if not may_begin(side, octets[:n]))


def looks_like_request(octets: bytes) -> bool:
    """Whether the first octets that a client sent begin an HTTP/1.x (or 0.9) request."""
    start = octets[:MAX_HEAD].lstrip(b"\r\n")
    line, ended, _ = start.partition(b"\n")
    if b" " not in line:
        return not ended and bool(line) and any(method.startswith(line) for method in _METHODS)
    if not _TARGET.match(line):
        return False
    said = request_line(line) if ended else None
    return said is not None and said.version < "2" if ended else True


def looks_like_response(octets: bytes) -> bool:
    """Whether the first octets that a server sent begin an HTTP/1.x response."""
    start = octets[:MAX_HEAD].lstrip(b"\r\n")[:12]
    whole = start + b"HTTP/1.1 200"[len(start) :]
    return bool(start) and re.fullmatch(rb"HTTP/1\.[0-9] [0-9]{3}", whole) is not None


def read_fields(lines: bytes) -> tuple[dict[str, str], list[str]]:
    """Fields by lower-case name (RFC 9112 5), values of one name joined with ", "; and problems.

    A folded line is joined with a space (5.2). White space before a colon, which is forbidden, is
    left out of the name (5.1).
    """
    pieces: dict[bytes, list[bytes]] = {}
    problems: dict[str, None] = {}
    last: list[bytes] | None = None
    seen = False
    for line in lines.split(b"\n"):
        line = line.rstrip(b"\r")
        if not line:
            continue
        if line[0] in b" \t":
            if last is not None:
                last += [b" ", line.strip(b" \t")]
            elif not seen:
                problems[FOLD_FIRST] = None
            continue
        seen, last = True, None
        name, colon, value = line.partition(b":")
        bare = name.rstrip(b" \t").lower()
        if not colon or not bare:
            problems[NO_COLON] = None
            continue
        if len(bare) != len(name):
            problems[SPACE_BEFORE_COLON] = None
        if bare in pieces:
            last = pieces[bare]
            last += [b", ", value.strip(b" \t")]
        elif len(pieces) < MAX_FIELDS or bare in _ALWAYS_KEPT:
            last = pieces[bare] = [value.strip(b" \t")]
        else:
            problems[TOO_MANY_FIELDS] = None
    return {text(name): text(b"".join(value)) for name, value in pieces.items()}, list(problems)


class Framing(NamedTuple):
    """How the content ends: after `length` octets; None: with the connection, unless `chunked`.

    `known` is false where nothing says where a request ends.
    """

    length: int | None = 0
    chunked: bool = False
    known: bool = True


NOTHING = Framing()
TO_THE_CLOSE = Framing(None)
CHUNKED = Framing(None, chunked=True)
UNKNOWN = Framing(known=False)


def framing(
    fields: dict[str, str], version: str | None, response: bool
) -> tuple[Framing, list[str]]:
    """Framing by the fields alone (RFC 9112 6.3, from rule 3), and problems.

    Where the fields contradict themselves, a response ends with its connection, and the end of a
    request is unknown. The old coding "identity" (RFC 2616 3.6) counts as none.
    """
    otherwise = TO_THE_CLOSE if response else UNKNOWN
    problems = []
    codings = [each.strip(" \t").lower() for each in fields.get("transfer-encoding", "").split(",")]
    codings = [each for each in codings if each not in ("", "identity")]
    length = fields.get("content-length")
    if codings:
        if length is not None:
            problems.append(BOTH)
        if version == "1.0":
            problems.append(OLD_CHUNKED)
        if codings[-1] == "chunked":
            return CHUNKED, problems
        return otherwise, [*problems, NOT_CHUNKED]
    if length is None:
        return (TO_THE_CLOSE if response else NOTHING), problems
    values = {each.strip(" \t") for each in length.split(",")}
    if not all(each.isascii() and each.isdigit() for each in values):
        return otherwise, [NO_NUMBER]
    numbers = {each.lstrip("0") or "0" for each in values}
    if len(numbers) > 1:
        return otherwise, [DIFFERENT]
    number = numbers.pop()
    if len(number) > 19 or int(number) > MAX_LENGTH:
        return otherwise, [OVERFLOW]
    return Framing(int(number)), problems
