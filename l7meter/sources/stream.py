"""One source as a stream of decompressed bytes, its identity made on the way."""

from __future__ import annotations

import io
import os
import stat
import sys
from collections.abc import Callable, Iterator
from typing import BinaryIO

from blake3 import blake3

from l7meter.errors import SourceError
from l7meter.sources.codecs import Broken, codec_of, inflate
from l7meter.sources.discover import STDIN
from l7meter.sources.identity import HEAD_BYTES, ID_BYTES, Identity

CHUNK = 4 << 20


class Stream:
    """Decompressed bytes of one source.

    `problem` tells, once the bytes are read, where the source broke (None if it did not);
    `bytes_read` counts the octets as stored, and `identity` names the bytes given so far.
    """

    def __init__(self, name: str, file: BinaryIO) -> None:
        self.name = name
        self.problem: str | None = None
        self.content_bytes = 0
        self._file = _Counted(file)
        buffered = io.BufferedReader(self._file, 1 << 16)
        self._closing: Callable[[], None] = buffered.close
        self.start = buffered.peek(16)[:16]
        codec = codec_of(self.start)
        self.compression = codec.name if codec else "none"
        self._pieces = inflate(buffered, codec) if codec else _plain(buffered)
        self._hash = blake3()
        self._head = b""

    @property
    def bytes_read(self) -> int:
        """Octets read of the file as it is stored."""
        return self._file.count

    @property
    def size(self) -> int | None:
        """Octets of the file as it is stored; None for a pipe."""
        return self._file.size

    @property
    def identity(self) -> Identity:
        """Identity of the bytes given so far: of the whole source once it is read."""
        return Identity(
            self._hash.digest(ID_BYTES).hex(),
            blake3(self._head).digest(ID_BYTES).hex(),
            len(self._head),
            self.content_bytes,
        )

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            if isinstance(piece, Broken):
                self.problem = piece.problem
                return
            if len(self._head) < HEAD_BYTES:
                self._head += piece[: HEAD_BYTES - len(self._head)]
            self._hash.update(piece)
            self.content_bytes += len(piece)
            yield piece

    def close(self) -> None:
        """Let the file go."""
        self._closing()

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_stream(name: str) -> Stream:
    """Open a file, or standard input for `-`.

    Raises `SourceError` where it cannot be opened.
    """
    try:
        if name == STDIN:
            return Stream(name, io.FileIO(os.dup(sys.stdin.fileno()), "rb"))
        return Stream(name, io.FileIO(name, "rb"))
    except OSError as error:
        raise SourceError(f"{name}: cannot be read: {error.strerror or error}") from error


class _Counted(io.RawIOBase):
    """A raw file that counts what was read of it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.count = 0
        status = os.fstat(file.fileno())
        self.size = status.st_size if stat.S_ISREG(status.st_mode) else None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        count: int = self._file.readinto(buffer)  # type: ignore[attr-defined]
        self.count += count or 0
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


def _plain(file: BinaryIO) -> Iterator[bytes | Broken]:
    place = 0
    while True:
        try:
            chunk = file.read(CHUNK)
        except OSError as error:
            yield Broken(f"reading failed at byte {place:,} ({error.strerror or error})")
            return
        if not chunk:
            return
        place += len(chunk)
        yield chunk
