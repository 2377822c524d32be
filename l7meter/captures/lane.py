"""The fast lane: exchanges that tile a connection's runs exactly, as columns from end to end.

A tile is a request of GET or HEAD in one packet, and the stretch of its response: a head whole in
its first packet and then exactly the content that it announces. Each distinct head is read once, by
the exact path's own reader; all else is arithmetic on columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from l7meter.captures import records
from l7meter.captures.connection import Connection
from l7meter.captures.exact import LINGER
from l7meter.captures.lane_heads import COLUMNS, NONE, Heads
from l7meter.captures.run import Skipped
from l7meter.captures.tcp import SPACE, SPECIAL
from l7meter.captures.turns import stretches
from l7meter.captures.view import View
from l7meter.schema import EXCHANGE_KINDS

Integers = NDArray[np.int64]
Rows = NDArray[np.bool_]

LONGEST = 8192  # octets of a head
Who = tuple[str, int, str, int]  # address and port of client and server


class Tiles(NamedTuple):
    """Tiles by the stretches of their requests, with their own octets of IP packets.

    `counts` says how many of them, one after the other, are of each connection in `who`.
    """

    asks: Integers
    client: Integers
    server: Integers
    who: Sequence[Who]
    counts: Integers


class Lane:
    """The tiles of a window.

    `tiles` says of each of the `stretches` how many tiles follow each other from it.
    """

    def __init__(self, view: View, heads: Heads) -> None:
        self.view = view
        self._heads = heads
        self.stretches = made = stretches(view)
        self._octets, self._first, self._last, self._came = (
            made.octets,
            made.first,
            made.last,
            made.came,
        )
        self._taken: list[Tiles] = []
        count = len(self._octets)
        self.tiles = np.zeros(count, np.int64)
        self._numbers = np.full((len(COLUMNS), count), NONE)
        if count < 2:
            return
        ends = (view.seq[self._first] + self._octets) % SPACE
        self._wire = [_summed(view.wire * (view.runs.sender == end)) for end in (0, 1)]
        fit = self._candidates()
        if not fit.any():
            return
        fit[fit] = self._tiling(np.flatnonzero(fit))
        follows = np.zeros(count, np.bool_)  # a stretch goes on where the last but one ended
        follows[2:] = view.seq[self._first[2:]] == ends[:-2]
        self.tiles = _chains(fit, fit & follows & np.append(follows[1:], False))

    def _candidates(self) -> Rows:
        """Stretches that may be the request of a tile, by their shape and their first octets."""
        view, runs = self.view, self.view.runs
        first, count = self._first, len(self._first)
        fresh = np.zeros(len(runs.rows) + 1, np.bool_)
        fresh[runs.connection] = True
        times = view.time
        passed = np.diff(times, prepend=times[:1])
        unsteady = (passed > LINGER) | (passed < 0)
        broken = np.logical_or.reduceat(unsteady & ~fresh[:-1], self.stretches.starts[:-1])
        special = (view.flags[first] & SPECIAL) != 0
        sender = runs.sender[first]
        data = np.frombuffer(view.window.data, np.uint8)
        at = view.found.payload[runs.rows[first]].clip(0, len(data) - 4)
        word = data[at].astype(np.int64) << 16 | data[at + 1].astype(np.int64) << 8 | data[at + 2]
        filled = (view.length[first] > 16) & (view.ack[first] >= 0)
        filled &= ~(special | broken | self.stretches.ahead)
        asks = filled & ((word == int.from_bytes(b"GET", "big")) | (word == int.from_bytes(b"HEA", "big")))  # fmt: skip
        asks &= (self._octets == view.length[first]) & (self._octets <= LONGEST)
        answers = filled & (word == int.from_bytes(b"HTT", "big"))
        fit = np.zeros(count, np.bool_)
        fit[:-1] = asks[:-1] & answers[1:] & (sender[:-1] != sender[1:])
        fit[:-1] &= ~fresh[self.stretches.starts[1:-1]]
        return fit

    def _tiling(self, asks: Integers) -> Rows:
        """Which of these requests and their responses are whole, end where they say, and no more."""
        heads, data, found = self._heads, self.view.window.data, self.view.found
        asked, answered = (self.view.runs.rows[self._first[each]] for each in (asks, asks + 1))
        lines, fields = heads.requests(data, found.payload[asked], found.length[asked])
        start = found.payload[answered]
        limit = start + np.minimum(found.length[answered], LONGEST)
        responses, head = heads.responses(data, start, limit)
        for side, numbers in enumerate((lines, fields, responses)):
            self._numbers[side, asks] = numbers
        content = np.array(heads.lengths, np.int64)[responses]
        empty = np.array(heads.empty, bool)[responses] | np.array(heads.bare, bool)[lines]
        self._content = np.zeros(len(self._first), np.int64)
        self._content[asks] = np.where(empty, 0, content)
        whole = np.array(heads.fit, bool)[lines] & np.array(heads.plain, bool)[fields]
        whole &= (content != NONE) & (head >= 16)
        tiles: Rows = whole & (self._octets[asks + 1] == head + self._content[asks])
        return tiles

    def tiled(self, row: int, end: int) -> tuple[int, int]:
        """The stretches that tile the rows from one on, before another: the first, and behind them."""
        starts = self.stretches.starts
        first, beyond = np.searchsorted(starts, (row, end)).tolist()
        tiles = min(int(self.tiles[first]), (beyond - first) // 2) if starts[first] == row else 0
        return first, first + 2 * tiles

    def answers(self, asks: Integers | int) -> Integers:
        """The sequence numbers at which the responses of these tiles begin."""
        rows = self._first[np.minimum(asks + 1, len(self._first) - 1)]
        return self.view.seq[rows]

    def came(self, asks: Integers) -> Integers:
        """The rows by which these tiles are whole."""
        return self._came[asks + 1]

    def wire(self, ends: Integers, behind: Integers) -> Integers:
        """Octets of IP packets that these ends sent in all rows before these, whatever the pair."""
        passed: Integers = np.where(ends == 0, self._wire[0][behind], self._wire[1][behind])
        return passed

    def add(self, begin: int, behind: int, connection: Connection) -> Skipped:
        """Take the tiles of these stretches; what the connection has to know of them.

        The last one is the connection's to finish: packets that follow may be its own.
        """
        asks = np.arange(begin, behind, 2)
        first, past = int(self.stretches.starts[begin]), self._came[asks + 1] + 1
        end = self.view.runs.sender[self._first[begin]]  # the end of the pair
        passed = [self._wire[end][past] - self._wire[end][first] for end in (end, 1 - end)]
        if len(asks) > 1:
            wire = connection.wire_since(passed[0][:-1], passed[1][:-1])
            self._taken.append(Tiles(asks[:-1], *wire, [connection.who()], np.array([len(asks) - 1])))  # fmt: skip
        return Skipped(
            int(self._octets[asks].sum()),
            int(self._octets[asks + 1].sum()),
            [
                (int(client), int(server))
                for client, server in zip(passed[0][-2:], passed[1][-2:], strict=True)
            ],
            self._row(behind - 2),
        )

    def _row(self, ask: int) -> dict[str, Any]:
        """One tile as a row."""
        rows, window, size = self.view.runs.rows, self.view.window, self.view.found.length
        first, last = int(rows[self._first[ask]]), int(rows[self._last[ask + 1]])
        heads = (
            of[place]
            for of, place in zip(self._heads.rows, self._numbers[:, ask].tolist(), strict=True)
        )
        said = {name: value for head in heads for name, value in head.items()}
        return said | {
            "ts": int(window.time[first]) // 1000,
            "duration": (int(window.time[last]) - int(window.time[first])) / 1e9,
            "request_size": int(size[first]),
            "request_body_size": 0,
            "response_size": int(self._octets[ask + 1]),
            "response_body_size": int(self._content[ask]),
            "missing_bytes": 0,
            "exchange_kind": "http",
            "complete": True,
            "source_line": window.number + first,
        }

    def take(self) -> list[pl.DataFrame]:
        """The tiles that were added, as a frame of records."""
        taken, self._taken = self._taken, []
        if not taken:
            return []
        asks, client, server, counts = (
            np.concatenate(each)
            for each in zip(*((t.asks, t.client, t.server, t.counts) for t in taken), strict=True)
        )
        who = list(chain.from_iterable(tiles.who for tiles in taken))
        return [self.frame(Tiles(asks, client, server, who, counts))]

    def frame(self, tiles: Tiles) -> pl.DataFrame:
        """Tiles as records."""
        asks = tiles.asks
        found, rows, window = self.view.found, self.view.runs.rows, self.view.window
        first, last = rows[self._first[asks]], rows[self._last[asks + 1]]
        who = pl.DataFrame(tiles.who, schema=_WHO, orient="row")
        parts = [
            who[np.repeat(np.arange(len(tiles.who)), tiles.counts)],
            *(table[self._numbers[side, asks]] for side, table in enumerate(self._heads.tables())),
        ]
        frame = pl.concat(parts, how="horizontal").with_columns(
            pl.col("server_address").fill_null(pl.col("server")),
            ts=pl.Series(window.time[first] // 1000).cast(records.SCHEMA["ts"]),
            duration=pl.Series((window.time[last] - window.time[first]) / 1e9),
            url_scheme=pl.lit("http"),
            request_size=pl.Series(found.length[first]),
            request_body_size=pl.lit(0, pl.Int64),
            response_size=pl.Series(self._octets[asks + 1]),
            response_body_size=pl.Series(self._content[asks]),
            client_wire_bytes=pl.Series(tiles.client),
            server_wire_bytes=pl.Series(tiles.server),
            missing_bytes=pl.lit(0, pl.Int64),
            exchange_kind=pl.lit("http", EXCHANGE_KINDS),
            complete=pl.lit(value=True),
            source_line=pl.Series(first + window.number),
        )
        absent = [pl.lit(None, kind).alias(name) for name, kind in records.SCHEMA.items() if name not in frame.columns]  # fmt: skip
        made: pl.DataFrame = frame.with_columns(absent).select(records.SCHEMA.names())
        return made


_WHO = {"client_address": pl.String, "client_port": pl.Int32, "server": pl.String, "server_port": pl.Int32}  # fmt: skip


def _summed(octets: Integers) -> Integers:
    """The sums of all before each, and at the end of all."""
    return np.concatenate([[0], np.cumsum(octets)])


def _chains(starts: Rows, goes_on: Rows) -> Integers:
    """How many tiles follow each other from each run on; a tile takes two runs."""
    made = np.zeros(len(starts), np.int64)
    for odd in (0, 1):
        first, more = starts[odd::2], goes_on[odd::2]
        place = np.arange(len(more))
        stop = np.minimum.accumulate(np.where(more, len(more), place)[::-1])[::-1]
        behind = np.append(stop[1:], len(more))  # where the chain ends that begins here
        made[odd::2] = np.where(first, behind - place, 0)
    return made
