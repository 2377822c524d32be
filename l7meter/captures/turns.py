"""The turns of a window: stretches of data of one end, put in order where no hole is left in them.

Networks lose and reorder, so an answer of some length seldom passes as one run. Where all of a turn
is there, and nothing but the order or a second copy is against it, it is taken as one stretch.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from l7meter.captures.reordered import since
from l7meter.captures.tcp import FIN, HELD_OCTETS, HELD_SEGMENTS, SPACE
from l7meter.captures.view import View
from l7meter.captures.window import Integers, Rows


class Stretches(NamedTuple):
    """Whole turns where they can be put in order, runs elsewhere.

    `starts` cuts the rows of a view at each stretch and ends with their number; `length` are octets
    of payload by row, none where they came again whole in the same turn. By stretch: the
    sum of them; the rows of its first and of its last octet, and the one by which all had come
    (without data: its first row, twice, and -1); and whether octets were acknowledged in it before
    they came, which is looked for in connections with disorder.
    """

    starts: Integers
    length: Integers
    octets: Integers
    first: Integers
    last: Integers
    came: Integers
    ahead: Rows


class _Sorted(NamedTuple):
    """Rows with data in the order of their streams, of turns that are more than one run."""

    rows: Integers  # those that came again left out
    turns: Integers  # by row of these
    again: Integers  # rows
    whole: Rows  # by turn: it is one of these, and nothing is missing within


def stretches(view: View) -> Stretches:
    """The stretches of a window."""
    runs, length = view.runs, view.length
    starts, count = runs.run[:-1], len(length)
    if not count:
        nothing = np.zeros(0, np.int64)
        return Stretches(runs.run, nothing, nothing, nothing, nothing, nothing, nothing > 0)
    begins = np.zeros(count, np.bool_)
    begins[runs.turn[:-1]] = True
    turn = np.cumsum(begins) - 1
    inner = starts[~begins[starts]]
    if not len(inner):
        return _measured(runs.run, length, np.zeros(len(starts), np.bool_))
    right = _sorted(view, turn, inner)
    starts = starts[begins[starts] | ~right.whole[turn[starts]]]
    fresh = length.copy()
    fresh[right.again] = 0
    ahead = np.logical_or.reduceat(_ahead(view, turn, right), starts)
    made = _measured(np.append(starts, count), fresh, ahead)
    mended = right.whole[right.turns]
    rows, turns = right.rows[mended], right.turns[mended]
    place = np.searchsorted(starts, runs.turn[turns])
    made.last[place] = rows  # of several for one place the last stays
    made.first[place[::-1]] = rows[::-1]
    return made


def _measured(starts: Integers, length: Integers, ahead: Rows) -> Stretches:
    """Stretches whose data are in order."""
    place, at = np.arange(len(length)), starts[:-1]
    octets = np.add.reduceat(length, at)
    first = np.minimum.reduceat(np.where(length > 0, place, len(length)), at)
    came = np.maximum.reduceat(np.where(length > 0, place, -1), at)
    first = np.where(octets > 0, first, at)
    return Stretches(starts, length, octets, first, np.where(octets > 0, came, at), came, ahead)


def _sorted(view: View, turn: Integers, inner: Integers) -> _Sorted:
    """The data of turns within which runs start, put in order."""
    whole = np.zeros(len(view.runs.turn) - 1, np.bool_)
    whole[turn[inner]] = True
    rows = np.flatnonzero((view.length > 0) & whole[turn])
    turns, size = turn[rows], view.length[rows]
    whole &= np.bincount(turns, minlength=len(whole)) <= HELD_SEGMENTS
    whole &= np.bincount(turns, size, minlength=len(whole)) <= HELD_OCTETS
    new = np.append(True, turns[1:] != turns[:-1])
    place = since(view.seq[rows], view.seq[rows[new]][np.cumsum(new) - 1])
    order = np.lexsort((place, turns))
    rows, size, place = rows[order], size[order], place[order]
    again = np.append(False, (place[1:] == place[:-1]) & (size[1:] == size[:-1])) & ~new
    twice = rows[again]
    rows, turns, size, place = (each[~again] for each in (rows, turns, size, place))
    broken = (turns[1:] == turns[:-1]) & (place[1:] != place[:-1] + size[:-1])
    whole[turns[1:][broken]] = False
    return _Sorted(rows, turns, twice, whole)


def _ahead(view: View, turn: Integers, right: _Sorted) -> Rows:
    """Rows that acknowledge what had not come, in connections with a turn that was put in order."""
    runs = view.runs
    ahead = np.zeros(len(turn), np.bool_)
    counts = np.diff(runs.connection)
    mended = np.logical_or.reduceat(right.whole[turn], runs.connection[:-1])
    looked = np.repeat(mended, counts)
    first, behind = (
        np.repeat(each, counts) for each in (runs.connection[:-1], runs.connection[1:])
    )
    octets = view.length + ((view.flags & FIN) != 0)
    end = (view.seq + octets) % SPACE
    taken = octets > 0
    taken[right.again] = False
    rows = np.flatnonzero(taken)
    several = np.zeros(len(right.whole), np.bool_)
    several[right.turns] = True
    rows[several[turn[rows]]] = right.rows  # by turn, both
    for sender in (0, 1):
        of = rows[runs.sender[rows] == sender]
        answers = np.flatnonzero(looked & (view.ack >= 0) & (runs.sender != sender))
        if not len(of):
            continue
        next_ = np.searchsorted(np.maximum.accumulate(of), answers)
        before, after = of[next_ - 1], of[next_.clip(max=len(of) - 1)]
        known = (next_ > 0) & (before >= first[answers])
        follows = (next_ < len(of)) & (after < behind[answers])
        proven = np.where(known, end[before], np.where(follows, view.seq[after], view.ack[answers]))
        ahead[answers] = since(view.ack[answers], proven) > 0
    return ahead
