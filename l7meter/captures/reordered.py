"""Data of one end that came out of order, put in order by columns."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from l7meter.captures.tcp import SPACE
from l7meter.captures.window import Integers, Rows


class Reordered(NamedTuple):
    """Data without a hole, of the first rows of some: which carry them, in the order of the stream.

    `came` are the rows by which each of `data`, and all before it, had come.
    """

    behind: int  # the rows' end
    data: Integers
    came: Integers


def reordered(
    first: int, seq: Integers, length: Integers, ack: Integers, opposite: Rows
) -> Reordered | None:
    """As many rows as end without a hole, of packets in the order in which they passed.

    `first` is the sequence number that the stream goes on with; all data are of that stream's end.
    `ack` is -1 where there is none, `opposite` says which rows are of the other end. None where a
    hole stays, and where octets came twice or were acknowledged before they were captured: those
    are told packet by packet.
    """
    data = np.flatnonzero(length > 0)
    size, place = length[data], _since(seq[data], first)
    whole = np.flatnonzero(np.maximum.accumulate(place + size) == np.cumsum(size))
    if not len(whole):
        return None
    last = int(whole[-1])
    behind = int(data[last + 1]) if last + 1 < len(data) else len(seq)
    order = np.argsort(place[: last + 1], kind="stable")
    size, place, data = size[order], place[order], data[order]
    end = np.cumsum(size)
    if (place != end - size).any():
        return None
    came = np.maximum.accumulate(data)
    answers = np.flatnonzero(opposite[:behind] & (ack[:behind] >= 0))
    proven = np.append(0, end)[np.searchsorted(came, answers)]
    if (_since(ack[answers], first) > proven).any():
        return None
    return Reordered(behind, data, came)


def _since(seq: Integers, first: int) -> Integers:
    """Octets from the first one on; sequence numbers wrap."""
    since: Integers = (seq - first + SPACE // 2) % SPACE - SPACE // 2
    return since
