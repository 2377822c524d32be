"""Answers whose packets overtook each other, or came again, are columns all the same."""

from __future__ import annotations

from typing import Any

import pytest
from dialogs import (
    CLIENT,
    MSS,
    Path,
    Sent,
    capture,
    conversation,
    copied,
    exchange,
    honest,
    late,
    mixed,
    sent_again,
    wrapped,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from judging import hold_at_most, judged
from packets import ACK

from l7meter.captures.connection import Connection
from l7meter.captures.run import Run
from l7meter.captures.settled import Settled

ALL = 16 << 20
ISN = st.sampled_from([5000, 2**31 - 700, 2**32 - 3000])
SIZES = st.sampled_from([0, 1, MSS - 41, 4000, 9000, 9000, 20_000])  # a head has 41 octets
BY = st.sampled_from([-MSS, -700, 1, 700, MSS, 2 * MSS, 2**30 + 10**6, 2**31])


@st.composite
def disordered(draw: st.DrawFn) -> list[Sent]:
    """Exchanges one after the other; packets of theirs are late or there again."""
    kinds = st.sampled_from(["length", "length", "length", "head", "304"])
    made = draw(st.lists(st.builds(exchange, kinds, st.just("/a"), SIZES), min_size=1, max_size=4))
    segments = conversation(
        [turn for one in made for turn in one.turns],
        isn=(draw(ISN), draw(ISN)),
        acknowledge=draw(st.integers(0, 2)),
        ending=draw(st.sampled_from(["fin", "fin", "fin", "open"])),
    )
    data = [place for place, each in enumerate(segments) if each.payload]
    places = st.sampled_from(data)
    segments = late(segments, draw(st.lists(st.tuples(places, st.integers(1, 9)), min_size=1, max_size=3)))  # fmt: skip
    again = st.lists(st.tuples(places, st.sampled_from([0, 0, 1, 3, 12])), max_size=3)
    segments = copied(segments, draw(again))
    return honest(segments) if draw(st.integers(0, 3)) else segments


@st.composite
def damaged(draw: st.DrawFn) -> list[Sent]:
    """The same, with something wrong of another kind."""
    segments = draw(disordered())
    kind = draw(st.sampled_from(["again", "gone", "moved", "midst", "seq", "seq"]))
    place = draw(st.integers(0, len(segments) - 1))
    one = segments[place]
    if kind == "again":
        octets = st.integers(0, 2000)
        return sent_again(segments, [(place, draw(octets), draw(octets))])
    if kind == "midst":
        return segments[place:]
    del segments[place]
    if kind == "moved":
        segments.insert(draw(st.integers(0, len(segments))), one)
    elif kind == "seq":
        segments.insert(place, one._replace(seq=(one.seq + draw(BY)) % 2**32))
    return segments


@st.composite
def acknowledged(draw: st.DrawFn) -> list[Sent]:
    """The same; of the client's acknowledgements some are wrong, or are not there."""
    segments = draw(disordered())
    for _ in range(draw(st.integers(1, 2))):
        place = draw(st.sampled_from([n for n, each in enumerate(segments) if each.side == CLIENT]))
        one, by = segments[place], draw(st.none() | BY)
        if by is None:
            segments[place] = one._replace(flags=one.flags & ~ACK, ack=0)
        else:
            segments[place] = one._replace(ack=(one.ack + by) % 2**32)
    return segments


@settings(max_examples=400, deadline=None, derandomize=True)
@given(
    st.lists(disordered() | damaged(), min_size=1, max_size=3),
    st.lists(st.integers(0, 5), min_size=1, max_size=6),
    st.sampled_from([9000, 30_000, None, None]),
    st.sampled_from([(4096, ALL), (4096, ALL), (4, ALL), (4096, 5000)]),
)
def test_both_paths_agree_on_disorder(
    connections: list[list[Sent]], order: list[int], window: int | None, limits: tuple[int, int]
) -> None:
    parts = [wrapped(each, Path(40000 + number)) for number, each in enumerate(connections)]
    with pytest.MonkeyPatch.context() as patch:
        hold_at_most(patch, *limits)
        judged(capture(mixed(parts, order)), window)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(
    st.lists(acknowledged(), min_size=1, max_size=2),
    st.sampled_from([3000, 9000, None, None]),
    st.sampled_from([(0, 64), (0, 0), (3, 0)]),
)
def test_both_paths_agree_on_what_is_acknowledged_too_early(
    connections: list[list[Sent]], window: int | None, patience: tuple[int, int]
) -> None:
    parts = [wrapped(each, Path(40000 + number)) for number, each in enumerate(connections)]
    with pytest.MonkeyPatch.context() as patch:
        hold_at_most(patch, 4096, ALL, *patience)
        judged(capture(mixed(parts, [0, 1])), window)


@pytest.mark.parametrize("port", [39999, 40001])
@pytest.mark.parametrize("early", [1, 3 * MSS, None])
def test_each_acknowledgement_counts_where_an_answer_came_late(
    early: int | None, port: int
) -> None:
    """One is too early by so many octets, or those up to it are not there; windows cut anywhere."""
    turns = [turn for size in (100, 9000, 100) for turn in exchange("length", "/", size).turns]
    sent = conversation(turns, acknowledge=1)
    second = [n for n, each in enumerate(sent) if len(each.payload) == MSS][1]  # of the long answer
    right = honest(late(sent, [(second, 3)]))
    for place in (n for n, each in enumerate(right) if each.side == CLIENT):
        segments = list(right)
        if early:
            segments[place] = right[place]._replace(ack=right[place].ack + early)
        else:
            for n in range(place + 1):
                silent = ACK * (right[n].side == CLIENT)
                segments[n] = right[n]._replace(flags=right[n].flags & ~silent)
        octets = capture(mixed([wrapped(segments, Path(40000)), wrapped(right, Path(port))], [0, 1]))  # fmt: skip
        for window in (None, *range(1500, 12000, 1000)):
            with pytest.MonkeyPatch.context() as patch:
                hold_at_most(patch, 4096, ALL, 0, 0)
                judged(octets, window)


DAMAGES = {
    "late": lambda segments: late(segments, [(-100, 7), (-50, 3), (-20, 12)]),
    "first": lambda segments: late(segments, [(4, 3)]),
    "twice": lambda segments: copied(segments, [(-100, 7), (-50, 0)]),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_exchanges_in_disorder_are_skipped(damage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    skipped: list[int] = []
    skip = Connection.skip

    def counted(self: Connection, run: Run, *rest: Any) -> Any:
        skipped.append(len(run.rows))
        return skip(self, run, *rest)

    monkeypatch.setattr(Connection, "skip", counted)
    large = exchange("length", "/", 200_000)
    segments = conversation([*large.turns, *large.turns], ending="open")
    judged(capture(wrapped(honest(DAMAGES[damage](segments)), Path())))
    assert sum(skipped) > 400


@pytest.mark.parametrize("damage", DAMAGES)
def test_connections_in_disorder_are_taken_whole(damage: str, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    settled: list[int] = []
    settle = Settled.settle

    def counted(self: Settled, view: Any, lane: Any, made: Any, ends: Any) -> Any:
        settled.append(len(ends))
        return settle(self, view, lane, made, ends)

    monkeypatch.setattr(Settled, "settle", counted)
    large = exchange("length", "/", 200_000)
    segments = conversation([*large.turns, *large.turns])
    judged(capture(wrapped(honest(DAMAGES[damage](segments)), Path())))
    assert settled == [1]
