"""A stream cut into blocks of whole lines, with the place of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

BLOCK = 32 << 20
MAX_LINE = 1 << 20  # octets; a longer line is rejected
KEPT = 4 << 10  # octets of a rejected line that are kept
MARK = b"\xef\xbb\xbf"  # the byte order mark that Windows programs put before UTF-8


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


def blocks(pieces: Iterable[bytes], size: int = BLOCK, line: int = 1) -> Iterator[Block]:
    """Cut pieces into blocks of about `size` octets that end at a line end; `line` is the first's number.

    A line that outgrows a block is not held in memory: it comes as a `LongLine`. A byte order mark
    and NUL at the start are left out.
    """
    held: list[bytes] = []
    length = 0
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
        end = piece.rfind(b"\n") + 1
        if end:  # nearly always: the block is put together once, and not cut again
            data = _joined([*held[:-1], memoryview(piece)[:end]], line)
            yield Block(data, line)
            line += data.count(b"\n")
            held, length = [piece[end:]], len(piece) - end
            continue
        data = _joined(held, line)
        end = data.rfind(b"\n") + 1
        if end:
            yield Block(data[:end], line)
            line += data.count(b"\n", 0, end)
            data = data[end:]
        elif len(data) >= size:
            long = LongLine(line, data[:KEPT], len(data))
            data = b""
        held, length = [data], len(data)
    if long:
        yield Block(b"", line, (long,))
    elif data := _joined(held, line):
        yield Block(data, line)


def _joined(held: Sequence[bytes | memoryview], line: int) -> bytes:
    data = b"".join(held)
    # logrotate's copytruncate leaves a hole, read as NUL, where a writer keeps its old offset
    return data.removeprefix(MARK).lstrip(b"\0") if line == 1 else data
