"""Data of one end that came out of order, put in order by columns."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from l7meter.captures.tcp import FAR, SPACE
from l7meter.captures.window import Integers, Rows


class Reordered(NamedTuple):
    """Data in the order of the stream: of rows, or (below 0) of what was held, the last one -1.

    It is all of the first so many `rows`. `data` are without a hole, `came` the rows by which each
    and all before it had come, `sizes` their octets summed up; `late` are behind a hole that stays.
    """

    rows: int
    data: Integers
    came: Integers
    sizes: Integers
    late: Integers


def reordered(
    first: int,
    held: list[tuple[int, int]],
    seq: Integers,
    length: Integers,
    ack: Integers,
    opposite: Rows,
) -> Reordered | None:
    """Packets in the order in which they passed, put in the order of their stream.

    `first` is the sequence number that the stream goes on with, `held` are places behind it and
    lengths of what came before; all data are of that stream's end. `ack` is -1 where there is none,
    `opposite` says which rows are of the other end. Of segments that came again the first counts.
    Rows end before one that acknowledges octets that had not come: patience with a hole is told
    packet by packet. None where there are no others, and where data overlap in part or lie far off.
    """
    data = np.flatnonzero(length > 0)
    before = np.array(held, np.int64).reshape(-1, 2)
    place = np.concatenate([before[:, 0], since(seq[data], first)])
    size = np.concatenate([before[:, 1], length[data]])
    row = np.concatenate([np.arange(-len(before), 0), data])
    if (place > FAR).any():
        return None
    order = np.argsort(place, kind="stable")
    place, size, row = place[order], size[order], row[order]
    if (old := place < 0).any():
        if (place + size)[old].max() > 0:
            return None
        place, size, row = place[~old], size[~old], row[~old]
    again = np.zeros(len(place), np.bool_)
    again[1:] = (place[1:] == place[:-1]) & (size[1:] == size[:-1])
    came, ends, sizes = row[~again], (place + size)[~again], size[~again]
    if (ends[1:] - sizes[1:] < ends[:-1]).any():
        return None
    whole = int((ends == np.cumsum(sizes)).sum())  # no hole is before these
    data, ends = came[:whole], ends[:whole]
    came = np.maximum.accumulate(data)
    late = row[place >= (ends[-1] if whole else 0)]
    answers = np.flatnonzero(opposite & (ack >= 0))
    proven = np.append(0, ends)[np.searchsorted(came, answers)]
    early = answers[since(ack[answers], first) > proven]
    if len(early):
        rows = int(early[0])
        columns = (seq[:rows], length[:rows], ack[:rows], opposite[:rows])
        return reordered(first, held, *columns) if length[:rows].any() else None
    return Reordered(len(length), data, came, ends, late)


def since(seq: Integers, first: Integers | int) -> Integers:
    """Octets from the first one on; sequence numbers wrap."""
    octets: Integers = (seq - first + SPACE // 2) % SPACE - SPACE // 2
    return octets
