"""What makes two sources the same: their decompressed content.

A file that was renamed, listed again or compressed by log rotation has the same identity. The head
finds candidates cheaply: a source whose head is in the ledger may be one that is known or has
grown, so its whole content is compared before anything is read into the store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from l7meter.sources.stream import Stream

HEAD_BYTES = 4096
ID_BYTES = 16


class Identity(NamedTuple):
    """BLAKE3 of the content and of its head (128 bits each, hex), and the octets of both."""

    source_id: str
    head_id: str
    head_bytes: int
    content_bytes: int


def identify(stream: Stream) -> Identity:
    """Read a stream to its end for its identity alone."""
    for _ in stream:
        pass
    return stream.identity
