"""What is spoken is told by the first octets, however they are cut into segments."""

from __future__ import annotations

import pytest

from l7meter.captures.base import Moment, Side
from l7meter.captures.http2_frames import PREFACE
from l7meter.captures.speech import Speech
from l7meter.captures.tcp import Piece

AT = Moment(0, 1)
SETTINGS = bytes.fromhex("000000040000000000")


def spoken(octets: bytes, size: int) -> Speech:
    speech = Speech()
    speech.from_start = True
    for start in range(0, len(octets), size):
        speech.piece(Side.ORIG, Piece(octets[start : start + size], 0, AT))
    for side in Side:
        speech.close(side, AT, clean=True)
    speech.end()
    return speech


@pytest.mark.parametrize("size", [1, 5, 8, 13, 14, 1000])
def test_preface_of_http2_in_segments_of_any_size_is_http2(size: int) -> None:
    speech = spoken(PREFACE + SETTINGS, size)
    assert (speech.overhead, speech.remainder) == (len(PREFACE + SETTINGS), [0, 0])


@pytest.mark.parametrize("size", [1, 5, 8, 13, 14, 1000])
def test_request_in_segments_of_any_size_is_a_request(size: int) -> None:
    speech = spoken(b"GET /x HTTP/1.1\r\nHost: example.org\r\n\r\n", size)
    assert (speech.overhead, speech.remainder) == (0, [0, 0])
