"""Clients of the capture lab: `python -m benchmarks.capture_clients PLAN.json`.

Connections side by side, each of one client (an address and an agent that belong together), with a
number of requests one after the other. All is drawn from the plan's seed; the order on the wire is
the network's.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import ssl
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.exchanges import AGENTS

MODIFIED = "Sun, 01 Mar 2026 00:00:00 GMT"  # of all files of the server
NAMES = ("example.org", "files.example.org", "mirror.example.org", "index.example.org")
NOT_MODIFIED_SHARE, MISSING_SHARE = 0.2, 0.04
IPV6_SHARE = 0.1
TLS12_SHARE = 0.2
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass
class Visit:
    """One connection: from which address, and its requests as octets."""

    address: str
    tls12: bool
    name: str
    requests: list[bytes] = field(default_factory=list)


class Client(asyncio.Protocol):
    """Sends a request when the response to the last one is whole."""

    def __init__(self, visit: Visit, done: asyncio.Future[None]) -> None:
        self._requests = iter(visit.requests)
        self._done = done
        self._head = b""
        self._left = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        if self._left:
            self._left -= len(data)
        else:
            self._head += data
            head, end, content = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            self._head = b""
            length = _LENGTH.search(head)  # a 304 has none, and no content
            self._left = (int(length[1]) if length else 0) - len(content)
        if not self._left:
            self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(exc or ConnectionError("the server closed early"))

    def _next(self) -> None:
        request = next(self._requests, None)
        if request is not None:
            self._transport.write(request)
        elif not self._done.done():
            self._done.set_result(None)
            self._transport.close()


def visits(plan: dict[str, Any]) -> Iterator[Visit]:
    """Draw connections until they have `exchanges` requests."""
    draw = random.Random(plan["seed"])
    agents = [json.loads(line) for line in AGENTS.read_text().splitlines()]
    shares = [agent["share"] for agent in agents]
    clients = [
        (
            f"2001:db8::1:{n:x}" if draw.random() < IPV6_SHARE else f"192.0.2.{n}",
            draw.choices(agents, shares)[0]["agent"],
        )
        for n in range(100, 100 + plan["clients"])
    ]
    targets = plan["targets"]
    left = plan["exchanges"]
    while left:
        address, agent = draw.choice(clients)
        count = min(left, draw.randint(*plan["per_connection"]))
        left -= count
        visit = Visit(address, draw.random() < TLS12_SHARE, draw.choice(NAMES))
        for target in draw.choices(targets, k=count):
            visit.requests.append(_request(draw, target, visit.name, agent))
        yield visit


def _request(draw: random.Random, target: str, name: str, agent: str) -> bytes:
    chance = draw.random()
    fields = f"Host: {name}\r\nUser-Agent: {agent}\r\nAccept: */*\r\n"
    if chance < NOT_MODIFIED_SHARE:
        fields += f"If-Modified-Since: {MODIFIED}\r\n"
    elif chance < NOT_MODIFIED_SHARE + MISSING_SHARE:
        target = f"/missing{target}"
    return f"GET {target} HTTP/1.1\r\n{fields}\r\n".encode()


async def visit_all(plan: dict[str, Any]) -> None:
    """Run the connections, `at_once` side by side."""
    loop = asyncio.get_running_loop()
    waiting = visits(plan)

    async def visitor() -> None:
        for visit in waiting:
            done = loop.create_future()
            version = 6 if ":" in visit.address else 4
            await loop.create_connection(
                lambda visit=visit, done=done: Client(visit, done),
                plan[f"server{version}"],
                plan["port"],
                local_addr=(visit.address, 0),
                ssl=_context(visit.tls12) if plan["tls"] else None,
                server_hostname=visit.name if plan["tls"] else None,
            )
            await done

    await asyncio.gather(*(visitor() for _ in range(plan["at_once"])))


def _context(tls12: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if tls12:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


if __name__ == "__main__":
    asyncio.run(visit_all(json.loads(Path(sys.argv[1]).read_text())))
