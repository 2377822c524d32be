"""Heads of the fast lane: what recurs is read once, by the exact path's own readers.

Of a request the line and the fields recur apart from each other: a client asks for many targets, and
a target is asked for by many clients. A response recurs but for its date.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from l7meter.captures import records
from l7meter.captures.base import Moment
from l7meter.captures.exchange import Exchange
from l7meter.captures.heads import NOTHING, framing, read_fields, request_line, status_line

LINE = ("url_original", "request_method", "network_protocol_version")
FIELDS = ("server_address", "range_requested", "referrer", "user_agent_original", "user_name", "forwarded_for")  # fmt: skip
RESPONSE = ("response_status_code", "response_header_content_length", "cache_status", "content_type", "content_encoding")  # fmt: skip
COLUMNS = (LINE, FIELDS, RESPONSE)
KEPT = 100_000  # distinct ones that are remembered
NONE = -1  # no length: the head is not for the lane
_DATE = b"\r\nDate: "
_DATE_SIZE = len("Sun, 06 Nov 1994 08:49:37 GMT")  # RFC 9110 section 5.6.7
_END = re.compile(rb"\n\r?\n")
_BEGIN = Moment(0, 0)


class Heads:
    """Distinct request lines, request fields and responses: `rows` hold the columns of each."""

    def __init__(self) -> None:
        self._places: tuple[dict[bytes, int], ...] = ({}, {}, {})
        self.rows: tuple[list[dict[str, Any]], ...] = ([], [], [])
        self.fit: list[bool] = []  # lines for the lane
        self.bare: list[bool] = []  # lines whose response has no content: HEAD
        self.plain: list[bool] = []  # fields for the lane: of a request without content
        self.lengths: list[int] = []  # content of responses, NONE: not for the lane
        self.empty: list[bool] = []  # responses that have no content whatever they announce

    def forget(self) -> None:
        """Let go of the heads when they have become many; between windows only."""
        if max(len(rows) for rows in self.rows) > KEPT:
            self.__init__()  # type: ignore[misc]

    def requests(self, heads: Iterable[bytes]) -> tuple[list[int], list[int]]:
        """The numbers of the requests' lines, and of their fields."""
        line_of, fields_of = self._places[0].get, self._places[1].get
        lines, others = [], []
        for head in heads:
            line, _, fields = head.partition(b"\n")
            place, other = line_of(line), fields_of(fields)
            lines.append(self._read_line(line) if place is None else place)
            others.append(self._read_fields(fields) if other is None else other)
        return lines, others

    def responses(self, heads: Iterable[bytes]) -> list[int]:
        """The numbers of the responses' heads."""
        number_of = self._places[2].get
        numbers = []
        for head in heads:
            before, date, behind = head.partition(_DATE)
            if date and behind[_DATE_SIZE : _DATE_SIZE + 2] == b"\r\n":
                head = before + behind[_DATE_SIZE:]
            number = number_of(head)
            numbers.append(self._read_response(head) if number is None else number)
        return numbers

    def _read_line(self, line: bytes) -> int:
        said = request_line(line) if line.endswith(b"\r") else None
        asks = said is not None and said.method in ("GET", "HEAD")
        self.fit.append(said is not None and asks and said.version in ("1.0", "1.1"))
        self.bare.append(said is not None and said.method == "HEAD")
        method, target, version = said or (None, None, None)
        return self._keep(0, line, Exchange(method, target, version, request_start=_BEGIN))

    def _read_fields(self, lines: bytes) -> int:
        fields, problems = read_fields(lines)
        how, more = framing(fields, "1.1", response=False)
        plain = not (problems or more) and how == NOTHING and "upgrade" not in fields
        self.plain.append(plain and _ends(b"\n" + lines))
        return self._keep(1, lines, Exchange(request_fields=fields, request_start=_BEGIN))

    def _read_response(self, head: bytes) -> int:
        end = head.find(b"\n") + 1
        said = status_line(head[:end])
        fields, problems = read_fields(head[end:])
        how, more = framing(fields, said.version if said else None, response=True)
        status = said.status if said else 0
        empty = status in (204, 304)
        plain = _ends(head) and status >= 200 and not problems and (empty or not more)
        known = how.length is not None and how.known
        self.lengths.append((how.length or 0) if plain and (known or empty) else NONE)
        self.empty.append(empty)
        made = Exchange(status=status or None, response_fields=fields, response_start=_BEGIN)
        return self._keep(2, head, made)

    def _keep(self, kind: int, head: bytes, exchange: Exchange) -> int:
        place = self._places[kind][head] = len(self.rows[kind])
        row = records.exchange(exchange)
        self.rows[kind].append({name: row[name] for name in COLUMNS[kind]})
        return place


def _ends(head: bytes) -> bool:
    """Whether the head's empty line is its last, and no earlier one ends it."""
    end = _END.search(head)
    return end is not None and end.end() == len(head)
