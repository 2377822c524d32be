"""An HTTP/2 client without TLS by httpx: `ADDRESS PORT PATH...`, all paths at once on one connection."""

from __future__ import annotations

import asyncio
import sys

import httpx


async def main(address: str, port: str, *paths: str) -> None:
    """GET `paths` of example.org."""
    fields = {"Host": "example.org", "User-Agent": "httpx"}
    async with httpx.AsyncClient(
        http1=False, http2=True, headers=fields, base_url=f"http://{address}:{port}"
    ) as client:
        await asyncio.gather(*(client.get(path) for path in paths))


asyncio.run(main(*sys.argv[1:]))
