"""A forwarder that gives one client its own loopback source address.

It listens on 127.0.0.1 and opens each onward connection from `source`, so the server logs a
distinct client even for tools that cannot bind an address. Octets pass through untouched: with
`routes` it speaks CONNECT (a client's HTTPS proxy setting), with `port` it is a plain relay.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from types import TracebackType

CHUNK = 1 << 16


class Forwarder:
    """Context manager; `port` is where the client connects to."""

    def __init__(self, source: str, routes: dict[str, int] | int) -> None:
        self._source, self._routes = source, routes
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Forwarder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for end in self._open:
            end.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _target(self, client: socket.socket) -> int | None:
        if isinstance(self._routes, int):
            return self._routes
        head = b""
        while b"\r\n\r\n" not in head:
            chunk = client.recv(CHUNK)
            if not chunk:
                return None
            head += chunk
        method, target, _ = head.split(b" ", 2)
        port = self._routes.get(target.decode().rsplit(":", 1)[0])
        if method != b"CONNECT" or port is None:
            client.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            return None
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        return port

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            port = self._target(client)
            if port is None:
                return
            address = ("127.0.0.1", port)
            with socket.create_connection(address, source_address=(self._source, 0)) as server:
                self._open += [client, server]
                back = threading.Thread(target=_pump, args=(server, client), daemon=True)
                back.start()
                _pump(client, server)
                back.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    """Relay one direction; a reset on one side becomes a reset on the other."""
    try:
        while chunk := source.recv(CHUNK):
            target.sendall(chunk)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                end.shutdown(socket.SHUT_RDWR)
