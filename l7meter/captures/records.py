"""Exchanges and closed connections as rows of the record."""

from __future__ import annotations

import base64
import binascii
import ipaddress
from collections.abc import Sequence
from typing import Any

import polars as pl

from l7meter.captures.base import Endpoint, Moment, Side, text
from l7meter.captures.client_hello import ClientHello
from l7meter.captures.exchange import Exchange
from l7meter.captures.tls import Tls
from l7meter.schema import COLUMNS, EXCHANGE_KINDS, LARGEST

FILLED = (
    "ts", "duration", "client_address", "client_port", "forwarded_for", "server_address", "server_port",
    "url_scheme", "url_original", "request_method", "network_protocol_version", "response_status_code",
    "request_size", "request_body_size", "response_size", "response_body_size",
    "response_header_content_length", "server_wire_bytes", "client_wire_bytes", "missing_bytes",
    "cache_status", "content_type", "content_encoding", "range_requested", "referrer",
    "user_agent_original", "user_name", "tls_version", "tls_server_name", "tls_fingerprint",
    "exchange_kind", "complete", "source_line",
)  # fmt: skip
SCHEMA = pl.Schema(
    {name: EXCHANGE_KINDS if name == "exchange_kind" else COLUMNS[name].polars for name in FILLED}
)
NOTHING = SCHEMA.to_frame()
_CACHE = ("cf-cache-status", "x-cache", "x-cache-status", "cdn-cache", "cache-status")


class Rows:
    """Rows and small frames that come together to a frame."""

    def __init__(self) -> None:
        self._rows: list[dict[str, Any]] = []
        self._frames: list[pl.DataFrame] = []

    def __len__(self) -> int:
        return len(self._rows) + sum(frame.height for frame in self._frames)

    def add(self, row: dict[str, Any]) -> None:
        """One more row; columns that it lacks are null."""
        self._rows.append(row)

    def extend(self, frame: pl.DataFrame) -> None:
        """More rows, as the columns of `SCHEMA`."""
        self._frames.append(frame)

    def take(self) -> pl.DataFrame:
        """The rows so far, as the columns of `SCHEMA`."""
        rows, frames, self._rows, self._frames = self._rows, self._frames, [], []
        columns = {
            name: pl.Series([row.get(name) for row in rows], dtype=kind, strict=True)
            for name, kind in SCHEMA.items()
        }
        return pl.concat([pl.DataFrame(columns), *frames])


def address(packed: bytes) -> str:
    """The text of an address; `2001:db8::1` for IPv6 (RFC 5952)."""
    return str(ipaddress.ip_address(packed))


def span(first: Moment, last: Moment | None) -> dict[str, Any]:
    """When it began (µs), how long it took (s), and its first packet."""
    taken = (last.time - first.time) / 1e9 if last else None
    return {"ts": first.time // 1000, "duration": taken, "source_line": first.packet}


def exchange(of: Exchange) -> dict[str, Any]:
    """What an HTTP exchange says; the connection adds who and the octets of its packets."""
    asked, answered = of.request_fields, of.response_fields
    first = min(m for m in (of.request_start, of.response_start) if m is not None)
    last = max((m for m in (of.request_end, of.response_end) if m is not None), default=None)
    return {
        **span(first, last),
        "server_address": _host(asked.get("host")),
        "url_original": of.target,
        "request_method": of.method,
        "network_protocol_version": of.version or of.response_version,
        "response_status_code": of.status,
        "request_size": of.request_size if of.request_start else None,
        "request_body_size": of.request_body_size if of.request_start else None,
        "response_size": of.response_size if of.response_start else None,
        "response_body_size": of.response_body_size if of.response_start else None,
        "response_header_content_length": _length(answered.get("content-length")),
        "missing_bytes": of.request_missing + of.response_missing,
        "cache_status": next((answered[name] for name in _CACHE if name in answered), None),
        "content_type": answered.get("content-type"),
        "content_encoding": answered.get("content-encoding"),
        "range_requested": asked.get("range"),
        "referrer": asked.get("referer"),
        "user_agent_original": asked.get("user-agent"),
        "user_name": _user(asked.get("authorization")),
        "forwarded_for": asked.get("x-forwarded-for"),
        "exchange_kind": "http",
        "complete": of.complete,
    }


def unread(
    kind: str, first: Moment, last: Moment, octets: Sequence[int], missing: int | None
) -> dict[str, Any]:
    """What is no exchange: a closed connection, a tunnel, a remainder; octets by side."""
    return {
        **span(first, last),
        "exchange_kind": kind,
        "request_size": octets[Side.ORIG],
        "response_size": octets[Side.RESP],
        "missing_bytes": missing,
    }


def tls(connection: Tls) -> dict[str, Any]:
    """What a TLS connection says in the clear."""
    hello = connection.hello
    return {
        **greeting(hello),
        "tls_version": connection.version or (hello.version if hello else None),
        "request_body_size": connection.application[Side.ORIG],
        "response_body_size": connection.application[Side.RESP],
    }


def greeting(hello: ClientHello | None) -> dict[str, Any]:
    """What the ClientHello of a connection says of it, if it was seen."""
    name = hello.server_name if hello else None
    return {
        "url_scheme": "https",
        "tls_server_name": name,
        "tls_fingerprint": hello.ja4 if hello else None,
        "server_address": name,
    }


def between(row: dict[str, Any], client: Endpoint, server: Endpoint) -> dict[str, Any]:
    """The row with who spoke to whom; a server that the row names keeps its name."""
    row["client_address"], row["client_port"] = address(client[0]), client[1]
    row["server_address"] = row.get("server_address") or address(server[0])
    row["server_port"] = server[1]
    return row


def behind(row: dict[str, Any], client: str | None) -> None:
    """Add the client whom a load balancer names: the last of those that the request names."""
    if client:
        named = row.get("forwarded_for")
        row["forwarded_for"] = f"{named}, {client}" if named else client


def _host(field: str | None) -> str | None:
    """The host of a Host field (RFC 9110 section 7.2); the port is the connection's."""
    host, colon, port = (field or "").rpartition(":")
    if colon and host and port.isascii() and port.isdigit():
        return host.strip("[]")
    return (field or "").strip("[]") or None


def _length(field: str | None) -> int | None:
    if field is None or not (field.isascii() and field.isdigit()):
        return None
    digits = field.lstrip("0")[: len(str(LARGEST)) + 1]
    return length if (length := int(digits or "0")) <= LARGEST else None


def _user(field: str | None) -> str | None:
    """The user of Basic authentication (RFC 7617); never the password."""
    scheme, _, credentials = (field or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        pair = base64.b64decode(credentials.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    user, colon, _ = pair.partition(b":")
    return text(user) if colon and user else None
