"""What makes two sources the same: their decompressed content.

A file that was renamed, listed again or compressed by log rotation has the same identity. Records
carry the hash of the first 64 MiB, which is known before the end of a long source is; the hash of
the whole stands beside it in the ledger. The hash of the head finds candidates cheaply: a source
whose head is in the ledger is known, or has grown, or merely starts alike.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from blake3 import blake3

HEAD_BYTES = 4 << 10
PREFIX_BYTES = 64 << 20
ID_BYTES = 16


class Identity(NamedTuple):
    """BLAKE3 (128 bits, hex) of a source's first 64 MiB, of all of it and of its head.

    `head_bytes` and `content_bytes` are the octets of the last two.
    """

    source_id: str
    content_id: str
    head_id: str
    head_bytes: int
    content_bytes: int


class Identifier:
    """Makes an identity piece by piece.

    `marks` are lengths in octets at which the hash so far is kept in `at`: a source that had this
    length and this hash before has grown since. `seed` is what the octets follow: the identity of what
    came before them.
    """

    def __init__(self, marks: Collection[int] = (), seed: str = "") -> None:
        self.length = 0
        self.at: dict[int, str] = {}
        self.head = b""  # the first octets
        self._marks = sorted({HEAD_BYTES, PREFIX_BYTES, *marks})
        self._hash = blake3(seed.encode())

    def update(self, piece: bytes) -> None:
        """Take the next octets."""
        view = memoryview(piece)
        if self.length < HEAD_BYTES:
            self.head += bytes(view[: HEAD_BYTES - self.length])
        while self._marks and self.length + len(view) >= self._marks[0]:
            mark = self._marks.pop(0)
            self._hash.update(view[: mark - self.length])
            view = view[mark - self.length :]
            self.length = mark
            self.at[mark] = self._hash.digest(ID_BYTES).hex()
        self._hash.update(view)
        self.length += len(view)

    def begins(self, length: int, head_id: str) -> bool:
        """Whether the first octets, so many of them, have this hash; at most those of a head."""
        return blake3(self.head[:length]).digest(ID_BYTES).hex() == head_id

    @property
    def prefix_known(self) -> bool:
        """Whether the first 64 MiB have been seen."""
        return PREFIX_BYTES in self.at

    @property
    def identity(self) -> Identity:
        """Identity of the octets so far: of the whole source once it is read."""
        whole = self._hash.digest(ID_BYTES).hex()
        return Identity(
            source_id=self.at.get(PREFIX_BYTES, whole),
            content_id=whole,
            head_id=self.at.get(HEAD_BYTES, whole),
            head_bytes=min(self.length, HEAD_BYTES),
            content_bytes=self.length,
        )
