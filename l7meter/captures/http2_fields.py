"""Field sections of HTTP/2: gathered from frames, opened, and put into an exchange (RFC 9113 8)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from hpack import Decoder, HPACKError

from l7meter.captures.base import text
from l7meter.captures.exchange import Exchange
from l7meter.captures.http2_frames import PADDED, PRIORITY, Frame, Kind

MAX_FIELDS = 256 << 10  # octets of a field section, compressed or not; an HPACK bomb has more
MAX_TABLE = 1 << 20  # octets; browsers allow servers 64 KiB
VERSION = "2"

Fields = list[tuple[bytes, bytes]]


class FieldsError(ValueError):
    """A field section that cannot be read; after it the connection's compression state is lost."""


@dataclass
class Section:
    """A field section under way: HEADERS or PUSH_PROMISE, then perhaps CONTINUATION frames."""

    opener: Frame
    octets: bytearray = field(default_factory=bytearray)
    promised: int = 0  # stream of a PUSH_PROMISE

    def add(self, octets: bytes) -> None:
        """Take the next octets of a payload."""
        self.octets += octets
        if len(self.octets) > MAX_FIELDS:
            raise FieldsError(f"a field section is longer than {MAX_FIELDS >> 10} KiB")

    def opened(self) -> None:
        """The opener's payload is whole: take off what is around the fields in it (6.2, 6.6)."""
        padded = bool(self.opener.flags & PADDED)
        padding = self.octets[0] if padded and self.octets else 0
        before = int(padded)
        if self.opener.kind == Kind.PUSH_PROMISE:
            self.promised = int.from_bytes(self.octets[before : before + 4], "big") & 0x7FFFFFFF
            before += 4
        elif self.opener.flags & PRIORITY:
            before += 5
        end = len(self.octets) - padding
        if end < before:
            raise FieldsError("padding is longer than its frame")
        self.octets = self.octets[before:end]


class Opener:
    """The compression state of one side (RFC 7541)."""

    def __init__(self) -> None:
        self._decoder = Decoder(max_header_list_size=MAX_FIELDS)
        # the other side's SETTINGS allow a size; what is used is said in the field sections
        self._decoder.max_allowed_table_size = MAX_TABLE

    def open(self, section: Section) -> Fields:
        """Names and values."""
        try:
            fields = self._decoder.decode(bytes(section.octets), raw=True)
            return [(bytes(name), bytes(value)) for name, value, *_ in fields]
        except (HPACKError, IndexError, ValueError) as error:
            raise FieldsError(f"a field section cannot be read ({type(error).__name__})") from None


def put_request(exchange: Exchange, fields: Fields) -> None:
    """The request's pseudo fields and fields (RFC 9113 8.3.1)."""
    pseudo, exchange.request_fields = _sorted_out(fields)
    authority = pseudo.get(":authority")
    exchange.method = pseudo.get(":method")
    exchange.target = pseudo.get(":path", authority)  # CONNECT has no path
    exchange.version = VERSION
    if authority is not None:
        exchange.request_fields["host"] = authority


def status_of(fields: Fields) -> int | None:
    """The status code of a response; None where there is none (of trailers, too)."""
    status = dict(fields).get(b":status", b"")
    return int(status) if len(status) == 3 and status.isdigit() else None


def put_response(exchange: Exchange, fields: Fields) -> None:
    """The final response's status and fields."""
    exchange.status = status_of(fields)
    exchange.response_fields = _sorted_out(fields)[1]
    exchange.response_version = VERSION


def size_of(fields: Iterable[tuple[bytes, bytes]]) -> int:
    """Octets of names and values."""
    return sum(len(name) + len(value) for name, value in fields)


def _sorted_out(fields: Fields) -> tuple[dict[str, str], dict[str, str]]:
    """Pseudo fields, of which the first counts, and fields, of which repeated ones are joined."""
    pseudo: dict[str, str] = {}
    values: dict[str, list[str]] = {}
    for name, value in fields:
        key, said = text(name).lower(), text(value)
        if key.startswith(":"):
            pseudo.setdefault(key, said)
        else:
            values.setdefault(key, []).append(said)
    # the crumbs of a cookie are one (RFC 9113 8.2.3)
    return pseudo, {k: ("; " if k == "cookie" else ", ").join(v) for k, v in values.items()}
