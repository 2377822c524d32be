"""The requests of the `traps/` logs, octet by octet, each named by the phenomenon it shows."""

from __future__ import annotations

import base64
import ssl
from typing import NamedTuple

AGENT = "User-Agent: trap/1.0"


class Phenomenon(NamedTuple):
    """What is sent, and when the client stops listening."""

    name: str
    sent: bytes
    read: int = -1  # octets after which the client resets the connection; -1: reads to the end
    family: str = "ipv4"  # or ipv6, unix
    pause: float = 0.0  # seconds between the first octets read and the rest


def _get(target: str, *fields: str, method: str = "GET", version: str = "HTTP/1.1") -> bytes:
    lines = [f"{method} {target} {version}", "Host: traps.example.org", *fields]
    if not any(field.startswith("User-Agent") for field in fields):
        lines.append(AGENT)
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1")


def _client_hello() -> bytes:
    """The first flight of a TLS client, made without a connection."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = ssl.create_default_context().wrap_bio(
        incoming, outgoing, server_hostname="traps.example.org"
    )
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()
    raise AssertionError("a handshake cannot end without a peer")


def phenomena(origin: str = "") -> list[Phenomenon]:
    """All of them; `origin` stands before each path where the server is a forward proxy."""
    o = origin
    utf8 = "käse".encode().decode("latin-1")
    secret = base64.b64encode(b"j doe:password").decode()
    wrong = base64.b64encode(b"j doe:wrong").decode()
    small = f"{o}/small.txt"
    found = [
        Phenomenon("plain", _get(small)),
        Phenomenon("query", _get(f"{small}?a=1&b=%20%22")),
        Phenomenon("gzip", _get(small, "Accept-Encoding: gzip")),
        Phenomenon("gzip-chunked", _get(f"{o}/long.txt", "Accept-Encoding: gzip")),
        Phenomenon("head", _get(small, method="HEAD")),
        Phenomenon("not-modified", _get(small, "If-None-Match: *")),
        Phenomenon("range", _get(small, "Range: bytes=100-199")),
        Phenomenon("two-ranges", _get(small, "Range: bytes=0-9,20-29")),
        Phenomenon("range-unsatisfiable", _get(small, "Range: bytes=999999-")),
        Phenomenon("empty-content", _get(f"{o}/empty.txt")),
        Phenomenon("not-found", _get(f"{o}/nothing.txt")),
        Phenomenon("redirect", _get(f"{o}/moved")),
        Phenomenon("http-1.0", _get(small, version="HTTP/1.0")),
        Phenomenon("http-0.9", f"GET {small}\r\n".encode()),
        Phenomenon("http-9.9", _get(small, version="HTTP/9.9")),
        Phenomenon("method-lower-case", _get(small, method="get")),
        Phenomenon("method-unknown", _get(small, method="BREW")),
        Phenomenon("post", _get(small, "Content-Length: 5", method="POST") + b"hello"),
        Phenomenon(
            "post-chunked",
            _get(small, "Transfer-Encoding: chunked", method="POST") + b"5\r\nhello\r\n0\r\n\r\n",
        ),
        Phenomenon("target-blanks", _get(f"{o}/a b  c")),
        Phenomenon("target-quote", _get(f'{o}/a"b?c="d"')),
        Phenomenon("target-backslash", _get(f"{o}/a\\b\\x22\\n")),
        Phenomenon("target-utf-8", _get(f"{o}/{utf8}")),
        Phenomenon("target-latin-1", _get(f"{o}/k\xe4se")),
        Phenomenon("target-control", _get(f"{o}/a\x01\x1f\x7fb")),
        Phenomenon("target-percent", _get(f"{o}/a%20b%2Fc%22%00")),
        Phenomenon("target-absolute", _get(f"{o or 'http://traps.example.org'}/small.txt")),
        Phenomenon("target-asterisk", _get("*", method="OPTIONS")),
        Phenomenon("target-authority", _get("traps.example.org:443", method="CONNECT")),
        Phenomenon("target-too-long", _get(f"{o}/{'long/' * 1800}")),
        Phenomenon("agent-quote-backslash", _get(small, 'User-Agent: demo "x" \\ 1 \\x22')),
        Phenomenon("agent-utf-8", _get(small, f"User-Agent: {utf8}/1")),
        Phenomenon("agent-latin-1", _get(small, "User-Agent: k\xe4se/1")),
        Phenomenon("agent-tab", _get(small, "User-Agent: a\tb")),
        Phenomenon("agent-control", _get(small, "User-Agent: a\x01\x1f\x7fb")),
        Phenomenon("agent-empty", _get(small, "User-Agent: ")),
        Phenomenon(
            "agent-missing", b"GET %b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % small.encode()
        ),
        Phenomenon("agent-hyphen", _get(small, "User-Agent: -")),
        Phenomenon("agent-2000-octets", _get(small, "User-Agent: " + "x" * 2000)),
        Phenomenon("agent-pipe-brace", _get(small, "User-Agent: a|b}c{d#e")),
        Phenomenon("referer-blank-quote", _get(small, 'Referer: http://example.org/"a b"')),
        Phenomenon("forwarded-for-list", _get(small, "X-Forwarded-For: 192.0.2.7, 2001:db8::7")),
        Phenomenon("user-with-blank", _get(f"{o}/private/small.txt", f"Authorization: Basic {secret}")),
        Phenomenon("password-wrong", _get(f"{o}/private/small.txt", f"Authorization: Basic {wrong}")),
        Phenomenon("host-missing", b"GET %b HTTP/1.1\r\nConnection: close\r\n\r\n" % small.encode()),
        Phenomenon("two-requests-pipelined", _get(small).replace(b"Connection: close\r\n", b"") + _get(small)),
        Phenomenon("abort-while-downloading", _get(f"{o}/big.bin"), read=100_000),
        Phenomenon("slow-download", _get(f"{o}/huge.bin"), pause=1.5),
        Phenomenon("head-cut-off", b"GET %b HTTP/1.1\r\nHost: tr" % small.encode(), read=0),
        Phenomenon("connect-and-close", b"", read=0),
        Phenomenon("empty-lines", b"\r\n\r\n\r\n"),
        Phenomenon("binary", b"\x00\x01\xfe\xff\x80\r\n\r\n"),
        Phenomenon("tls-to-plain-port", _client_hello()),
        Phenomenon("http-2-preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"),
        Phenomenon("ipv6-client", _get(small), family="ipv6"),
        Phenomenon("unix-client", _get(small), family="unix"),
    ]  # fmt: skip
    if origin:
        authority = origin.removeprefix("http://")
        tunnel = f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode()
        found.append(Phenomenon("tunnel", tunnel + _get("/small.txt")))
    return found
