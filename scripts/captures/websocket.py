"""Both ends of a WebSocket (RFC 6455) by websockets: `serve PORT`, or `talk ADDRESS PORT`."""

from __future__ import annotations

import sys

from websockets.sync.client import connect
from websockets.sync.server import ServerConnection, serve


def echo(connection: ServerConnection) -> None:
    """Send every message back, in capitals."""
    for message in connection:
        connection.send(str(message).upper())


if sys.argv[1] == "serve":
    with serve(echo, "127.0.0.1", int(sys.argv[2]), server_header=None) as server:
        server.serve_forever()
else:
    address, port = sys.argv[2:]
    uri = f"ws://{address}:{port}/socket"
    with connect(uri, user_agent_header="websockets", compression=None, proxy=None) as client:
        for word in ("first", "second " * 300, "GET / HTTP/1.1\r\n\r\n"):
            client.send(word)
            client.recv()
