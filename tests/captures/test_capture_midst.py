"""Connections whose start the capture lacks: TLS is told by its records, HTTP by a start line."""

from __future__ import annotations

import random

import pytest
from dialogs import CLIENT, SERVER, Path, Sent, capture, conversation, exchange, wrapped
from judging import judged

NOISE = random.Random(7)


def record(size: int, kind: int = 23) -> bytes:
    return bytes([kind, 3, 3]) + size.to_bytes(2, "big") + NOISE.randbytes(size)


DOWNLOAD = [(SERVER, b"".join(record(16_401) for _ in range(8)) + record(300))]
TALK = [turn for _ in range(30) for turn in ((CLIENT, record(120)), (SERVER, record(900)))]
NOT_HTTP = [(SERVER, NOISE.randbytes(200_000))]


def from_segment(turns: list[tuple[int, bytes]], first: int, mss: int = 1448) -> list[Sent]:
    """The segments that are left when the first of those with a payload were not captured."""
    segments = [each for each in conversation(turns, mss=[mss]) if each.payload]
    return segments[first:]


def kinds(segments: list[Sent], window: int | None = None) -> list[str]:
    frame = judged(capture(wrapped(segments, Path())), window)
    return [str(kind) for kind in frame["exchange_kind"]]


@pytest.mark.parametrize("window", [None, 20_000])
@pytest.mark.parametrize("first", [1, 5, 12, 30])
def test_tls_in_the_midst_of_a_record(first: int, window: int | None) -> None:
    assert kinds(from_segment(DOWNLOAD, first), window) == ["tls"]


@pytest.mark.parametrize("first", [1, 2, 3])
def test_tls_of_small_records_cut_anywhere(first: int) -> None:
    assert kinds(from_segment(TALK, first, mss=100)) == ["tls"]


def test_octets_of_tls_in_the_midst_are_those_of_records_that_were_seen() -> None:
    (row,) = judged(capture(wrapped(from_segment(DOWNLOAD, 5), Path()))).to_dicts()
    octets = len(DOWNLOAD[0][1]) - 5 * 1448
    assert row["response_size"] == octets
    # of the first record there is no header, and the others have one of five octets
    assert row["response_body_size"] == 7 * 16_401 + 300


def test_lost_octets_before_tls_is_told_are_missing() -> None:
    segments = from_segment(DOWNLOAD, 3)
    (row,) = judged(capture(wrapped(segments[:2] + segments[3:], Path()))).to_dicts()
    assert row["exchange_kind"] == "tls"
    assert row["missing_bytes"] == 1448


def test_what_is_neither_stays_a_remainder() -> None:
    assert kinds(from_segment(NOT_HTTP, 3)) == ["remainder"]


def test_one_record_of_tls_is_not_enough() -> None:
    assert kinds(from_segment([(SERVER, NOISE.randbytes(3000) + record(4000))], 1)) == ["remainder"]


def test_a_start_line_wins_over_records_in_content() -> None:
    """A download that is itself TLS, as a capture is."""
    made = exchange("length", "/", 20_000)
    content = (NOISE.randbytes(2000) + b"".join(record(1000) for _ in range(30)))[:20_000]
    head = made.turns[-1][1][:-20_000]
    turns = [(SERVER, NOISE.randbytes(3000)), made.turns[0], (SERVER, head + content)]
    found = kinds(from_segment(turns, 1))
    assert sorted(found) == ["http", "remainder"]


@pytest.mark.parametrize("lost", [1, 2])
def test_http_goes_on_when_the_first_octets_of_a_whole_connection_are_lost(lost: int) -> None:
    turns = [*exchange("length", "/a", 400).turns, *exchange("length", "/b", 400).turns]
    segments = conversation(turns, mss=[100])
    first = next(place for place, each in enumerate(segments) if each.payload)
    frame = judged(capture(wrapped(segments[:first] + segments[first + lost :], Path())))
    assert "/b" in frame["url_original"].to_list()
