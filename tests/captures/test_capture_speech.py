"""What is spoken is told by the first octets, however they are cut into segments."""

from __future__ import annotations

from ipaddress import IPv6Address

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


@pytest.mark.parametrize("size", [1, 5, 8, 9, 1000])
def test_a_server_may_begin_http2(size: int) -> None:
    """As those of gRPC do: its SETTINGS need not wait for the client's preface (RFC 9113 3.4)."""
    speech, settings = Speech(), bytes.fromhex("000006040000000000000300000064")
    speech.from_start = True
    for start in range(0, len(settings), size):
        speech.piece(Side.RESP, Piece(settings[start : start + size], 0, AT))
    speech.piece(Side.ORIG, Piece(PREFACE + SETTINGS, 0, AT))
    for side in Side:
        speech.close(side, AT, clean=True)
    speech.end()
    assert speech.remainder == [0, 0]
    assert speech.overhead == len(settings + PREFACE + SETTINGS)


@pytest.mark.parametrize("size", [1, 5, 8, 13, 14, 1000])
def test_request_in_segments_of_any_size_is_a_request(size: int) -> None:
    speech = spoken(b"GET /x HTTP/1.1\r\nHost: example.org\r\n\r\n", size)
    assert (speech.overhead, speech.remainder) == (0, [0, 0])


ASK = b"GET /x HTTP/1.1\r\nHost: example.org\r\n\r\n"
BINARY = b"\r\n\r\n\0\r\nQUIT\n"
FOUR = bytes([203, 0, 113, 7, 192, 0, 2, 80, 0x9C, 0x40, 0, 80])
SIX = IPv6Address("2001:db8::7").packed + IPv6Address("2001:db8::80").packed + FOUR[-4:]
HEADERS = {
    b"PROXY TCP4 203.0.113.7 192.0.2.80 40000 80\r\n": "203.0.113.7",
    b"PROXY TCP6 2001:DB8:0::7 2001:db8::80 40000 80\r\n": "2001:db8::7",
    b"PROXY UNKNOWN\r\n": None,
    b"PROXY UNKNOWN ffff::1 ffff::1 65535 65535\r\n": None,
    BINARY + b"\x21\x11\0\x0c" + FOUR: "203.0.113.7",
    BINARY + b"\x21\x11\0\x13" + FOUR + b"\x03\0\x04\1\2\3\4": "203.0.113.7",  # a checksum
    BINARY + b"\x21\x21\0\x24" + SIX: "2001:db8::7",
    BINARY + b"\x21\x31\0\xd8" + bytes(216): None,  # of a socket with a path
    BINARY + b"\x20\0\0\0": None,  # the balancer for itself
    BINARY + b"\x21\x11\0\x04" + FOUR[:4]: None,  # too short for its family
}


@pytest.mark.parametrize("size", [1, 7, 16, 60, 1000])
@pytest.mark.parametrize("header", HEADERS)
def test_a_load_balancers_header_names_the_client(header: bytes, size: int) -> None:
    speech = spoken(header + ASK, size)
    assert speech.client == HEADERS[header]
    assert (speech.overhead, speech.remainder) == (len(header), [0, 0])
    assert speech.octets == [len(ASK), 0]


@pytest.mark.parametrize(
    "start",
    [
        b"PROXY TCP4 nobody 192.0.2.80 40000 80\r\n",
        b"PROXY TCP4 203.0.113.7\r\n",
        b"PROXY TCP9 203.0.113.7 192.0.2.80 40000 80\r\n",
        b"PROXY TCP4 " + b"2" * 100 + b"\r\n",
        BINARY + b"\x11\x11\0\x0c" + FOUR + b"\r\n",
        b"PROXY\r\n",
    ],
)
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_what_is_no_header_of_a_load_balancer_is_left(start: bytes, size: int) -> None:
    speech = spoken(start + ASK, size)
    assert speech.client is None
    assert (speech.overhead, sum(speech.octets)) == (0, len(start + ASK))


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize("closes", [False, True])
def test_octets_that_tell_nothing_wait_for_the_answer(size: int, closes: bool) -> None:
    """As a server refuses what is no HTTP; the client may have closed its side by then."""
    speech = Speech()
    speech.from_start = True
    asked, answer = (
        b"\x16\x03nothing\r\n\r\n",
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
    )
    for side, octets in ((Side.ORIG, asked), (Side.RESP, answer)):
        for start in range(0, len(octets), size):
            speech.piece(side, Piece(octets[start : start + size], 0, AT))
        if closes:
            speech.close(side, AT, clean=True)
    for side in Side:
        if not closes:
            speech.close(side, AT, clean=False)
    (refused,) = speech.end()
    assert (refused.status, refused.response_size, refused.complete) == (400, len(answer), True)
    assert (refused.method, speech.remainder) == (None, [len(asked), 0])


def test_octets_do_not_wait_for_ever() -> None:
    speech = Speech()
    speech.from_start = True
    for _ in range(100):
        speech.piece(Side.ORIG, Piece(bytes(1000), 0, AT))
    assert speech.told
    assert speech.remainder == [100_000, 0]
