"""Reads and rewrites two things in a log line and nothing else: the client's address and the time.

All octets outside of the address field and of the time fields stay as the server wrote them. Times
are moved by whole seconds, so fractions of a second stay too.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

UTC = dt.UTC


class Form(NamedTuple):
    """Where a format has its address and its times (one capturing group each)."""

    address: re.Pattern[bytes]
    times: tuple[tuple[re.Pattern[bytes], str], ...]  # pattern, and strptime format or "epoch"


CLF = "%d/%b/%Y:%H:%M:%S %z"
_CLF_TIME = (re.compile(rb"\[(\d\d/\w{3}/\d{4}(?::\d\d){3} [+-]\d{4})\]"), CLF)
FORMS = {
    "clf": Form(re.compile(rb"^(\S+) "), (_CLF_TIME,)),
    "vhost": Form(re.compile(rb"^\S+ (\S+) "), (_CLF_TIME,)),
    "l7meter": Form(
        re.compile(rb"^[^\t]*\t[^\t]*\t([^\t]*)\t"), ((re.compile(rb"^(\d+)\.\d{3}\t"), "epoch"),)
    ),
    "json": Form(
        re.compile(rb'"remote_addr":"([^"]*)"'),
        (
            (re.compile(rb'"msec":"(\d+)\.'), "epoch"),
            (re.compile(rb'"time":"([^"]*)"'), "%Y-%m-%dT%H:%M:%S%z"),
        ),
    ),
    "caddy": Form(
        re.compile(rb'"(?:remote|client)_ip":"([^"]*)"'), ((re.compile(rb'"ts":(\d+)'), "epoch"),)
    ),
    "haproxy": Form(
        re.compile(rb"\]: (\S+):\d+ \["),
        (
            (re.compile(rb" \[(\d\d/\w{3}/\d{4}(?::\d\d){3})\.\d{3}\]"), "%d/%b/%Y:%H:%M:%S"),
            (re.compile(rb"^(\w{3} [ \d]\d \d\d:\d\d:\d\d)"), "%b %d %H:%M:%S"),
        ),
    ),
    "squid": Form(
        re.compile(rb"^\S+ +\d+ (\S+) "), ((re.compile(rb"^(\d+)\.\d{3} "), "epoch"),)
    ),
}  # fmt: skip


def address_of(line: bytes, form: Form) -> str | None:
    """The client's address as logged, None where the line has none."""
    found = form.address.search(line)
    return found[1].decode() if found else None


def epoch_of(line: bytes, form: Form) -> float:
    """Whole seconds since 1970 of the line's first time field."""
    pattern, kind = form.times[0]
    found = pattern.search(line)
    if found is None:
        raise ValueError(f"no time in {line[:200]!r}")
    text = found[1].decode()
    if kind == "epoch":
        return float(text)
    moment = dt.datetime.strptime(text, kind)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def rewrite(line: bytes, form: Form, address: str, shift: int) -> bytes:
    """The line with its address replaced and every time field moved by `shift` seconds."""
    line = _replace(line, form.address, lambda _: address.encode())
    for pattern, kind in form.times:
        line = _replace(line, pattern, partial(_moved, kind=kind, shift=shift))
    return line


def _replace(line: bytes, pattern: re.Pattern[bytes], new: Callable[[bytes], bytes]) -> bytes:
    parts, end = [], 0
    for found in pattern.finditer(line):
        parts += [line[end : found.start(1)], new(found[1])]
        end = found.end(1)
    return b"".join(parts) + line[end:]


def _moved(old: bytes, kind: str, shift: int) -> bytes:
    text = old.decode()
    if kind == "epoch":
        return str(int(text) + shift).encode()
    if kind.startswith("%b %d"):  # syslog: no year, day padded with a blank
        moment = dt.datetime.strptime(f"{dt.datetime.now(UTC).year} {text}", f"%Y {kind}")
        moment += dt.timedelta(seconds=shift)
        return f"{moment:%b} {moment.day:2d} {moment:%H:%M:%S}".encode()
    moment = dt.datetime.strptime(text, kind) + dt.timedelta(seconds=shift)
    new = moment.strftime(kind)
    if kind.startswith("%Y-") and text[-3] == ":":  # strftime writes +0000, nginx +00:00
        new = f"{new[:-2]}:{new[-2:]}"
    return new.encode()
