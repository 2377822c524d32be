"""A capture that goes on from file to file gives the records of one file."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judging import FILES, conserved, cut, moved, records, sample
from polars.testing import assert_frame_equal

from l7meter.captures import Capture, Sums
from l7meter.captures.containers import is_capture
from l7meter.captures.records import SCHEMA

PCAPS = [name for name in FILES if is_capture(sample(name)) == "pcap"]


def read(files: list[bytes], engine: str) -> tuple[pl.DataFrame, Capture]:
    capture = Capture([files[0]], engine=engine, following=[[file] for file in files[1:]])
    return pl.concat(capture.frames()).sort("source_line", *SCHEMA.names()), capture


@pytest.mark.parametrize("name", PCAPS)
@settings(max_examples=8, deadline=None, derandomize=True)
@given(places=st.lists(st.integers(0, 400), max_size=4), engine=st.sampled_from(["columnar", "exact"]))  # fmt: skip
def test_wherever_it_is_cut(name: str, places: list[int], engine: str) -> None:
    whole, sums, problem = records(sample(name))
    frame, capture = read(cut(sample(name), *places), engine)
    assert_frame_equal(frame, whole)
    conserved(frame, capture.sums)
    assert (capture.sums.packets, capture.sums.skipped) == (sums.packets, sums.skipped)
    assert bool(capture.problem) == bool(problem)


def test_each_file_knows_the_packets_before_it() -> None:
    _, capture = read(cut(sample("keep-alive.pcap"), 4, 4, 10), "columnar")
    assert [file.before.packets for file in capture.files] == [0, 4, 4, 10]


def test_file_that_begins_before_the_one_ahead_of_it_has_ended_is_a_capture_of_its_own() -> None:
    """As of two interfaces at once: the same ports, but each connection counts where it was seen."""
    alone, sums, _ = records(sample("keep-alive.pcap"))
    late = moved(sample("keep-alive.pcap"), lambda _: -3)
    frame, capture = read([sample("keep-alive.pcap"), late], "columnar")
    assert frame.height == 2 * alone.height
    assert frame["response_size"].sum() == 2 * alone["response_size"].sum()
    assert capture.sums.connections == 2 * sums.connections
    assert set(frame["missing_bytes"].to_list()) == {0}


def test_broken_file_is_told_and_the_next_one_goes_on() -> None:
    first, second = cut(sample("keep-alive.pcap"), 6)
    frame, capture = read([first + b"\xff" * 40, second], "columnar")
    assert_frame_equal(frame, records(sample("keep-alive.pcap"))[0])
    assert [bool(file.container.problem) for file in capture.files] == [True, False]


@given(st.integers(0, 9), st.integers(0, 9))
def test_sums_add_up_and_come_apart(one: int, other: int) -> None:
    first, second = Sums(packets=one), Sums(packets=other, wire_bytes=one)
    first.skipped["a reason"] = 3
    both = first + second
    assert (both.packets, both.wire_bytes, both.skipped) == (one + other, one, {"a reason": 3})
    assert both - first == second
