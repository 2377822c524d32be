"""One source as a stream of decompressed bytes, its identity made on the way."""

from __future__ import annotations

import io
import os
import stat
import sys
from collections.abc import Collection, Iterator
from typing import BinaryIO

from l7meter.errors import SourceError
from l7meter.sources.codecs import Broken, codec_of, inflate
from l7meter.sources.discover import STDIN
from l7meter.sources.identity import Identifier

CHUNK = 4 << 20
START = 16  # octets that tell what a source is


class Stream:
    """Decompressed bytes of one source.

    `problem` tells, once the bytes are read, where the source broke (None if it did not);
    `bytes_read` counts the octets as stored, and `identifier` knows the bytes given so far.
    """

    def __init__(self, name: str, file: io.FileIO, marks: Collection[int] = ()) -> None:
        self.name = name
        self.problem: str | None = None
        self.identifier = Identifier(marks)
        self._file = _Counted(file)
        self._buffered = io.BufferedReader(self._file, 1 << 16)
        self.start = self._buffered.peek(START)[:START]
        codec = codec_of(self.start)
        self.compression = codec.name if codec else "none"
        self._pieces = inflate(self._buffered, codec) if codec else _plain(self._buffered)

    @property
    def bytes_read(self) -> int:
        """Octets read of the file as it is stored."""
        return self._file.count

    @property
    def size(self) -> int | None:
        """Octets of the file as it is stored; None for a pipe."""
        return self._file.size

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            if isinstance(piece, Broken):
                self.problem = piece.problem
                return
            self.identifier.update(piece)
            yield piece

    def close(self) -> None:
        """Let the file go."""
        self._buffered.close()

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_stream(name: str, marks: Collection[int] = ()) -> Stream:
    """Open a file, or standard input for `-`.

    Raises `SourceError` where it cannot be opened.
    """
    try:
        if name == STDIN:
            if sys.stdin is None:
                raise SourceError(f"{name}: standard input is closed")
            return Stream(name, io.FileIO(os.dup(sys.stdin.fileno()), "rb"), marks)
        return Stream(name, io.FileIO(name, "rb"), marks)
    except OSError as error:
        raise SourceError(f"{name}: cannot be read: {error.strerror or error}") from error


class _Counted(io.RawIOBase):
    """A raw file that counts what was read of it."""

    def __init__(self, file: io.FileIO) -> None:
        self._file = file
        self.count = 0
        status = os.fstat(file.fileno())
        self.size = status.st_size if stat.S_ISREG(status.st_mode) else None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        count = self._file.readinto(buffer) or 0
        # A pipe may give single octets: the first ones must come together to tell a compression.
        while self.count == 0 and 0 < count < START:
            more = self._file.readinto(buffer[count:])
            if not more:
                break
            count += more
        self.count += count
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
