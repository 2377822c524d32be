"""Bytes: files, directories, globs and standard input, decompressed and cut at line ends."""

from l7meter.sources.blocks import Block, LongLine, blocks
from l7meter.sources.discover import Missing, discover
from l7meter.sources.identity import PREFIX_BYTES, Identifier, Identity
from l7meter.sources.stream import Stream, open_stream

__all__ = [
    "PREFIX_BYTES",
    "Block",
    "Identifier",
    "Identity",
    "LongLine",
    "Missing",
    "Stream",
    "blocks",
    "discover",
    "open_stream",
]
