"""JSON that is not one object a line (an array, `{"records": [...]}`, indented, or one behind the other), made so.

What is no object is passed on as a line of its own, so that nothing is lost.
"""

from __future__ import annotations

import json
import re
from codecs import getincrementaldecoder
from collections.abc import Iterable, Iterator
from itertools import chain

from l7meter.sources.blocks import MAX_LINE

_CLOUDWATCH = (  # what stands before the events of a subscription
    r'(?:"(?:messageType|owner|logGroup|logStream)"\s*:\s*"[^"\n]*"\s*,\s*'
    r'|"subscriptionFilters"\s*:\s*\[[^\]\n]*\]\s*,\s*)*'
)
_WRAPPER = re.compile(
    r"\{\s*" + _CLOUDWATCH + r'"(?:[Rr]ecords|value|entries|items|logs|data|results?|events|logEvents)"'
    r"\s*:\s*\[(?=\s*[{\]])"
)  # fmt: skip
_FOLDED = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:\[\s*\{|\{[ \t]*\r?\n|" + _WRAPPER.pattern.encode() + rb")")  # fmt: skip
_BEHIND = re.compile(rb"\}\s*\{")
_BETWEEN = re.compile(r"[\s,\[\]}]*")
_NEXT = {
    True: re.compile(r"\}\s*,?\s*(?=\{)"),
    False: re.compile(r"[\r\n]|(?=\{)"),
}  # of an object, of none
_BREAKS = re.compile(r"[\r\n]+")
_DECODER = json.JSONDecoder(strict=False)


def is_folded(start: bytes) -> bool:
    """Whether a source that starts so is JSON, but not one object a line."""
    if _FOLDED.match(start):
        return True
    return start.startswith(b"{") and b"\n" not in start and _BEHIND.search(start) is not None


def unfolded(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The objects, one a line. Slow: each is read for its end."""
    decoder = getincrementaldecoder("utf-8-sig")("surrogateescape")
    text = ""
    for piece in chain(pieces, [None]):
        text += decoder.decode(piece or b"", final=piece is None)
        lines, place = _lines(text, final=piece is None)
        text = text[place:]
        if lines:
            yield "".join(lines).encode("utf-8", "surrogateescape")


def _lines(text: str, *, final: bool) -> tuple[list[str], int]:
    """The lines that the text holds, and where what may go on begins."""
    lines: list[str] = []
    place = 0
    while True:
        place = _past(text, place)
        if place == len(text):
            return lines, place
        if wrapper := _WRAPPER.match(text, place):
            place = wrapper.end()
            continue
        opened = text[place] == "{"
        try:
            end = _DECODER.raw_decode(text, place)[1] if opened else place
        except (ValueError, RecursionError):
            end = place
        if end == place:
            if not final and len(text) - place < MAX_LINE:
                return lines, place  # the rest of it is to come
            found = _NEXT[opened].search(text, place + 1)
            end = found.end() if found else len(text)
        lines.append(_BREAKS.sub(" ", text[place:end]) + "\n")
        place = end


def _past(text: str, place: int) -> int:
    found = _BETWEEN.match(text, place)
    return found.end() if found else place
