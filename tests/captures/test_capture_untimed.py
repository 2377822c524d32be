"""Packets without a time take that of the packet before them; ahead of the first they are skipped."""

from __future__ import annotations

import struct
from datetime import UTC, datetime

import packets
import pytest
from dialogs import Path, conversation, exchange, wrapped
from hypothesis import given, settings
from hypothesis import strategies as st
from judging import judged, records

from l7meter.captures.untimed import UNTIMED

SECOND = 1_000_000  # µs
FRAMES = wrapped(conversation(exchange("length", "/", 5000).turns), Path())


def simple(octets: bytes) -> bytes:
    return packets.block(3, struct.pack("<I", len(octets)) + octets)


def capture(times: list[int | None], blocks: bytes = b"") -> bytes:
    """The frames of one exchange, with these times (s since 1970) as far as they go."""
    times = times + [None] * (len(FRAMES) - len(times))
    parts = [
        simple(frame) if time is None else packets.enhanced(time * SECOND, frame)
        for time, frame in zip(times, FRAMES, strict=True)
    ]
    return packets.section() + packets.interface() + blocks + b"".join(parts)


@pytest.mark.parametrize("window", [None, 1, 200])
def test_the_time_of_the_packet_before(window: int | None) -> None:
    (row,) = judged(capture([100, None, None, 107]), window).to_dicts()
    assert row["ts"] == datetime.fromtimestamp(107, UTC)


@pytest.mark.parametrize("window", [None, 1, 200])
def test_ahead_of_the_first_time_they_are_skipped(window: int | None) -> None:
    octets = capture([None, None, 100])
    judged(octets, window)
    _, sums, _ = records(octets)
    assert sums.packets == len(FRAMES)
    assert sums.skipped == {UNTIMED: 2}


def test_a_capture_without_any_time_has_no_records() -> None:
    octets = capture([])
    assert judged(octets).is_empty()
    _, sums, _ = records(octets)
    assert sums.skipped == {UNTIMED: len(FRAMES)}


def test_blocks_that_hold_no_packet_are_no_packets() -> None:
    other = packets.block(4, b"\0\0\0\0") + packets.block(0xBAD, bytes(8)) + packets.block(99, b"")
    _, sums, _ = records(capture([100], other))
    assert sums.packets == sums.carried == len(FRAMES)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(
    st.lists(st.one_of(st.none(), st.integers(0, 10**9)), max_size=len(FRAMES)),
    st.sampled_from([None, 1, 300, 2000]),
)
def test_both_paths_agree_whichever_times_are_said(
    times: list[int | None], window: int | None
) -> None:
    judged(capture(times), window)
