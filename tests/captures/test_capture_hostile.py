"""Whatever the octets: nothing is raised, every packet and octet is counted, and limits hold."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import pytest
from dialogs import CLIENT, SERVER, Path, Sent, capture, conversation, exchange, wrapped
from hypothesis import given, settings
from hypothesis import strategies as st
from judging import FILES, conserved, judged, records, sample
from packets import ACK, FIN, START, SYN, pcap

from l7meter.captures import Capture, engine, exact, settled, tcp
from l7meter.captures.base import Moment
from l7meter.captures.containers import Container
from l7meter.captures.pairing import MAX_WAITING

SMALL = [name for name in FILES if len(sample(name)) < 15_000]
PLACE = st.integers(0, 2**20)  # taken modulo what there is
MUTATIONS = st.lists(
    st.tuples(st.just("set"), PLACE, st.sampled_from([0, 1, 4, 0x7F, 0x80, 0xFF]))
    | st.tuples(st.just("set"), PLACE, st.integers(0, 255))
    | st.tuples(st.just("flip"), PLACE, st.integers(0, 7))
    | st.tuples(st.just("cut"), PLACE, st.integers(1, 100))
    | st.tuples(st.just("double"), PLACE, st.integers(1, 100)),
    min_size=1,
    max_size=8,
)


def mutated(octets: bytes, mutations: list[tuple[str, int, int]]) -> bytes:
    made = bytearray(octets)
    for what, place, value in mutations:
        at = 24 + place % (len(octets) - 24)  # behind the header of the file
        if what == "cut":
            del made[at : at + value]
        elif what == "double":
            made[at:at] = made[at : at + value]
        elif at < len(made):
            made[at] = value if what == "set" else made[at] ^ 1 << value
    return bytes(made)


@settings(max_examples=250, deadline=None, derandomize=True)
@given(st.sampled_from(SMALL), MUTATIONS, st.sampled_from([None, 1, 3000]), st.integers(2, 4))
def test_mutated_captures_are_counted_and_both_paths_agree(
    name: str, mutations: list[tuple[str, int, int]], window: int | None, short: int
) -> None:
    judged(mutated(sample(name), mutations), window, short, steady=False)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.sampled_from(SMALL), PLACE)
def test_a_capture_may_end_anywhere(name: str, place: int) -> None:
    octets = sample(name)
    judged(octets[: place % len(octets)])


def test_a_clock_that_goes_back_for_a_packet_ends_the_connection_on_both_paths() -> None:
    frames = wrapped(conversation(exchange("length", "/", 20_000).turns), Path())
    times = [START + number * 1000 - 10**15 * (number == 12) for number in range(len(frames))]
    frame = judged(pcap(list(zip(times, frames, strict=True)), ns=True), steady=False)
    assert frame.height == 2


def test_an_acknowledgement_that_comes_first_begins_its_side_on_both_paths() -> None:
    whole = conversation(exchange("length", "/", 20_000).turns)
    asked = [each for each in whole if each.side == CLIENT and (each.payload or each.flags & SYN)]
    rest = [each for each in whole if each not in asked and not each.flags & FIN]
    answers = [each for each in rest if each.payload]
    acknowledgements = [each for each in rest[2:] if not each.payload]
    late = [*answers[:8], *acknowledgements[:1], *answers[8:], *asked]
    judged(capture(wrapped(late, Path())), window=8000)


def test_an_upgrade_to_http2_that_nobody_answers_is_one_record() -> None:
    fields = b"Host: example.org\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    ask = b"GET / HTTP/1.1\r\n" + fields + b"HTTP2-Settings: AAMAAABk\r\n\r\n"
    switch = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    settings = b"\0\0\0\x04\0\0\0\0\0"
    turns = [(CLIENT, ask), (SERVER, switch + settings)]
    (row,) = judged(capture(wrapped(conversation(turns), Path()))).to_dicts()
    assert (row["response_status_code"], row["response_size"]) == (101, len(switch))


def test_half_open_connections_are_let_go_beyond_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exact, "OPEN", 50)
    scan = [wrapped([Sent(CLIENT, 1, 0, SYN)], Path(port)) for port in range(1000, 2000)]
    octets = capture(frame for each in scan for frame in each)
    for engine_name in ("exact", "columnar"):
        frame, sums, _ = records(octets, engine_name)
        conserved(frame, sums)
        assert sums.limits == {"open connections": 950}
        assert set(frame["exchange_kind"]) == {"remainder"}
        assert sorted(frame["client_port"].to_list()) == list(range(1000, 2000))


def test_closed_connections_wait_no_more_beyond_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settled, "MOST", 2)
    turns = exchange("length", "/", 9).turns
    parts = [wrapped(conversation(turns), Path(port)) for port in (1000, 1001, 1002)]
    octets = capture(frame for part in parts for frame in part)
    frame, sums, _ = records(octets, "columnar")
    conserved(frame, sums)
    assert sums.limits == {settled.LIMIT: 3}
    assert frame["exchange_kind"].to_list() == ["http"] * 3


@pytest.mark.parametrize("engine_name", ["exact", "columnar"])
@pytest.mark.parametrize("side", [CLIENT, SERVER])
def test_a_head_that_never_ends_is_not_kept(
    engine_name: str, side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = exchange("length", "/", 10)
    start = b"GET / HTTP/1.1\r\nA: " if side == CLIENT else b"HTTP/1.1 200 OK\r\nA: "
    turns = [*whole.turns[:side], (side, start + b"a" * 4_000_000)]
    octets = capture(wrapped(conversation(turns, mss=[9000]), Path()))
    monkeypatch.setattr(engine, "Container", lambda pieces: Container(pieces, 1 << 16))

    def pieces() -> Iterator[bytes]:
        yield from (octets[at : at + 10_000] for at in range(0, len(octets), 10_000))

    tracemalloc.start()
    try:
        read = Capture(pieces(), engine=engine_name)
        rows = sum(frame.height for frame in read.frames())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3_000_000
    assert rows in (1, 2)
    assert read.sums.payload_bytes == sum(len(octets) for _, octets in turns)
    assert read.sums.packets == read.sums.carried


def test_segments_out_of_order_are_held_within_limits() -> None:
    stream, size, count = tcp.Stream(), 10, 100_000
    first = tcp.Segment(1, 2, 0, None, SYN, b"", 0)
    pieces = list(stream.segment(first, Moment(0, 1)))
    most = 0
    for number in range(count, 0, -1):  # the last comes first
        seq = 1 + number * size
        segment = tcp.Segment(1, 2, seq, 5, ACK, bytes(size), size)
        pieces += stream.segment(segment, Moment(0, 2))
        stream.acknowledged(1 + (count + 1) * size)
        most = max(most, len(stream._held))
    pieces += stream.end(Moment(0, 3))
    assert most <= tcp.HELD_SEGMENTS
    assert sum(len(piece.octets) for piece in pieces) == stream.octets
    assert sum(piece.missing for piece in pieces) == stream.missing
    assert stream.octets + stream.missing == (count + 1) * size
    assert stream.octets + stream.repeated == count * size


def test_a_hole_that_is_never_acknowledged_is_held_within_limits() -> None:
    stream = tcp.Stream()
    list(stream.segment(tcp.Segment(1, 2, 0, None, SYN, b"", 0), Moment(0, 1)))
    stream.acknowledged(1)
    most, given = 0, 0
    for number in range(20_000):
        segment = tcp.Segment(1, 2, 100 + number * 20, 5, ACK, bytes(10), 10)  # each after a hole
        given += sum(len(piece.octets) for piece in stream.segment(segment, Moment(0, 2)))
        most = max(most, len(stream._held))
    assert most == tcp.HELD_SEGMENTS
    assert given == (20_000 - tcp.HELD_SEGMENTS) * 10
    assert stream.limits == {"segments held for reassembly": 20_000 - tcp.HELD_SEGMENTS}


def test_segments_of_one_octet_make_the_same_exchange() -> None:
    one = exchange("chunked", "/", 3000)
    row = judged(capture(wrapped(conversation(one.turns, mss=[1]), Path()))).row(0, named=True)
    assert (row["response_size"], row["response_body_size"]) == (one.size(SERVER), 3000)
    assert row["complete"]


def test_requests_that_nobody_answers_are_all_records() -> None:
    ask = exchange("length", "/", 1).turns[0][1]
    count = MAX_WAITING + 500
    frame = judged(capture(wrapped(conversation([(CLIENT, ask * count)], mss=[9000]), Path())))
    assert frame.height == count
    assert set(frame["request_size"]) == {len(ask)}
    assert frame["response_size"].null_count() == count
