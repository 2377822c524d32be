from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from l7meter.sources import blocks
from l7meter.sources.blocks import KEPT

LINES = st.lists(st.text("ab\r\0\ufeff", max_size=40).map(str.encode), max_size=12)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    """The data cut into pieces of these lengths, in turn."""
    made = []
    while data:
        length = cuts[len(made) % len(cuts)]
        made.append(data[:length])
        data = data[length:]
    return made


@settings(max_examples=300, deadline=None, derandomize=True)
@given(LINES, st.booleans(), st.lists(st.integers(1, 60), min_size=1), st.integers(4, 100))
@example([b"a" * 200, b"b"], False, [7], 10)
def test_any_cut_and_block_size_gives_the_same_lines(
    lines: list[bytes], ended: bool, cuts: list[int], size: int
) -> None:
    data = b"\n".join([b"first", *lines]) + b"\n" * ended
    wanted = data.removesuffix(b"\n").split(b"\n")
    number = 1
    for block in blocks(pieces(data, cuts), size):
        assert block.first_line == number
        for long in block.long_lines:
            line = wanted[number - 1]
            assert (long.number, long.length) == (number, len(line))
            assert line.startswith(long.start)
            assert len(line) >= size <= len(long.start) <= KEPT
            number += 1
        if block.data:
            assert not block.long_lines
            got = block.data.removesuffix(b"\n").split(b"\n")
            assert got == wanted[number - 1 : number - 1 + len(got)]
            number += len(got)
    assert number == len(wanted) + 1


def test_byte_order_mark_and_hole_at_the_start_are_no_part_of_the_first_line() -> None:
    for before in (b"\xef\xbb\xbf", b"\0" * 1000, b"\xef\xbb\xbf\0"):
        (block,) = blocks(pieces(before + b"line\n\0next\n", [16]), 64)
        assert block == (b"line\n\0next\n", 1, ())


def test_line_that_outgrows_every_block_is_not_held() -> None:
    made = list(blocks([b"before\n", *[b"x" * 1000] * 500, b"\nafter\n"], 4096))
    assert [block.data for block in made] == [b"before\n", b"", b"after\n"]
    ((long,),) = (block.long_lines for block in made if block.long_lines)
    assert (long.number, long.start, long.length) == (2, b"x" * KEPT, 500_000)
    assert [block.first_line for block in made] == [1, 2, 3]
