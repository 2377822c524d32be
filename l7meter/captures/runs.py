"""The packets of a window put in order by connection, and cut into runs.

A run is what a loop need not look into: segments of one direction, each where the one before ended,
and bare acknowledgements of either between them. A segment that opens, closes or resets is a run of
its own. What a run means for its connection is for the exact path to say, once a run.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from l7meter.captures.headers import Headers
from l7meter.captures.tcp import SPACE, SPECIAL
from l7meter.captures.window import Window

Integers = NDArray[np.int64]
Rows = NDArray[np.bool_]
_IPV6_NAMES = 1 << 40  # endpoints of IPv6 are numbered from here, behind those of IPv4
ADDRESS = {4: (12, 4), 6: (8, 16)}  # place of the source address in the IP header, and octets


class Runs(NamedTuple):
    """`rows` are packets of the window, sorted by connection and, in it, as captured.

    `sender` says of each row which end sent it: 0 for the lower one of the pair. `run` cuts rows at
    the start of each run, `turn` where a stretch with data of one end ends or a single packet does more,
    `connection` at the start of each connection; all end with the number of rows.
    """

    rows: Integers
    sender: Integers
    run: Integers
    turn: Integers
    connection: Integers


def cut(window: Window, headers: Headers) -> Runs:
    """The runs of the packets that are plain."""
    plain = np.flatnonzero(headers.plain)
    source, destination = _endpoints(window, headers, plain)
    low, high = np.minimum(source, destination), np.maximum(source, destination)
    order = np.lexsort((high, low))  # stable: packets of a connection stay as captured
    rows, low, high = plain[order], low[order], high[order]
    fresh = np.ones(len(rows), np.bool_)
    fresh[1:] = (low[1:] != low[:-1]) | (high[1:] != high[:-1])
    sender = (source[order] != low).astype(np.int64)
    run, turn = _breaks(headers, rows, sender, fresh)
    cuts = (np.append(np.flatnonzero(each), len(rows)) for each in (run, turn, fresh))
    return Runs(rows, sender, *cuts)


def _breaks(headers: Headers, rows: Integers, sender: Integers, fresh: Rows) -> tuple[Rows, Rows]:
    """The rows that do not go on where the connection's last data ended, and those of another turn."""
    flags, length = headers.flags[rows], headers.length[rows]
    special: Rows = (flags & SPECIAL) != 0
    turn = special | fresh
    turn[1:] |= special[:-1]
    run = turn.copy()
    data = np.flatnonzero((length > 0) | fresh)
    end = (headers.seq[rows[data]] + length[data]) % SPACE
    before, after = data[:-1], data[1:]
    same = (sender[after] == sender[before]) & (length[before] > 0)
    turn[after[~same]] = True
    run[after[~same | (headers.seq[rows[after]] != end[:-1])]] = True
    return run, turn


def _endpoints(window: Window, headers: Headers, rows: Integers) -> tuple[Integers, Integers]:
    """Source and destination of these packets: a number each, equal for equal address and port."""
    data = np.frombuffer(window.data, np.uint8)
    source = np.zeros(len(rows), np.int64)
    destination = np.zeros(len(rows), np.int64)
    versions = headers.version[rows]
    for version, (place, size) in ADDRESS.items():
        mine = np.flatnonzero(versions == version)
        if not len(mine):
            continue
        both = np.lib.stride_tricks.sliding_window_view(data, 2 * size)[
            headers.network[rows[mine]] + place
        ]
        names = [np.ascontiguousarray(both[:, :size]), np.ascontiguousarray(both[:, size:])]
        source[mine], destination[mine] = _numbered(*names)
    return source << 16 | headers.source[rows], destination << 16 | headers.destination[rows]


def _numbered(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> tuple[Integers, Integers]:
    """Addresses as numbers: those of IPv4 themselves, the others by their order in the window."""
    if one.shape[1] == 4:
        four = [each.view(">u4")[:, 0].astype(np.int64) for each in (one, other)]
        return four[0], four[1]
    whole = np.concatenate([one, other]).view("V16")[:, 0]
    _, number = np.unique(whole, return_inverse=True)
    return number[: len(one)] + _IPV6_NAMES, number[len(one) :] + _IPV6_NAMES
