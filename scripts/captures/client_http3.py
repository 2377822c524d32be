"""An HTTP/3 client by aioquic: `ADDRESS PORT KEYLOG PATH...`, all paths on one connection."""

from __future__ import annotations

import asyncio
import ssl
import sys
from pathlib import Path

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import QuicEvent


class Client(QuicConnectionProtocol):
    """Sends a request, and waits for the end of its stream."""

    http: H3Connection
    ended: dict[int, asyncio.Event]

    def begin(self) -> None:
        """Speak HTTP/3 on this connection."""
        self.http, self.ended = H3Connection(self._quic), {}

    async def get(self, path: str) -> None:
        """GET `path` of example.org."""
        stream = self._quic.get_next_available_stream_id()
        self.ended[stream] = asyncio.Event()
        fields = {":method": "GET", ":scheme": "https", ":authority": "example.org", ":path": path}
        fields["user-agent"] = "aioquic"
        encoded = [(name.encode(), value.encode()) for name, value in fields.items()]
        self.http.send_headers(stream, encoded, end_stream=True)
        self.transmit()
        await asyncio.wait_for(self.ended[stream].wait(), 10)

    def quic_event_received(self, event: QuicEvent) -> None:
        """Note the ends of streams."""
        for told in self.http.handle_event(event):
            if isinstance(told, DataReceived | HeadersReceived) and told.stream_ended:
                self.ended[told.stream_id].set()


async def main(address: str, port: str, keylog: str, *paths: str) -> None:
    """Fetch `paths` one after the other."""
    configuration = QuicConfiguration(is_client=True, alpn_protocols=H3_ALPN)
    configuration.verify_mode = ssl.CERT_NONE
    configuration.server_name = "example.org"
    with Path(keylog).open("w") as secrets:
        configuration.secrets_log_file = secrets
        async with connect(
            address, int(port), configuration=configuration, create_protocol=Client
        ) as client:
            client.begin()
            for path in paths:
                await client.get(path)


asyncio.run(main(*sys.argv[1:]))
