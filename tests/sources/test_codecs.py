from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from l7meter.sources import codecs
from l7meter.sources.codecs import PIECE, RATIO, Broken, codec_of, inflate


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(data)


COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, 6, mtime=0),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstd,
}
MEMBERS = st.lists(
    st.one_of(
        st.binary(max_size=300),
        st.integers(0, 90_000).map(lambda n: bytes(range(100)) * (n // 100)),
    ),
    min_size=1,
    max_size=4,
)
each_codec = pytest.mark.parametrize("name", COMPRESS)
often = settings(max_examples=60, deadline=None, derandomize=True)


def unpacked(data: bytes) -> tuple[bytes, str | None]:
    """The content and what broke; a break is told last, and once."""
    codec = codec_of(data[:16])
    assert codec is not None
    *pieces, last = [*inflate(io.BytesIO(data), codec), b""]
    problem = None
    if pieces and isinstance(pieces[-1], Broken):
        problem = pieces.pop().problem
    assert last == b""
    return b"".join(pieces), problem  # type: ignore[arg-type]


@each_codec
@often
@given(members=MEMBERS)
def test_members_are_joined(name: str, members: list[bytes]) -> None:
    data = b"".join(map(COMPRESS[name], members))
    assert unpacked(data) == (b"".join(members), None)


@each_codec
@often
@given(members=MEMBERS, cut=st.floats(0, 1))
def test_stream_cut_short_gives_its_start_and_says_so(
    name: str, members: list[bytes], cut: float
) -> None:
    packed = [COMPRESS[name](member) for member in members]
    data = b"".join(packed)
    end = 6 + int(cut * (len(data) - 6))
    content, problem = unpacked(data[:end])
    assert b"".join(members).startswith(content)
    whole = end in accumulate(map(len, packed))
    assert (problem is None) == whole


@each_codec
@often
@given(members=MEMBERS, place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_damaged_stream_is_never_taken_for_whole(
    name: str, members: list[bytes], place: float, bit: int
) -> None:
    data = bytearray(b"".join(map(COMPRESS[name], members)))
    data[6 + int(place * (len(data) - 6))] ^= 1 << bit
    content, problem = unpacked(bytes(data))
    assert problem or content == b"".join(members)


@each_codec
def test_octets_behind_the_stream_are_told(name: str) -> None:
    data = COMPRESS[name](b"content\n")
    assert unpacked(data + bytes(512)) == (b"content\n", None)  # padding of a tape
    content, problem = unpacked(data + b"more\n")
    assert content == b"content\n"
    assert problem == f"after the {name} stream, other bytes follow at byte {len(data):,}"


class _Failing(io.BytesIO):
    """A file of which only the start can be read."""

    def read(self, size: int | None = -1) -> bytes:
        if self.tell() >= 16 << 10:
            raise OSError(5, "Input/output error")
        return super().read(size)


def test_read_error_in_a_compressed_file_is_a_break() -> None:
    data = gzip.compress(bytes(i * i % 251 for i in range(200_000)), 0)
    codec = codec_of(data)
    assert codec is not None
    *pieces, last = inflate(_Failing(data), codec)
    assert pieces
    assert last == Broken("reading failed at byte 16,384 (Input/output error)")


def _zeros(size: int) -> Iterator[bytes]:
    yield from [bytes(1 << 20)] * (size >> 20)


def _packed(compressor: object, chunks: Iterable[bytes]) -> bytes:
    return b"".join(map(compressor.compress, chunks)) + compressor.flush()  # type: ignore[attr-defined]


BOMBS: dict[str, Callable[[], object]] = {
    "gzip": lambda: zlib.compressobj(1, wbits=31),
    "bzip2": lambda: bz2.BZ2Compressor(1),
    "xz": lambda: lzma.LZMACompressor(preset=0),
    "zstd": lambda: zstandard.ZstdCompressor().compressobj(),
}


@pytest.mark.parametrize(
    ("name", "size", "limit"),
    [
        ("gzip", 400 << 20, PIECE),
        ("bzip2", 60 << 20, PIECE),
        ("xz", 100 << 20, PIECE),
        ("zstd", 400 << 20, 64 << 20),
    ],
)
def test_bomb_comes_in_pieces_of_bounded_size(name: str, size: int, limit: int) -> None:
    data = _packed(BOMBS[name](), _zeros(size))
    assert len(data) < size / 200
    codec = codec_of(data[:16])
    assert codec is not None
    total = largest = 0
    for piece in inflate(io.BytesIO(data), codec):
        assert not isinstance(piece, Broken)
        total += len(piece)
        largest = max(largest, len(piece))
    assert total == size
    assert largest <= limit


@each_codec
def test_bomb_is_stopped_after_a_stated_amount_and_says_so(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codecs, "FREE", 32 << 20)
    start = COMPRESS[name](b"GET / HTTP/1.1 200\n" * 9)
    data = start + _packed(BOMBS[name](), _zeros(200 << 20))
    content, problem = unpacked(data)
    assert content.startswith(b"GET / HTTP/1.1 200\n" * 9 + bytes(99))
    assert problem is not None
    assert f"it inflates more than {RATIO}-fold, to {len(content):,} bytes so far" in problem
    assert 32 << 20 < len(content) <= max(32 << 20, RATIO * len(data)) + (64 << 20)


@each_codec
def test_what_shrinks_as_logs_do_is_never_stopped(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codecs, "FREE", 0)
    lines = b"".join(b"192.0.2.%d GET /simple/%d/ 200 %d\n" % (i % 250, i * i % 997, i * 7919 % 65_521) for i in range(20_000))  # fmt: skip
    data = b"".join(COMPRESS[name](lines) for _ in range(5))
    assert unpacked(data) == (lines * 5, None)


@each_codec
@pytest.mark.parametrize("extra", [0, 1])
def test_limit_is_where_it_is_said_to_be(
    name: str, extra: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = 3 << 20
    monkeypatch.setattr(codecs, "FREE", size - extra)
    content, problem = unpacked(COMPRESS[name](bytes(size)))
    assert len(content) == size
    assert (problem is not None) == bool(extra)


@pytest.mark.parametrize(("dictionary", "whole"), [(28, True), (40, False)])  # 64 MiB, 4 GiB
def test_memory_that_an_xz_header_may_ask_for_is_bounded(dictionary: int, whole: bool) -> None:
    """The block header: size, flags, filter 0x21 of one octet, the dictionary, padding, CRC-32."""
    data = bytearray(lzma.compress(b"GET /\n"))
    size = (data[12] + 1) * 4
    assert data[14:16] == b"\x21\x01"
    data[16] = dictionary
    data[12 + size - 4 : 12 + size] = zlib.crc32(data[12 : 12 + size - 4]).to_bytes(4, "little")
    content, problem = unpacked(bytes(data))
    assert content == (b"GET /\n" if whole else b"")
    assert (problem is None) == whole


def test_memory_that_a_zstd_header_may_ask_for_is_bounded() -> None:
    """RFC 8878 section 3.1.1.1: magic, descriptor 0, window of 2 to the power 31, a raw last block."""
    data = b"\x28\xb5\x2f\xfd\x00" + bytes([(31 - 10) << 3]) + b"\x31\x00\x00" + b"GET /\n"
    assert unpacked(data)[0] == b""
    assert "memory" in str(unpacked(data)[1])
