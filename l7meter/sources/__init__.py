"""Bytes: files, directories, globs and standard input, decompressed and cut at line ends."""

from l7meter.sources.blocks import Block, LongLine, blocks
from l7meter.sources.discover import Missing, discover
from l7meter.sources.identity import HEAD_BYTES, Identity, identify
from l7meter.sources.stream import Stream, open_stream

__all__ = [
    "HEAD_BYTES",
    "Block",
    "Identity",
    "LongLine",
    "Missing",
    "Stream",
    "blocks",
    "discover",
    "identify",
    "open_stream",
]
