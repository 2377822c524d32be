"""A stream cut into blocks of whole lines, with the place of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

BLOCK = 32 << 20
MAX_LINE = 1 << 20  # octets; a longer line is rejected
KEPT = 4 << 10  # octets of a rejected line that are kept


class LongLine(NamedTuple):
    """A line longer than a block: its number, its first octets and its length in octets."""

    number: int
    start: bytes
    length: int


class Block(NamedTuple):
    """Whole lines (the last of a source may lack its line end) and the number of the first one."""

    data: bytes
    first_line: int
    long_lines: tuple[LongLine, ...] = ()


def blocks(pieces: Iterable[bytes], size: int = BLOCK) -> Iterator[Block]:
    """Cut pieces into blocks of about `size` octets that end at a line end.

    A line that outgrows a block is not held in memory: it comes as a `LongLine`.
    """
    held: list[bytes] = []
    length = 0
    line = 1
    long: LongLine | None = None
    for piece in pieces:
        if long:
            end = piece.find(b"\n")
            long = long._replace(length=long.length + (len(piece) if end < 0 else end))
            if end < 0:
                continue
            yield Block(b"", line, (long,))
            long = None
            line += 1
            piece = piece[end + 1 :]
        held.append(piece)
        length += len(piece)
        if length < size:
            continue
        data = b"".join(held)
        end = data.rfind(b"\n") + 1
        if end:
            yield Block(data[:end], line)
            line += data.count(b"\n", 0, end)
            data = data[end:]
        else:
            long = LongLine(line, data[:KEPT], length)
            data = b""
        held, length = [data], len(data)
    if long:
        yield Block(b"", line, (long,))
    elif length:
        yield Block(b"".join(held), line)
