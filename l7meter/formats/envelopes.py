"""What a logging system writes around the lines of a server: taken off, a block at a time.

`detection` says of a source whether it is in one. A line that is not stays as it is, and every line
keeps its number.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from l7meter.formats.contract import Format, Raw, Reader, Segment
from l7meter.formats.jsonfield import lines_in
from l7meter.formats.lines import Lines
from l7meter.sources import Block

_TIME = rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?"
_TAG = rb"(?:[^\s:\[]+ )?[^\s:\[]+(?:\[[^\]\n]*\])?: ?"
_HEADS = {
    "containerd's and CRI-O's head": _TIME + rb" (?:stdout|stderr) [FP](?::\S*)? ",
    "a syslog head": rb"<\d{1,3}>1 \S+ \S+ \S+ \S+ \S+ (?:-|(?:\[(?:[^\]\\\n]|\\.)*\])+) ?(?:\xef\xbb\xbf)?",
    "an old syslog head": rb"(?:<\d{1,3}>)?(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|" + _TIME + rb") " + _TAG,
    "the name of a container": rb"\[?[\w./-]+(?:\]| +\|) ",
    "a time": _TIME + rb" ",
}  # fmt: skip
_FIELDS = {
    "log": "Docker, Fluent Bit",
    "message": "Beats, Logstash, Vector, CloudWatch",
    "MESSAGE": "journald",
    "line": "Loki",
    "textPayload": "Google Cloud",
    "jsonPayload": "Google Cloud",
    "_raw": "Splunk",
    "event": "Splunk",
    "event.original": "Elastic",
    "_source": "Elasticsearch",
    "short_message": "Graylog",
}


@dataclass(frozen=True)
class Envelope:
    """One kind: its name, and what gives the octets of a block without it."""

    name: str
    opened: Callable[[bytes], bytes]


class Enveloped:
    """Reads what is inside of an envelope with another reader."""

    def __init__(self, reader: Reader, envelope: Envelope) -> None:
        self.inner = reader
        self.envelope = envelope

    def cut(self, block: Block, context: Any) -> tuple[list[Segment], Any]:
        """As the reader cuts what is inside."""
        return self.inner.cut(block._replace(data=self.envelope.opened(block.data)), context)

    def might(self, _: str) -> bool:
        """Told from whole lines only."""
        return True

    def read(self, segment: Segment, lines: Lines) -> Raw:
        """As the reader reads what is inside."""
        return self.inner.read(segment, lines)


def around(format_: Format, envelope: Envelope) -> Format:
    """The format with its lines in an envelope."""
    return replace(format_, reader=Enveloped(format_.reader, envelope))


def _head(pattern: bytes) -> Callable[[bytes], bytes]:
    head = re.compile(rb"^" + pattern, re.MULTILINE)
    return lambda data: head.sub(b"", data)


def _field(name: str) -> Callable[[bytes], bytes]:
    path = name.split(".")
    there = re.compile(b".*?".join(rb'"%s"\s*:' % part.encode() for part in path))
    return lambda data: lines_in(data, path) if there.search(data) else data


ENVELOPES = (
    *(
        Envelope(f"the JSON field {field} ({systems})", _field(field))
        for field, systems in _FIELDS.items()
    ),
    *(Envelope(name, _head(pattern)) for name, pattern in _HEADS.items()),
)
