"""Compressed streams, told by their first octets: gzip, bzip2, xz and zstd, several members each.

Memory stays bounded whatever the compression ratio: each step gives at most a piece. So do time and
disk: content beyond `FREE` may be at most `RATIO` times the octets that were read for it. A stream
that inflates more, ends early or is damaged gives what it has, and then says where it broke.
"""

from __future__ import annotations

import bz2
import lzma
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, NamedTuple

import zstandard
from isal import isal_zlib

READ = 16 << 10  # where a stream is damaged, at most this much before it is lost
PIECE = 8 << 20
# Access logs shrink 10- to 60-fold. Deflate ends at 1,032-fold (https://zlib.net/zlib_tech.html);
# bzip2, xz and zstd reach a million-fold on one repeated octet.
RATIO = 200
FREE = 4 << 30  # octets of content that are given whatever the ratio
ZSTD_READ = 2 << 10  # one octet of zstd may stand for 32 KiB, and its decoder takes no limit
# A header may ask for 4 GiB; `xz -9` asks for 65 MiB. zstd's own limit is a window of 128 MiB.
XZ_MEMORY = 256 << 20


class Broken(NamedTuple):
    """Where a stream broke; what came before it was delivered."""

    problem: str


def _feed_zlib(decoder: Any, chunk: bytes) -> Iterator[bytes]:
    while chunk and not decoder.eof:
        yield decoder.decompress(chunk, PIECE)
        chunk = decoder.unconsumed_tail


def _feed_stdlib(decoder: Any, chunk: bytes) -> Iterator[bytes]:
    yield decoder.decompress(chunk, PIECE)
    while not decoder.eof and not decoder.needs_input:
        yield decoder.decompress(b"", PIECE)


def _feed_zstd(decoder: Any, chunk: bytes) -> Iterator[bytes]:
    yield decoder.decompress(chunk)


class Codec(NamedTuple):
    """A compression: its name, the octets it starts with, and how it is decoded."""

    name: str
    magic: bytes
    decoder: Callable[[], Any]
    feed: Callable[[Any, bytes], Iterator[bytes]]
    read: int


# fmt: off
CODECS = (
    Codec("gzip", b"\x1f\x8b", lambda: isal_zlib.decompressobj(wbits=31), _feed_zlib, READ),
    Codec("bzip2", b"BZh", bz2.BZ2Decompressor, _feed_stdlib, READ),
    Codec("xz", b"\xfd7zXZ\x00", lambda: lzma.LZMADecompressor(memlimit=XZ_MEMORY), _feed_stdlib, READ),
    Codec("zstd", b"\x28\xb5\x2f\xfd", lambda: zstandard.ZstdDecompressor().decompressobj(), _feed_zstd, ZSTD_READ),
)
# fmt: on
ERRORS: tuple[type[Exception], ...] = (  # type: ignore[assignment]
    isal_zlib.error,
    OSError,
    lzma.LZMAError,
    zstandard.ZstdError,
    EOFError,
    ValueError,
)


def codec_of(start: bytes) -> Codec | None:
    """The compression that starts with these octets (at least six), or None for plain bytes."""
    return next((codec for codec in CODECS if start.startswith(codec.magic)), None)


def inflate(file: BinaryIO, codec: Codec) -> Iterator[bytes | Broken]:
    """The decompressed pieces of a file, and `Broken` as the last one if it broke."""
    decoder = None
    place = 0  # octets of the file that were read
    content = 0  # octets they stood for
    members = 0
    while True:
        try:
            chunk = file.read(codec.read)
        except OSError as error:
            yield Broken(f"reading failed at byte {place:,} ({error.strerror or error})")
            return
        if not chunk:
            break
        place += len(chunk)
        while chunk:
            if decoder is None:
                chunk = chunk.lstrip(b"\0") if members else chunk  # tape and block padding
                if 0 < len(chunk) < len(codec.magic):
                    more = file.read(len(codec.magic) - len(chunk))
                    place += len(more)
                    chunk += more
                if chunk and not chunk.startswith(codec.magic):
                    at = place - len(chunk)
                    yield Broken(
                        f"after the {codec.name} stream, other bytes follow at byte {at:,}"
                    )
                    return
                if not chunk:
                    break
                decoder = codec.decoder()
                members += 1
            try:
                for piece in filter(None, codec.feed(decoder, chunk)):
                    content += len(piece)
                    yield piece
                    if content > max(FREE, RATIO * place):
                        yield Broken(
                            f"stopped at byte {place:,}: it inflates more than {RATIO}-fold, to "
                            f"{content:,} bytes so far, as no log does; if it is right, unpack it "
                            "and name the plain file"
                        )
                        return
            except ERRORS as error:
                yield Broken(f"the {codec.name} stream is damaged before byte {place:,} ({error})")
                return
            chunk = decoder.unused_data if decoder.eof else b""
            decoder = None if decoder.eof else decoder
    if decoder is not None:
        yield Broken(f"the {codec.name} stream ends early, at byte {place:,}")
