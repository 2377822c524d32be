"""Sends every phenomenon to every server and notes which lines each exchange left.

The client counts its own octets: `exchanges.tsv` beside the logs is a truth that no server wrote.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from samples.configs import PORTS
from samples.phenomena import Phenomenon, phenomena

QUIET = 0.25  # seconds without a new line after which an exchange's lines are complete
LATE = 1.2  # seconds to wait for a first line before it counts as "logs nothing"


class Target(NamedTuple):
    """A server's trap host: port, the log that counts lines, how the request target begins."""

    port: int
    log: str
    origin: str = ""
    families: tuple[str, ...] = ("ipv4",)


TARGETS = {
    "nginx": Target(PORTS["nginx-traps"], "nginx/traps.combined.log", "", ("ipv4", "ipv6", "unix")),
    "apache": Target(PORTS["apache-traps"], "apache/traps.truth.log", "", ("ipv4", "ipv6")),
    "caddy": Target(PORTS["caddy-traps"], "caddy/traps.log", "", ("ipv4", "ipv6")),
    "haproxy": Target(PORTS["haproxy-traps"], "haproxy/haproxy.log"),
    "squid": Target(
        PORTS["squid"], "squid/access.log", f"http://traps.example.org:{PORTS['origin']}"
    ),
    "varnish": Target(PORTS["varnish"], "varnish/varnishncsa.log"),
}


class Exchange(NamedTuple):
    """What the client saw, and the lines (from 1) that the server's log gained."""

    phenomenon: str
    first_line: int | None
    lines: int
    began: float  # epoch seconds, client's clock, which is the server's
    ended: float
    octets_sent: int
    octets_received: int
    content_received: int | None
    status_line: str
    sent: str


def _connect(target: Target, family: str, work: Path, source: str) -> socket.socket:
    if family == "unix":
        client = socket.socket(socket.AF_UNIX)
        client.connect(str(work / "nginx" / "socket"))
        return client
    if family == "ipv6":
        return socket.create_connection(("::1", target.port))
    return socket.create_connection(("127.0.0.1", target.port), source_address=(source, 0))


def _talk(client: socket.socket, phenomenon: Phenomenon) -> bytes:
    """Send, read to the end or to the limit (then reset), give back what came."""
    received = b""
    client.settimeout(3)
    with contextlib.suppress(OSError):
        client.sendall(phenomenon.sent)
        while phenomenon.read != 0 and (chunk := client.recv(1 << 14)):
            if not received:
                time.sleep(phenomenon.pause)
            received += chunk
            if 0 < phenomenon.read <= len(received):
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                break
    client.close()
    return received


def _count(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def _new_lines(path: Path, before: int) -> int:
    """How many lines the log gained, once it has been quiet for a while."""
    seen, since, end = before, time.monotonic(), time.monotonic() + LATE
    while time.monotonic() < end or (seen > before and time.monotonic() < since + QUIET):
        now = _count(path)
        if now > seen:
            seen, since = now, time.monotonic()
        if seen > before and time.monotonic() > since + QUIET:
            break
        time.sleep(0.03)
    return seen - before


def _content(received: bytes) -> int | None:
    """Octets of content of the one response in `received`, chunked framing removed."""
    head, _, rest = received.partition(b"\r\n\r\n")
    if not received.startswith(b"HTTP/") or b"HTTP/1." in rest:
        return None  # HTTP/0.9, or more than one response
    if b"\r\ntransfer-encoding: chunked" not in head.lower():
        return len(rest)
    total = 0
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        total += int(size, 16)
        rest = rest[int(size, 16) + 2 :]
    return total


def run_server(name: str, target: Target, work: Path, number: int) -> list[Exchange]:
    """All phenomena against one server, one after another."""
    path, exchanges = work / "logs" / target.log, []
    for index, phenomenon in enumerate(phenomena(target.origin)):
        if phenomenon.family not in target.families:
            continue
        before = _count(path)
        source = f"127.9.{number}.{index + 1}"
        client = _connect(target, phenomenon.family, work, source)
        began = time.time()
        received = _talk(client, phenomenon)
        ended = time.time()
        lines = _new_lines(path, before)
        head = received.partition(b"\r\n\r\n")[0]
        is_head = received.startswith(b"HTTP/")
        exchanges.append(
            Exchange(
                phenomenon.name,
                before + 1 if lines else None,
                lines,
                round(began, 3),
                round(ended, 3),
                len(phenomenon.sent),
                len(received),
                _content(received),
                head.split(b"\r\n")[0].decode("latin-1") if is_head else "",
                repr(phenomenon.sent[:300])[2:-1],
            )
        )
    return exchanges


def run(work: Path, servers: list[str]) -> dict[str, list[Exchange]]:
    """Every server at the same time, each in its own thread."""
    with ThreadPoolExecutor() as pool:
        futures = {
            name: pool.submit(run_server, name, TARGETS[name], work, number)
            for number, name in enumerate(TARGETS)
            if name in servers
        }
        return {name: future.result() for name, future in futures.items()}
