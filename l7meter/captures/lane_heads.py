"""Heads of the fast lane: what recurs is read once, by the exact path's own readers.

Of a request the line and the fields recur apart from each other: a client asks for many targets, and
a target is asked for by many clients. A response recurs but for its date.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import polars as pl

from l7meter.captures import records
from l7meter.captures.base import Moment
from l7meter.captures.exchange import Exchange
from l7meter.captures.heads import (
    NOTHING,
    framing,
    looks_like_request,
    read_fields,
    request_line,
    status_line,
)
from l7meter.captures.octets import Met, beside, find, stretches
from l7meter.captures.window import Integers

LINE = ("url_original", "request_method", "network_protocol_version")
FIELDS = ("server_address", "range_requested", "referrer", "user_agent_original", "user_name", "forwarded_for")  # fmt: skip
RESPONSE = ("response_status_code", "response_header_content_length", "cache_status", "content_type", "content_encoding")  # fmt: skip
COLUMNS = (LINE, FIELDS, RESPONSE)
KEPT = 100_000  # distinct ones that are remembered
OCTETS = 64 << 20  # of them
NONE = -1  # no length: the head is not for the lane
_DATE = b"\r\nDate: "
_DATE_SIZE = len("Sun, 06 Nov 1994 08:49:37 GMT")  # RFC 9110 section 5.6.7
_CR, _LF, _SPACE = b"\r\n "
_EMPTY = b"\r\n\r\n"
MOST = 320  # octets of the longest of common heads
_END = re.compile(rb"\n\r?\n")
_BEGIN = Moment(0, 0)


class Heads:
    """Distinct request lines, request fields and responses: `rows` hold the columns of each."""

    def __init__(self) -> None:
        self.rows: tuple[list[dict[str, Any]], ...] = ([], [], [])
        self.fit: list[bool] = []  # lines for the lane
        self.bare: list[bool] = []  # lines whose response has no content: HEAD
        self.plain: list[bool] = []  # fields for the lane: of a request without content
        self.lengths: list[int] = []  # content of responses, NONE: not for the lane
        self.empty: list[bool] = []  # responses that have no content whatever they announce
        self._lines, self._fields, self._before, self._behind = Met(), Met(), Met(), Met()
        self._responses: dict[int, int] = {}  # by the numbers of what is before and behind the date
        self._tables = tuple(_table(rows, names) for rows, names in zip(self.rows, COLUMNS, strict=True))  # fmt: skip

    @property
    def many(self) -> bool:
        """Whether it is time to let go of them."""
        octets = sum(met.octets for met in (self._lines, self._fields, self._before, self._behind))
        return octets > OCTETS or max(len(rows) for rows in self.rows) > KEPT

    def tables(self) -> tuple[pl.DataFrame, ...]:
        """`rows` as frames."""
        self._tables = tuple(
            pl.concat([table, _table(rows[table.height :], names)], rechunk=True)
            for table, rows, names in zip(self._tables, self.rows, COLUMNS, strict=True)
        )
        return self._tables

    def requests(
        self, data: memoryview, start: Integers, size: Integers
    ) -> tuple[Integers, Integers]:
        """The numbers of the lines of the requests that stand there, and of their fields."""
        behind = start + size
        end = find(data, start, behind, b"\n")
        end = np.where(end < 0, behind - 1, end)
        lines, fresh = self._lines.numbers(stretches(data, start, end - start))
        for line in fresh:
            self._read_line(line)
        fields, fresh = self._fields.numbers(stretches(data, end + 1, behind - end - 1))
        for each in fresh:
            self._read_fields(each)
        return lines, fields

    def responses(
        self, data: memoryview, start: Integers, behind: Integers
    ) -> tuple[Integers, Integers]:
        """The numbers of the responses' heads that begin there, and how long these are; 0: no end."""
        end = find(data, start, behind, _EMPTY, MOST)
        end = np.where(end < 0, start, end + len(_EMPTY))
        date = find(data, start, end, _DATE)
        after = date + len(_DATE) + _DATE_SIZE
        dated = (date >= 0) & (after + 2 <= end)
        said = beside(data, date[dated] + len(_DATE), _DATE_SIZE + 2)
        dated[dated] = (said[:, :-2] >= _SPACE).all(axis=1) & (said[:, -2:] == (_CR, _LF)).all(
            axis=1
        )
        date, after = np.where(dated, date, end), np.where(dated, after, end)
        before, _ = self._before.numbers(stretches(data, start, date - start))
        behind, _ = self._behind.numbers(stretches(data, after, end - after))
        both, first, places = np.unique(before << 32 | behind, return_index=True, return_inverse=True)  # fmt: skip
        for each, row in zip(both.tolist(), first.tolist(), strict=True):
            if each not in self._responses:
                self._responses[each] = len(self._responses)
                self._read_response(
                    bytes(data[start[row] : date[row]]) + data[after[row] : end[row]]
                )
        numbers = np.array([self._responses[each] for each in both.tolist()], np.int64)
        return numbers[places], end - start

    def _read_line(self, line: bytes) -> None:
        said = request_line(line) if line.endswith(b"\r") else None
        method, target, version = said or (None, None, None)
        asks = method in ("GET", "HEAD") and version in ("1.0", "1.1")
        self.fit.append(asks and looks_like_request(line + b"\n"))
        self.bare.append(method == "HEAD")
        self._keep(0, Exchange(method, target, version, request_start=_BEGIN))

    def _read_fields(self, lines: bytes) -> None:
        fields, problems = read_fields(lines)
        how, more = framing(fields, "1.1", response=False)
        plain = not (problems or more) and how == NOTHING and "upgrade" not in fields
        self.plain.append(plain and _ends(b"\n" + lines))
        self._keep(1, Exchange(request_fields=fields, request_start=_BEGIN))

    def _read_response(self, head: bytes) -> None:
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
        self._keep(2, made)

    def _keep(self, kind: int, exchange: Exchange) -> None:
        row = records.exchange(exchange)
        self.rows[kind].append({name: row[name] for name in COLUMNS[kind]})


def _table(rows: list[dict[str, Any]], names: tuple[str, ...]) -> pl.DataFrame:
    kinds = {name: records.SCHEMA[name] for name in names}
    return pl.DataFrame(rows, schema=kinds, orient="row")


def _ends(head: bytes) -> bool:
    """Whether the head's empty line is its last, and no earlier one ends it."""
    end = _END.search(head)
    return end is not None and end.end() == len(head)
