"""Connections that a window holds whole, from the handshake to both FINs, as columns from end to end.

Most connections of a server are of this kind: opened and closed in order, with nothing between but
exchanges that tile their runs (`lane`). All that the exact path would say of them is arithmetic on
columns: no packet of theirs is looked at by itself, and no connection is made of them. What does not
fit in the least is left to the others.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from l7meter.captures.exact import LINGER
from l7meter.captures.lane import Lane
from l7meter.captures.tcp import ACK, FIN, RST, SPACE, SPECIAL, SYN, URG
from l7meter.captures.view import View
from l7meter.captures.window import Integers, Rows

FEWEST = 6  # packets: two each of handshake, exchange and end


class Whole(NamedTuple):
    """Columns by connection; those of two rows are of its opener, who is the client, and of the other."""

    connection: Integers  # of the window
    place: Integers  # of the stretch that its first tile begins with
    tiles: Integers
    opener: Integers  # which end of the pair
    fins: Integers  # rows, two a connection
    following: Integers  # sequence numbers of the first octets, two a connection
    octets: Integers  # of payload
    acknowledged: Integers  # octets that the other end has, and one for the FIN; -1: not said

    def some(self, places: Integers) -> Whole:
        """Some of the connections."""
        return Whole(*(column[..., places] for column in self))


def whole(view: View, lane: Lane) -> Whole:
    """The connections of a window that began and ended in it and are tiles throughout."""
    runs, sender = view.runs, view.runs.sender
    first, behind = runs.connection[:-1], runs.connection[1:]
    flags, seq, stretches = view.flags, view.seq, lane.stretches
    starts, length = stretches.starts, stretches.length
    kept = behind - first >= FEWEST
    second = np.where(kept, first + 1, first)
    signs = flags & (SPECIAL | ACK)
    kept &= (signs[first] == SYN) & (signs[second] == SYN | ACK) & (sender[second] != sender[first])
    kept &= _sum((flags & (SYN | RST | URG)) != 0, first) == 2
    kept &= _sum((flags & FIN) != 0, first) == 2
    kept &= ~_any(_unsteady(view), first)
    kept &= ~_any(stretches.ahead, np.searchsorted(starts, first))
    at = np.flatnonzero(kept)
    data, fin = np.flatnonzero(length > 0), np.flatnonzero(flags & FIN)
    if not len(at) or not len(data):
        return _none()
    first, behind = first[at], behind[at]
    # where the tiles begin and end
    begins = data[np.searchsorted(data, first).clip(max=len(data) - 1)]
    place = np.searchsorted(starts, begins, "right") - 1
    tiles = np.minimum(lane.tiles[place], (np.searchsorted(starts, behind) - place) // 2)
    tiles = np.where(begins < behind, tiles, 0)
    beyond = starts[place + 2 * tiles]
    last = data[np.searchsorted(data, behind) - 1]
    ends = np.searchsorted(fin, first)
    fins = np.array([fin[ends], fin[ends + 1]])
    good = (tiles > 0) & (last < beyond) & (fins[0] >= beyond)
    good &= (sender[begins] == sender[first]) & (sender[fins[0]] != sender[fins[1]])
    # in sequence from the handshake to the end
    opener = sender[first]
    fins = np.where(sender[fins[0]] == opener, fins, fins[::-1])
    following = (np.array([seq[first], seq[first + 1]]) + 1) % SPACE
    octets = np.array([_between(length * (sender == end), first, behind) for end in (0, 1)])
    octets = np.where(opener == 0, octets, octets[::-1])
    good &= (seq[begins] == following[0]) & (lane.answers(place) == following[1])
    good &= ((seq[fins] - following - octets) % SPACE == 0).all(axis=0)
    made = Whole(at, place, tiles, opener, fins, following, octets, np.full(octets.shape, -1))
    return _acknowledged(view, made.some(np.flatnonzero(good)))


def _acknowledged(view: View, made: Whole) -> Whole:
    """Those in which nobody acknowledges more than was sent, and how much each end did."""
    runs = view.runs
    first, counts = runs.connection[:-1][made.connection], np.diff(runs.connection)[made.connection]
    if not len(first):
        return made
    starts = np.cumsum(counts) - counts
    rows = np.repeat(first - starts, counts) + np.arange(counts.sum())
    of = np.repeat(np.arange(len(first)), counts)
    other = (runs.sender[rows] == made.opener[of]).astype(np.int64)  # whose octets are acknowledged
    ack = view.ack[rows]
    far = np.where(ack >= 0, (ack - made.following[other, of]) % SPACE, -1)
    good = ~_any(far > made.octets[other, of] + 1, starts)
    acknowledged = np.array([np.maximum.reduceat(np.where(other == end, far, -1), starts) for end in (0, 1)])  # fmt: skip
    return made._replace(acknowledged=acknowledged).some(np.flatnonzero(good))


def _unsteady(view: View) -> Rows:
    """Rows before which time goes back or a long pause lies, first ones of connections left out."""
    times = view.time
    passed = np.diff(times, prepend=times[:1])
    unsteady: Rows = (passed > LINGER) | (passed < 0)
    unsteady[view.runs.connection[:-1]] = False
    return unsteady


def _sum(rows: Rows, first: Integers) -> Integers:
    summed: Integers = np.add.reduceat(rows.astype(np.int64), first)
    return summed


def _any(rows: Rows, first: Integers) -> Rows:
    found: Rows = np.logical_or.reduceat(rows, first)
    return found


def _between(octets: Integers, first: Integers, behind: Integers) -> Integers:
    """Sums of the rows from each first one up to each that is behind."""
    summed = np.concatenate([[0], np.cumsum(octets)])
    sums: Integers = summed[behind] - summed[first]
    return sums


def _none() -> Whole:
    nothing, pairs = np.zeros(0, np.int64), np.zeros((2, 0), np.int64)
    return Whole(nothing, nothing, nothing, nothing, pairs, pairs, pairs, pairs)
