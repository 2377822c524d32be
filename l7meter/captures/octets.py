"""Stretches of a window's octets as columns: where something stands in them, and their text."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from l7meter.captures.window import Integers, words

WIDTHS = (128, 320, 1024, 8192)  # octets that are looked at next, as long as nothing is found
AT_ONCE = 1 << 19  # octets, of several stretches: what stays in a processor's cache
SHORT = 12  # octets of a text that stands in its view itself


def find(
    data: memoryview, start: Integers, behind: Integers, what: bytes, width: int = 0
) -> Integers:
    """Where `what` first stands between each start and the place behind its end; -1: nowhere.

    Looks no further than some 8 KiB; at `width` octets or more at first.
    """
    places, at = np.full(len(start), -1), start.copy()
    left = np.arange(len(start))
    for seen in (each for each in WIDTHS if each >= width):
        for block in np.array_split(left, len(left) * seen // AT_ONCE + 1):
            places[block] = _first(data, at[block], behind[block], what, seen)
        left = left[(places[left] < 0) & (at[left] + seen < behind[left])]
        at[left] += seen - len(what) + 1
    return places


def _first(
    data: memoryview, start: Integers, behind: Integers, what: bytes, width: int
) -> Integers:
    places = np.full(len(start), -1)
    for each in np.flatnonzero(start + width > len(data)).tolist():
        begin = int(start[each])
        there = bytes(data[begin : behind[each]]).find(what)
        places[each] = there if there < 0 else begin + there
    rows = np.flatnonzero(start + width <= len(data))
    if not len(rows):
        return places
    seen = beside(data, start[rows], width)
    span = width - len(what) + 1
    second, last = min(1, len(what) - 1), len(what) - 1  # two octets of it tell nearly all
    there = seen[:, second : second + span] == what[second]
    if last > second:
        there &= seen[:, last : last + span] == what[last]
    row, place = np.divmod(np.flatnonzero(there), span)
    good = start[rows[row]] + place + len(what) <= behind[rows[row]]
    for n, octet in enumerate(what):
        good &= seen[row, place + n] == octet
    row, place = row[good], place[good]
    first = np.ones(len(row), np.bool_)
    first[1:] = row[1:] != row[:-1]
    found = rows[row[first]]
    places[found] = start[found] + place[first]
    return places


def beside(data: memoryview, places: Integers, width: int) -> NDArray[np.uint8]:
    """So many octets from each place on, beside each other; none reaches beyond the data."""
    if not len(places):
        return np.zeros((0, width), np.uint8)
    octets = np.frombuffer(data, np.uint8)
    return np.lib.stride_tricks.sliding_window_view(octets, width)[places]


def stretches(data: memoryview, start: Integers, size: Integers) -> pl.Series:
    """Octets as binary, those of more than a few not copied: they hold on to the data."""
    # https://arrow.apache.org/docs/format/Columnar.html#variable-size-binary-view-layout
    views = np.zeros((len(start), 4), np.int32)
    views[:, 0] = size
    short = size <= SHORT
    long = np.flatnonzero(~short)
    if len(long):
        views[long, 1] = words(data, "<")[start[long]].view(np.int32)
        views[long, 3] = start[long]
    octets = views.view(np.uint8)
    for row in np.flatnonzero(short & (size > 0)).tolist():
        octets[row, 4 : 4 + size[row]] = list(data[start[row] : start[row] + size[row]])
    buffers = [None, pa.py_buffer(views), pa.py_buffer(data)]
    made = pa.BinaryViewArray.from_buffers(pa.binary_view(), len(start), buffers)
    # As a batch: of an array by itself Polars asks pyarrow.compute, 35 ms to import
    return pl.DataFrame(pa.record_batch([made], ["octets"]))["octets"]


class Met:
    """Numbers distinct octets in the order in which they were met."""

    def __init__(self) -> None:
        self.octets = 0  # of all that was met
        self._known = pl.DataFrame(schema={"octets": pl.Binary, "number": pl.Int64})

    def numbers(self, octets: pl.Series) -> tuple[Integers, list[bytes]]:
        """The number of each; and those that had none before, by their numbers."""
        numbers = self._numbers(octets)
        fresh: list[bytes] = []
        unmet = np.flatnonzero(numbers < 0)
        if len(unmet):
            fresh = octets[unmet].unique(maintain_order=True).to_list()
            place = np.arange(len(fresh)) + self._known.height
            self.octets += sum(map(len, fresh))
            more = pl.DataFrame({"octets": fresh, "number": place}, schema=self._known.schema)
            self._known = pl.concat([self._known, more], rechunk=True)
            numbers[unmet] = self._numbers(octets[unmet])
        return numbers, fresh

    def _numbers(self, octets: pl.Series) -> Integers:
        asked = octets.to_frame("octets")
        found = asked.join(self._known, on="octets", how="left", maintain_order="left")
        numbers: Integers = found["number"].fill_null(-1).to_numpy(writable=True)
        return numbers
