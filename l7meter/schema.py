"""The columns of the record, once.

One row is one HTTP exchange (request and final response). A *said* column holds what the source
wrote and is never changed afterwards; a *concluded* column holds what l7meter made of it and can be
recomputed. Null means "the source did not say"; zero means "measured, and it was zero".

Names follow one mechanical rule: the OpenTelemetry attribute with `http.` dropped and dots turned
into underscores; where OpenTelemetry has none, the ECS field; else ours. Arrow, Polars, DuckDB and
the table in the documentation are all derived from `RECORD`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

import polars as pl
import pyarrow as pa

from l7meter.columns import without_nulls

Kind = Literal["said", "concluded"]
Type = Literal["timestamp", "date", "string", "int16", "int32", "int64", "double", "bool"]
EXCHANGE_KINDS = pl.Enum(["http", "tls", "quic", "tunnel", "remainder"])
LARGEST = 2**53  # 9 PB; beyond, a said number is garbage, and JSON's are not exact (RFC 7493 §2.2)


class Column(NamedTuple):
    """One column: its name, type, whether it was said or concluded, and what it means."""

    name: str
    type: Type
    kind: Kind
    meaning: str
    origin: str  # the OpenTelemetry attribute or ECS field it is named after, "" if ours
    fields: Mapping[str, Type] = MappingProxyType({})  # of an object that is kept as JSON text

    @property
    def arrow(self) -> pa.DataType:
        """The Arrow type."""
        return _ARROW[self.type]

    @property
    def polars(self) -> pl.DataType:
        """The Polars type."""
        return _POLARS[self.type]

    @property
    def duckdb(self) -> str:
        """The DuckDB type."""
        return _DUCKDB[self.type]

    @property
    def type_name(self) -> str:
        """The type as people read it: an object is a `struct`."""
        return f"struct({', '.join(self.fields)})" if self.fields else self.type

    @property
    def shown(self) -> str:
        """The DuckDB type that the views of a store have."""
        fields = ", ".join(f"{name} {kind}" for name, kind in self.duckdb_fields.items())
        return f"STRUCT({fields})" if fields else self.duckdb

    @property
    def duckdb_fields(self) -> dict[str, str]:
        """The DuckDB types of the object's fields; empty for what is no object."""
        return {name: _DUCKDB[kind] for name, kind in self.fields.items()}


_ARROW: dict[str, pa.DataType] = {
    "timestamp": pa.timestamp("us", tz="UTC"),
    "date": pa.date32(),
    "string": pa.string(),
    "int16": pa.int16(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "double": pa.float64(),
    "bool": pa.bool_(),
}
_POLARS: dict[str, pl.DataType] = {
    "timestamp": pl.Datetime("us", "UTC"),
    "date": pl.Date(),
    "string": pl.String(),
    "int16": pl.Int16(),
    "int32": pl.Int32(),
    "int64": pl.Int64(),
    "double": pl.Float64(),
    "bool": pl.Boolean(),
}
_DUCKDB: dict[str, str] = {
    "timestamp": "TIMESTAMP WITH TIME ZONE",
    "date": "DATE",
    "string": "VARCHAR",
    "int16": "SMALLINT",
    "int32": "INTEGER",
    "int64": "BIGINT",
    "double": "DOUBLE",
    "bool": "BOOLEAN",
}


# What structured agents tell. Kept as JSON text, where fields that are null are left out: one column to
# code and write; the views of a store and what leaves l7meter have it as a structure.
DETAILS: dict[str, Type] = {
    "ci_name": "string",  # github-actions; of Bundler all that it sees: github,ci
    "command": "string",  # pip install
    "installer_name": "string",  # pip
    "installer_version": "string",
    "language_name": "string",  # where it is told apart from the runtime: Python
    "language_version": "string",
    "runtime_name": "string",  # CPython, node, Java, jruby, OTP
    "runtime_version": "string",
    "os_name": "string",  # Linux
    "os_version": "string",  # of the kernel as a rule
    "distribution_name": "string",  # Debian GNU/Linux
    "distribution_version": "string",
    "cpu_architecture": "string",  # x86_64
    "libc_name": "string",  # glibc, musl; of Ruby's platform gnu
    "libc_version": "string",
    "tls_library": "string",  # OpenSSL 3.0.19 27 Jan 2026
    "compiler": "string",  # rustc 1.75.0
    "workspaces": "bool",  # whether npm ran for workspaces
}


def _said(name: str, type_: Type, meaning: str, origin: str = "") -> Column:
    return Column(name, type_, "said", meaning, origin)


def _concluded(name: str, type_: Type, meaning: str, origin: str = "", **fields: Type) -> Column:
    return Column(name, type_, "concluded", meaning, origin, MappingProxyType(fields))


# fmt: off
RECORD: tuple[Column, ...] = (
    _said("ts", "timestamp", "Instant of the exchange, UTC, µs; the format says which moment (start where it can).", "@timestamp"),
    _said("duration", "double", "How long the exchange took, in seconds.", "http.server.request.duration"),
    _said("client_address", "string", "Address (or name, or `unix:`) of the client as logged, port and brackets removed; behind trusted hops, the entry of `forwarded_for` they vouch for.", "client.address"),
    _said("client_port", "int32", "TCP or UDP port of the client.", "client.port"),
    _said("network_peer_address", "string", "Peer of the connection, where it is not the client (a trusted proxy).", "network.peer.address"),
    _said("forwarded_for", "string", "The X-Forwarded-For list as logged, in captures with the client of a PROXY header as its last: a claim of the peer.", "http.request.header.x-forwarded-for"),
    _said("server_address", "string", "Host the request was for, or the server's address.", "server.address"),
    _said("server_port", "int32", "Port of the server.", "server.port"),
    _said("url_scheme", "string", "`http` or `https`.", "url.scheme"),
    _said("url_original", "string", "Request target as seen (path and query, absolute URL, or host:port); the log's own escaping undone once, percent-encoding kept.", "url.original"),
    _said("request_method", "string", "Method, its case kept.", "http.request.method"),
    _said("network_protocol_version", "string", "HTTP version: `0.9`, `1.0`, `1.1`, `2`, `3`.", "network.protocol.version"),
    _said("response_status_code", "int16", "Status code of the final response; null where none was sent.", "http.response.status_code"),
    _said("request_size", "int64", "Octets of the request message: start line, fields and content.", "http.request.size"),
    _said("request_body_size", "int64", "Octets of the request content.", "http.request.body.size"),
    _said("response_size", "int64", "Octets of the response message as sent: status line, fields and framed content.", "http.response.size"),
    _said("response_body_size", "int64", "Octets of the response content as sent: after content coding, without fields and framing.", "http.response.body.size"),
    _said("response_header_content_length", "int64", "Content-Length the response announced, sent or not.", "http.response.header.content-length"),
    _said("server_wire_bytes", "int64", "Octets of all IP packets sent by the server, retransmissions included (captures).", ""),
    _said("client_wire_bytes", "int64", "Octets of all IP packets sent by the client, retransmissions included (captures).", ""),
    _said("missing_bytes", "int64", "Octets that were acknowledged but not captured (captures).", ""
    ),
    _said("cache_status", "string", "What the cache said of the exchange, in its own word (`HIT`, `MISS`, `RefreshHit`, ...).", ""),
    _said("content_type", "string", "Media type of the response.", "http.response.header.content-type"
    ),
    _said("content_encoding", "string", "Content coding of the response.", "http.response.header.content-encoding"),
    _said("range_requested", "string", "Range field of the request.", "http.request.header.range"),
    _said("referrer", "string", "Referer field of the request.", "http.request.referrer"),
    _said("user_agent_original", "string", "User-Agent field of the request.", "user_agent.original"
    ),
    _said("user_name", "string", "Name of the credential used, never its secret.", "user.name"),
    _said("tls_version", "string", "TLS version as logged (`TLSv1.3`).", "tls.protocol.version"),
    _said("tls_server_name", "string", "Server name the client asked for in the TLS handshake (SNI).", "tls.client.server_name"),
    _said("tls_fingerprint", "string", "JA4 fingerprint of the client's TLS handshake.", "tls.client.ja4"),
    _said("exchange_kind", "string", "`http`; from captures also `tls`, `quic`, `tunnel`, `remainder`.", ""),
    _said("complete", "bool", "Whether the whole response was delivered; null where the source cannot tell.", ""),
    _said("sample_weight", "double", "How many exchanges this record stands for; null where the source is not sampled.", ""),
    _said("source_id", "string", "Identity of the source by its content: key of the table `sources`.", ""),
    _said("source_line", "int64", "Line in the source, from 1 (captures: number of the first packet).", ""),
    _concluded("server_bytes", "int64", "The best measure the source offers of the octets sent to the client.", ""),
    _concluded("server_bytes_basis", "string", "What `server_bytes` counts: `wire`, `message`, `content`, `declared`, `tls`.", ""),
    _concluded("client_network", "string", "Network of the client in the reference data, as a prefix or a range.", ""),
    _concluded("client_asn", "int64", "Number of the autonomous system that held the address.", "client.as.number"),
    _concluded("client_as_name", "string", "Name of that autonomous system, as registered.", "client.as.organization.name"),
    _concluded("organization", "string", "Organisation that holds the network; a provider is named as a provider.", ""),
    _concluded("parent_organization", "string", "Organisation that owns it, where that is another.", ""),
    _concluded("organization_method", "string", "How it was found: `declared`, `published`, `registry`, `as_name`, `none`.", ""),
    _concluded("network_kind", "string", "`cloud`, `hosting`, `cdn`, `ci`, `access`, `education`, `government`, `enterprise`, `research`, `registry-mirror`, `special`, `unknown`.", ""),
    _concluded("attributable", "bool", "Whether the organisation is the user, and not merely the provider of the network.", ""),
    _concluded("shared_egress", "string", "Where many users stand behind one address: `cgnat`, `ci`, `proxy`, `vpn`, `tor`; null where that is not known.", ""),
    _concluded("agent_name", "string", "Name of the software that asked.", "user_agent.name"),
    _concluded("agent_version", "string", "Its version.", "user_agent.version"),
    _concluded("agent_kind", "string", "`package-manager`, `os-package-manager`, `container`, `repository-manager`, `mirror`, `dependency-bot`, `scanner`, `ci`, `ai-crawler`, `ai-agent`, `search-crawler`, `browser`, `http-library`, `monitor`, `unknown`.", ""),
    _concluded("agent_ci", "bool", "True where the agent says that it runs in CI, false where it says that it does not, null where it does not say.", ""),
    _concluded("agent_verification", "string", "Of an agent that says it is a company's robot: `verified` where the company publishes the address as the robot's, `claimed` where it does not, `unverifiable` where it publishes none.", ""),
    _concluded("agent_details", "string", "What a structured agent tells beside name and version: its fields, null where it tells nothing.", "", **DETAILS),
    _concluded("url_path", "string", "Path of the request target, without query; percent-encoding kept.", "url.path"),
    _concluded("package_ecosystem", "string", "The registry's ecosystem, as a purl type: `pypi`, `npm`, `maven`, `gem`, `cargo`, `golang`, `oci`, `deb`, `rpm`, ... (docs/layouts.md).", ""),
    _concluded("package_name", "string", "Package, normalised by the ecosystem's own rule, namespace included.", "package.name"),
    _concluded("package_version", "string", "Version of the package.", "package.version"),
    _concluded("artifact_kind", "string", "`artifact`, `metadata`, `index`, `sidecar`, `other`.", ""
    ),
    _concluded("artifact_type", "string", "The registry's own word for the type of the file: `wheel`, `jar`, `deb`, `blob`.", ""
    ),
    _concluded("purl", "string", "Package URL of the artifact (ECMA-427).", ""),
    _concluded("is_download", "bool", "A complete, successful delivery of an artifact. Byte metering never depends on it.", ""),
    _concluded("attribution_id", "string", "The reference data and rules that made the concluded columns.", ""),
)
# fmt: on

COLUMNS: dict[str, Column] = {column.name: column for column in RECORD}
SAID: tuple[str, ...] = tuple(column.name for column in RECORD if column.kind == "said")
CONCLUDED: tuple[str, ...] = tuple(column.name for column in RECORD if column.kind == "concluded")
ARROW = pa.schema([pa.field(column.name, column.arrow) for column in RECORD])
POLARS = pl.Schema({column.name: column.polars for column in RECORD})


def opened_type(name: str) -> pl.Struct:
    """The structure of a column that is kept as JSON text."""
    return pl.Struct({field: _POLARS[kind] for field, kind in COLUMNS[name].fields.items()})


def opened(records: pl.DataFrame) -> pl.DataFrame:
    """The records, objects that are kept as JSON text as structures."""
    return records.with_columns(
        pl.col(name).cast(pl.String).str.json_decode(opened_type(name))
        for name, column in COLUMNS.items()
        if column.fields and name in records.columns
    )


def closed(records: pl.DataFrame) -> pl.DataFrame:
    """The records, structures as the JSON text that is kept: `opened` undone."""
    return records.with_columns(
        pl.when(pl.col(name).is_not_null()).then(without_nulls(pl.col(name).struct.json_encode()))
        for name, column in COLUMNS.items()
        if column.fields and isinstance(records.schema.get(name), pl.Struct)
    )
