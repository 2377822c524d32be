"""HTTP/1.x on a connection, one phenomenon a test: `>` the client sends, `<` the server."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest

from l7meter.captures.base import Moment, Side
from l7meter.captures.heads import MAX_HEAD
from l7meter.captures.http1 import MAX_HELD, Conversation, Exchange
from l7meter.captures.pairing import LOST_RESPONSE, MAX_WAITING, TOO_MANY

OK = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
GET = "GET /%s HTTP/1.1\r\nHost: example.org\r\n\r\n"


def talk(*turns: tuple[str, Any], midstream: bool = False) -> tuple[list[Exchange], Conversation]:
    """Let both sides say their turns, the n-th at n s: text, a gap's size, "FIN" or "RST"."""
    conversation = Conversation(midstream)
    exchanges = []
    returned = [0, 0]
    for number, (who, what) in enumerate(turns, 1):
        side, at = (Side.ORIG if who == ">" else Side.RESP), Moment(number * 10**9, number)
        if what in ("FIN", "RST"):
            conversation.close(side, at, clean=what == "FIN")
        elif isinstance(what, int):
            conversation.gap(side, what, at)
        else:
            octets = what if isinstance(what, bytes) else what.encode()
            returned[side] += len(conversation.data(side, octets, at))
        exchanges += conversation.finished()
    return exchanges + conversation.end(), conversation


def told(exchanges: list[Exchange]) -> list[tuple[Any, ...]]:
    return [(one.target, one.status, one.response_body_size, one.complete) for one in exchanges]


def test_exchange_says_what_went_over_the_wire() -> None:
    (one,), conversation = talk((">", GET % "a?b=ü"), ("<", OK[:20]), ("<", OK[20:]))
    assert one == Exchange(
        method="GET",
        target="/a?b=ü",
        version="1.1",
        status=200,
        response_version="1.1",
        request_fields={"host": "example.org"},
        response_fields={"content-length": "5"},
        request_start=Moment(10**9, 1),
        request_end=Moment(10**9, 1),
        response_start=Moment(2 * 10**9, 2),
        response_end=Moment(3 * 10**9, 3),
        request_size=len((GET % "a?b=ü").encode()),
        request_head_size=len((GET % "a?b=ü").encode()),
        response_size=len(OK),
        response_body_size=5,
        request_complete=True,
        complete=True,
    )
    assert conversation.remainder == [0, 0]
    assert conversation.switched is None


def test_pipelined_requests_are_answered_in_order() -> None:
    exchanges, _ = talk((">", GET % "a" + GET % "b"), ("<", OK + OK.replace("200", "404")))
    assert told(exchanges) == [("/a", 200, 5, True), ("/b", 404, 5, True)]


def test_response_that_was_captured_before_its_request_waits_for_it() -> None:
    head = "HEAD /a HTTP/1.1\r\n\r\n"
    exchanges, _ = talk(("<", OK[:-5]), (">", head), ("<", OK), (">", GET % "b"))
    assert told(exchanges) == [("/a", 200, 0, True), ("/b", 200, 5, True)]


@pytest.mark.parametrize("size", [MAX_HELD, MAX_HELD + 1])
def test_response_waits_for_its_request_only_so_long(size: int) -> None:
    response = f"HTTP/1.1 200 OK\r\nContent-Length: {size - 41}\r\n\r\n"
    response += "x" * (size - len(response))
    exchanges, _ = talk(("<", response), (">", GET % "a"))
    assert len(exchanges) == (1 if size == MAX_HELD else 2)
    assert sum(one.response_size for one in exchanges) == size


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("HEAD / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
        (GET % "", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"),
        (GET % "", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n"),
        (GET % "", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ],
)
def test_responses_without_content(asked: str, answered: str) -> None:
    exchanges, conversation = talk((">", asked), ("<", answered), (">", GET % "b"), ("<", OK))
    assert [one.response_size for one in exchanges] == [len(answered), len(OK)]
    assert all(one.complete and not one.problem for one in exchanges)
    assert conversation.remainder == [0, 0]


def test_interim_responses_fold_into_the_final_one() -> None:
    interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    head = "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
    (one,), _ = talk((">", head), ("<", interim), (">", "abc"), ("<", OK))
    assert (one.status, one.interim, one.complete, one.request_complete) == (200, 2, True, True)
    assert one.response_size == len(interim + OK)
    assert one.response_fields == {"content-length": "5"}
    assert one.response_start == Moment(2 * 10**9, 2)


@pytest.mark.parametrize(
    ("framed", "size"),
    [
        ("5\r\nhello\r\n0\r\n\r\n", 5),
        ("1A;name=value\r\n" + "x" * 26 + "\r\n0\r\n\r\n", 26),
        ("a \r\n" + "\r\n0\r\n\r\n12345"[:10] + "\r\n000\r\nTrailer: 1\r\nOther: 2\r\n\r\n", 10),
        ("3\nabc\n0\n\n", 3),
        ("0\r\n\r\n", 0),
    ],
)
def test_chunked_content(framed: str, size: int) -> None:
    head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n"
    exchanges, conversation = talk((">", GET % "a"), ("<", head + framed), (">", GET % "b"), ("<", OK))  # fmt: skip
    assert told(exchanges) == [("/a", 200, size, True), ("/b", 200, 5, True)]
    assert exchanges[0].response_size == len(head + framed)
    assert conversation.remainder == [0, 0]


@pytest.mark.parametrize(
    ("framed", "problem"),
    [
        ("-5\r\nhello\r\n", "a chunk's size is not a number"),
        ("0x5\r\nhello\r\n", "a chunk's size is not a number"),
        ("1" + "0" * 15 + "\r\nhello\r\n", "a chunk's size is not a number"),
        ("3\r\nhello\r\n", "a chunk is longer than its size"),
        ("1;" + "x" * 20_000 + "\r\n", "a chunk's size is not a number"),
    ],
)
def test_broken_chunks_end_the_message_and_the_next_is_found(framed: str, problem: str) -> None:
    head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    exchanges, conversation = talk(
        (">", GET % "a"), ("<", head + framed), (">", GET % "b"), ("<", OK)
    )
    assert [one.problem for one in exchanges] == [problem, None]
    assert [one.complete for one in exchanges] == [False, True]
    whole = exchanges[0].response_size + conversation.remainder[Side.RESP]
    assert whole == len(head + framed)


@pytest.mark.parametrize(("close", "complete"), [("FIN", True), ("RST", False)])
def test_content_up_to_the_close(close: str, complete: bool) -> None:
    body = "HTTP/1.1 200 OK\r\n\r\nhidden in content"
    (one,), _ = talk((">", GET % "a"), ("<", "HTTP/1.0 200 OK\r\n\r\n" + body), ("<", close))
    assert told([one]) == [("/a", 200, len(body), complete)]
    assert one.response_version == "1.0"


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("5", None),
        ("5, 5", None),
        ("5\r\nContent-Length: 05", None),
        ("00005", None),
        ("5, 6", "two different Content-Length values"),
        ("5\r\nContent-Length: 6", "two different Content-Length values"),
        ("+5", "Content-Length is not a number"),
        ("-5", "Content-Length is not a number"),
        ("5 5", "Content-Length is not a number"),
        ("٥", "Content-Length is not a number"),
        ("", "Content-Length is not a number"),
        ("9223372036854775808", "Content-Length overflows 63 bits"),
        ("9" * 5000, "Content-Length overflows 63 bits"),
    ],
)
def test_content_length(value: str, problem: str | None) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {value}\r\n\r\n"
    exchanges, _ = talk((">", GET % "a"), ("<", head + "hello\r\n"), ("<", "FIN"))
    assert [one.problem for one in exchanges] == [problem]
    assert exchanges[0].response_body_size == (7 if problem else 5)
    post = f"POST / HTTP/1.1\r\nContent-Length: {value}\r\n\r\n"
    exchanges, conversation = talk((">", post + "hello"))
    assert [one.problem for one in exchanges] == [problem]
    assert exchanges[0].request_complete is (problem is None)
    assert conversation.remainder == [5 if problem else 0, 0]


def test_transfer_encoding_wins_over_content_length() -> None:
    post = "POST / HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
    body = "1d\r\nGET /hidden HTTP/1.1\r\nHost:\r\n\r\n0\r\n\r\n".replace("Host:\r\n", "Host: a")
    exchanges, _ = talk((">", post + body), (">", GET % "b"))
    assert [one.target for one in exchanges] == ["/", "/b"]
    assert exchanges[0].problem == "both Transfer-Encoding and Content-Length"
    assert exchanges[0].request_body_size == 29


def test_transfer_encoding_that_does_not_end_in_chunked() -> None:
    coding = "Transfer-Encoding: chunked, gzip\r\n\r\n"
    exchanges, conversation = talk(
        (">", "POST / HTTP/1.1\r\n" + coding + "abc"),
        ("<", "HTTP/1.1 200 OK\r\n" + coding + OK),
        ("<", "FIN"),
    )
    assert told(exchanges) == [("/", 200, len(OK), True)]
    assert exchanges[0].problem == "Transfer-Encoding does not end in chunked"
    assert not exchanges[0].request_complete
    assert conversation.remainder == [3, 0]


def test_requests_hidden_in_content_are_content() -> None:
    post = f"POST / HTTP/1.1\r\nContent-Length: {len(GET % 'x')}\r\n\r\n" + GET % "x"
    exchanges, _ = talk((">", post), ("<", OK))
    assert told(exchanges) == [("/", 200, 5, True)]


def test_fields_folded_repeated_and_wrong() -> None:
    head = (
        "GET / HTTP/1.1\nAccept: a\n\tb\r\nX : 1\nACCEPT:c\r\nno colon\r\n: no name\r\nHost:\n\r\n"
    )
    (one,), _ = talk((">", head))
    assert one.request_fields == {"accept": "a b, c", "x": "1", "host": ""}
    assert one.request_size == len(head)
    assert one.problem == "white space before a field's colon; a field line without a colon"


def test_empty_lines_before_a_start_line_are_remainder() -> None:
    exchanges, conversation = talk((">", "\r\n\n" + GET % "a" + "\r\n"), ("<", OK))
    assert told(exchanges) == [("/a", 200, 5, True)]
    assert conversation.remainder == [5, 0]


def test_http_0_9() -> None:
    (one,), _ = talk((">", "GET /old\r\n"), ("<", "HTML is\r\n"), ("<", "all"), ("<", "FIN"))
    assert told([one]) == [("/old", None, 12, True)]
    assert (one.version, one.response_version, one.response_size) == ("0.9", "0.9", 12)
    (one,), _ = talk((">", "GET /old\r\n"), ("<", "HTTP/1.1 400 Bad\r\n\r\n"), ("<", "FIN"))
    assert (one.status, one.response_version, one.complete) == (400, "1.1", True)


def test_connect_is_followed_by_a_tunnel() -> None:
    conversation, at = Conversation(), Moment(1, 1)
    connect = b"CONNECT example.org:443 HTTP/1.1\r\n\r\n"
    assert conversation.data(Side.ORIG, connect + b"early", at) == b""
    refused = b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n"
    assert conversation.data(Side.RESP, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nserver", at) == b"server"  # fmt: skip
    assert conversation.switched == "connect"
    assert conversation.data(Side.ORIG, b" client", at) == b"early client"
    assert conversation.gap(Side.ORIG, 7, at) == 7
    assert told(conversation.end()) == [("example.org:443", 200, 0, True)]
    assert conversation.remainder == conversation.missing == [0, 0]

    exchanges, conversation = talk(
        (">", connect + (GET % "b").encode()), ("<", refused + OK.encode())
    )
    assert told(exchanges) == [("example.org:443", 407, 0, True), ("/b", 200, 5, True)]
    assert conversation.switched is None


@pytest.mark.parametrize("token", ["websocket", "h2c"])
def test_upgrade_switches_once_the_server_agrees(token: str) -> None:
    asked = GET.replace("\r\n\r\n", f"\r\nUpgrade: {token}\r\nConnection: upgrade\r\n\r\n")
    agreed = f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: {token.upper()}\r\n\r\n"
    exchanges, conversation = talk(
        (">", asked % "a"), ("<", OK), (">", asked % "b"), ("<", agreed + "\0\0"), (">", "\1")
    )
    assert told(exchanges) == [("/a", 200, 5, True), ("/b", 101, 0, True)]
    assert conversation.switched == token
    assert conversation.remainder == [0, 0]


def test_response_that_comes_before_its_request_has_ended() -> None:
    post = "POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\n12345"
    for rest, complete in (("67890", True), ("FIN", False)):
        (one,), _ = talk((">", post), ("<", OK), (">", rest))
        assert told([one]) == [("/", 200, 5, True)]
        assert one.request_complete is complete
        assert one.request_body_size == (10 if complete else 5)


def test_sides_that_were_not_seen() -> None:
    exchanges, _ = talk((">", GET % "a"), (">", GET % "b"))
    assert told(exchanges) == [("/a", None, 0, False), ("/b", None, 0, False)]
    exchanges, _ = talk(("<", OK), ("<", OK))
    assert told(exchanges) == [(None, 200, 5, True)] * 2
    assert all(one.request_start is None and one.request_size == 0 for one in exchanges)


def test_download_that_is_broken_off() -> None:
    (one,), _ = talk((">", GET % "a"), ("<", OK[:-2]), ("<", "RST"))
    assert told([one]) == [("/a", 200, 3, False)]


def test_gap_in_content_of_known_length_is_missing_and_nothing_else_is_lost() -> None:
    chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nh"
    exchanges, conversation = talk(
        (">", GET % "a"), ("<", OK[:-4]), ("<", 3), ("<", "o"),
        (">", GET % "b"), ("<", chunked), ("<", 4), ("<", "\r\n0\r\n\r\n"),
        (">", GET % "c"), ("<", OK),
    )  # fmt: skip
    assert told(exchanges) == [("/a", 200, 2, False), ("/b", 200, 1, False), ("/c", 200, 5, True)]
    assert [one.response_missing for one in exchanges] == [3, 4, 0]
    assert conversation.remainder == [0, 0]


def test_gap_beyond_a_message_ends_it_and_the_next_is_sought() -> None:
    exchanges, conversation = talk(
        (">", GET % "a"), ("<", OK[:-4]), ("<", 30), ("<", "HTTP/1.1 2 rubbish\r\n"),
        (">", GET % "b"), ("<", OK),
    )  # fmt: skip
    assert told(exchanges) == [("/a", 200, 1, False), ("/b", 200, 5, True)]
    assert exchanges[0].response_missing == 4
    assert conversation.missing == [0, 26]
    assert conversation.remainder == [0, 20]


def test_gap_in_a_head_leaves_what_was_seen_of_it() -> None:
    exchanges, conversation = talk(
        (">", "GET /a HTTP/1.1\r\nHost: example.org\r\nUser-Ag"), (">", 20),
        (">", "rest\r\n\r\n"), ("<", OK), (">", GET % "b"), ("<", OK),
    )  # fmt: skip
    assert told(exchanges) == [("/a", 200, 5, True), ("/b", 200, 5, True)]
    assert exchanges[0].request_fields == {"host": "example.org"}
    assert exchanges[0].problem == "head is cut short"
    assert exchanges[0].request_missing == 20
    assert conversation.remainder == [8, 0]


def test_content_to_the_close_goes_on_behind_a_gap() -> None:
    (one,), _ = talk((">", GET % "a"), ("<", "HTTP/1.1 200 OK\r\n\r\nab"), ("<", 9), ("<", "c"), ("<", "FIN"))  # fmt: skip
    assert told([one]) == [("/a", 200, 3, False)]
    assert one.response_missing == 9


def test_lost_response_does_not_shift_those_after_it() -> None:
    exchanges, _ = talk(
        (">", GET % "a"), ("<", OK), (">", GET % "lost"), (">", GET % "b"), ("<", len(OK)),
        ("<", OK), (">", GET % "c"), ("<", OK),
    )  # fmt: skip
    assert told(exchanges) == [
        ("/a", 200, 5, True), ("/lost", None, 0, False), ("/b", 200, 5, True), ("/c", 200, 5, True),
    ]  # fmt: skip
    assert exchanges[1].problem == LOST_RESPONSE


def test_lost_request_does_not_shift_those_after_it() -> None:
    exchanges, _ = talk(
        (">", GET % "a"), ("<", OK), (">", 50), ("<", OK.replace("200", "404")), (">", GET % "b"),
        ("<", OK),
    )  # fmt: skip
    assert told(exchanges) == [("/a", 200, 5, True), (None, 404, 5, True), ("/b", 200, 5, True)]


def test_pipelined_responses_after_a_loss_are_in_step_again_after_a_pause() -> None:
    exchanges, _ = talk(
        (">", GET % "a" + GET % "b"), ("<", OK + OK),
        (">", GET % "c" + GET % "lost" + GET % "d"), ("<", OK), ("<", len(OK)), ("<", OK),
        (">", GET % "e" + GET % "f"), ("<", OK), ("<", OK),
    )  # fmt: skip
    answered = {one.target: one.status for one in exchanges}
    assert [one.target for one in exchanges] == ["/a", "/b", "/c", "/lost", "/d", "/e", "/f"]
    assert (answered["/e"], answered["/f"]) == (200, 200)
    assert list(answered.values()).count(None) == 1  # which of the two is not known


def test_capture_that_begins_in_the_midst() -> None:
    exchanges, conversation = talk(
        ("<", b"content\nHTTP/1.1 2\r\n\xff"), ("<", "\r\n" + OK), (">", "of it\r\n" + GET % "a"),
        ("<", OK), midstream=True,
    )  # fmt: skip
    assert told(exchanges) == [(None, 200, 5, True), ("/a", 200, 5, True)]
    assert conversation.remainder == [7, 23]


def test_response_is_found_behind_content_that_does_not_end_with_a_line() -> None:
    exchanges, conversation = talk(
        ("<", b"\0\xffHTTP/1.0 HTTP/1.1 20"), (">", GET % "a"), ("<", OK[11:]), ("<", b"\r\nH" + OK.encode()),
        midstream=True,
    )  # fmt: skip
    assert told(exchanges) == [(None, 200, 5, True), ("/a", 200, 5, True)]
    assert conversation.remainder == [0, 14]


def test_tls_to_a_server_of_http_is_remainder_and_its_answer_stands_alone() -> None:
    exchanges, conversation = talk((">", b"\x16\x03\x01\0\x05hello"), ("<", OK))
    assert told(exchanges) == [(None, 200, 5, True)]
    assert conversation.remainder == [10, 0]


def test_idle_timeout_is_a_response_without_a_request() -> None:
    exchanges, _ = talk(
        (">", GET % "a"), ("<", OK), ("<", OK.replace("200", "408")), ("<", "FIN"), (">", "FIN")
    )
    assert told(exchanges) == [("/a", 200, 5, True), (None, 408, 5, True)]


@pytest.mark.parametrize("size", [MAX_HEAD, MAX_HEAD + 1])
@pytest.mark.parametrize("piece", [MAX_HEAD + 100, 1000])
def test_head_that_is_too_long(size: int, piece: int) -> None:
    head = "GET /long HTTP/1.1\r\nCookie: "
    head += "x" * (size - len(head) - 4) + "\r\n\r\n"
    turns = [(">", head[place : place + piece]) for place in range(0, size, piece)]
    exchanges, conversation = talk(*turns, ("<", OK), (">", GET % "b"), ("<", OK))
    assert told(exchanges) == [("/long", 200, 5, True), ("/b", 200, 5, True)]
    assert exchanges[0].request_complete is (size == MAX_HEAD)
    assert exchanges[0].request_size == MAX_HEAD
    assert conversation.remainder == [size - MAX_HEAD, 0]
    assert exchanges[0].problem == (None if size == MAX_HEAD else "head is longer than 256 KiB")


def test_start_line_that_is_too_long_is_remainder() -> None:
    line = "GET /" + "x" * MAX_HEAD + " HTTP/1.1\r\n"
    exchanges, conversation = talk((">", line), ("<", OK), (">", GET % "b"), ("<", OK))
    assert told(exchanges) == [(None, 200, 5, True), ("/b", 200, 5, True)]
    assert conversation.remainder == [len(line), 0]


def test_many_fields_are_not_kept_but_frame_the_message() -> None:
    many = "".join(f"X-{n}: {n}\r\n" for n in range(2000))
    (one,), _ = talk((">", f"POST / HTTP/1.1\r\n{many}Content-Length: 3\r\n\r\nabc"))
    assert len(one.request_fields) == 501
    assert one.problem == "more than 500 field names"
    assert one.request_body_size == 3
    assert one.request_complete


def test_more_requests_than_may_wait_keep_the_order_of_the_rest() -> None:
    asked = "".join(f"GET /{n} HTTP/1.1\r\n\r\n" for n in range(MAX_WAITING + 2))
    exchanges, _ = talk((">", asked), ("<", OK * 3))
    assert [one.problem for one in exchanges[:2]] == [TOO_MANY, TOO_MANY]
    assert told(exchanges[2:5]) == [(None, 200, 5, True)] * 2 + [("/2", 200, 5, True)]
    assert len(exchanges) == MAX_WAITING + 4


def test_content_is_neither_copied_nor_kept() -> None:
    conversation, at, piece = Conversation(), Moment(1, 1), bytes(1 << 20)
    conversation.data(Side.ORIG, (GET % "a").encode(), at)
    conversation.data(Side.RESP, b"HTTP/1.1 200 OK\r\nContent-Length: 1099511627776\r\n\r\n", at)
    tracemalloc.start()
    for _ in range(200):
        conversation.data(Side.RESP, piece, at)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100_000
    assert conversation.end()[0].response_body_size == 200 << 20
